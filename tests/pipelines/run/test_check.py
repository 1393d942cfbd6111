"""Keeping packages to what their manifest promises."""

from typing import Any

import numpy as np
import pytest

from ennead import codes
from ennead.codes import Code, dcm, sct
from ennead.contracts import Volume
from ennead.errors import ContractError, GridMismatch, UndeclaredOutput
from ennead.findings import Finding, Measurement, Refusal, RefusalCode, Result, Segment
from ennead.geometry import Grid
from ennead.plugins import Manifest
from ennead.testing.sample import sample_package
from ennead_pipelines.run.check import checked, without_declined

GRID = Grid((2, 3, 4), (0, 0, 0), ((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1, 1, 1), "1.9")
VOLUME = Volume(
    np.zeros(GRID.shape, np.float32),
    GRID,
    "1.1",
    "1.2",
    "CT",
    ("1.3", "1.4"),
    {},  # type: ignore[arg-type]
)
LUNG = sct("39607008", "Lung")


@pytest.fixture
def manifest() -> Manifest:
    found = sample_package().manifest
    assert found is not None
    return found


def check(manifest: Manifest, *results: Any) -> list[Result]:
    return checked(results, manifest, {"ct": VOLUME})


def measurement(name: str = "volume", unit: Code = codes.CUBIC_CENTIMETRE) -> Measurement:
    return Measurement(name, codes.VOLUME, 1.0, unit)


def finding(*measurements: Measurement, name: str = "f", **changes: Any) -> Finding:
    values: dict[str, Any] = {"series_uid": "1.2"} | changes
    return Finding(name, "F", LUNG, codes.ANATOMICAL_STRUCTURE, measurements=measurements, **values)


def segment(name: str = "bright", grid: Grid = GRID, series_uid: str = "1.2") -> Segment:
    mask = np.ones(grid.shape, bool)
    return Segment(name, "S", mask, grid, series_uid, codes.ANATOMICAL_STRUCTURE, LUNG)  # type: ignore[arg-type]


def test_declared_results_pass(manifest: Manifest) -> None:
    refusal = Refusal(RefusalCode.PHASE, "mean_hu", "refusal.phase")
    results = [segment(), finding(measurement()), refusal]
    assert check(manifest, *results) == results


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (finding(measurement("weight")), UndeclaredOutput),
        (finding(measurement("bright")), UndeclaredOutput),
        (finding(measurement(unit=codes.MILLIMETRE)), UndeclaredOutput),
        (segment("volume"), UndeclaredOutput),
        (Refusal(RefusalCode.PHASE, "weight", "x"), UndeclaredOutput),
        (finding(series_uid="1.99"), ContractError),
        (segment(series_uid="1.99"), ContractError),
        ("a finding", ContractError),
        (None, ContractError),
        (segment(grid=Grid((2, 3, 4), (5, 0, 0), GRID.axes, (1, 1, 1), "1.9")), GridMismatch),
    ],
)
def test_what_was_not_promised_is_refused(
    manifest: Manifest, result: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check(manifest, result)


def test_two_results_of_one_name(manifest: Manifest) -> None:
    with pytest.raises(ContractError, match="twice"):
        check(manifest, finding(), finding())


def test_declined_outputs_are_dropped_and_empty_findings_with_them() -> None:
    mean = Measurement("mean_hu", dcm("112031", "A"), 1.0, codes.HOUNSFIELD)
    both, only = finding(measurement(), mean), finding(mean, name="g")
    plain = finding(name="h")
    kept = without_declined([both, only, plain, segment()], {"mean_hu", "bright"})
    assert [(f.id, [m.id for m in f.measurements]) for f in kept if isinstance(f, Finding)] == [
        ("f", ["volume"]),
        ("h", []),
    ]
    assert len(kept) == 2
