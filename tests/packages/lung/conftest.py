"""The lung package's tests; none is collected when the package was deleted."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from ennead.contracts import Anatomy, RunContext, Volume
from ennead.findings import Finding, Measurement, Refusal, Result, Segment
from ennead.geometry import Grid, stack_grid
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID

if importlib.util.find_spec("ennead_lung") is None:
    collect_ignore_glob = ["*"]


class Answer:
    """Results of a run by kind and id."""

    def __init__(self, results: list[Result]) -> None:
        self.results = results
        self.segments = {r.id: r for r in results if isinstance(r, Segment)}
        self.findings = {r.id: r for r in results if isinstance(r, Finding)}
        self.refusals = [r for r in results if isinstance(r, Refusal)]
        self.measurements: dict[str, Measurement] = {
            m.id: m for f in self.findings.values() for m in f.measurements
        }

    def codes(self, subject: str) -> set[str]:
        return {str(r.code) for r in self.refusals if r.subject == subject}

    def keys(self, subject: str) -> set[str]:
        return {r.text_key for r in self.refusals if r.subject == subject}


def volume_of(
    values: npt.NDArray[np.float32], grid: Grid, attributes: dict[str, Any] | None = None
) -> Volume:
    header = pydicom.Dataset()
    for keyword, value in (attributes or {}).items():
        setattr(header, keyword, value)
    return Volume(
        values=values,
        grid=grid,
        study_uid=StudyUID("2.25.1"),
        series_uid=SeriesUID("2.25.2"),
        modality="CT",
        instance_uids=tuple(InstanceUID(f"2.25.3.{n}") for n in range(values.shape[0])),
        attributes=header.to_json_dict(),
    )


def read_volume(folder: Path) -> Volume:
    """Decode a folder of classic CT instances, independent of the platform's loader."""
    datasets = [pydicom.dcmread(f) for f in sorted(folder.glob("*.dcm"))]
    first = datasets[0]
    grid, order = stack_grid(
        [[float(v) for v in d.ImagePositionPatient] for d in datasets],
        [float(v) for v in first.ImageOrientationPatient],
        [float(v) for v in first.PixelSpacing],
        first.Rows,
        first.Columns,
        first.FrameOfReferenceUID,
    )
    planes = [
        datasets[i].pixel_array * float(datasets[i].RescaleSlope)
        + float(datasets[i].RescaleIntercept)
        for i in order
    ]
    header = {k: v for k, v in first.to_json_dict().items() if k != "7FE00010"}
    return Volume(
        values=np.stack(planes).astype(np.float32),
        grid=grid,
        study_uid=StudyUID(str(first.StudyInstanceUID)),
        series_uid=SeriesUID(str(first.SeriesInstanceUID)),
        modality="CT",
        instance_uids=tuple(InstanceUID(str(datasets[i].SOPInstanceUID)) for i in order),
        attributes=header,
    )


def context_of(volume: Volume, **options: Any) -> RunContext:
    return RunContext({"chest": volume}, anatomy={"chest": anatomy_of(volume)}, **options)


_last: tuple[Any, Anatomy] | None = None


def anatomy_of(volume: Volume) -> Anatomy:
    """Found once for tests that change nothing but the header."""
    global _last
    from ennead_pipelines.anatomy.classical_ct import ClassicalCT

    key = (volume.values.tobytes(), volume.grid)
    if _last is None or _last[0] != key:
        _last = (key, ClassicalCT().compute(volume))
    return _last[1]


@pytest.fixture(scope="session")
def context_from() -> Callable[..., RunContext]:
    return context_of


@pytest.fixture(scope="session")
def measure() -> Callable[..., Answer]:
    """Run the package on values and grid, or on a Volume, with the anatomy a run would get."""
    from ennead_lung.pipeline import LungPipeline

    def run(
        values: Any, grid: Grid | None = None, attributes: dict[str, Any] | None = None
    ) -> Answer:
        volume = values if grid is None else volume_of(values, grid, attributes)
        return Answer(list(LungPipeline().run(context_of(volume))))

    return run


@pytest.fixture(scope="session")
def read_folder() -> Callable[[Path], Volume]:
    return read_volume


@pytest.fixture(scope="session")
def volume_from() -> Callable[..., Volume]:
    return volume_of
