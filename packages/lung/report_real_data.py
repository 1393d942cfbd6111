"""Print the table "On real images" of the README, and draw overlays to look at.

Usage: python packages/lung/report_real_data.py DATA_FOLDER [OVERLAY_FOLDER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image

from ennead.contracts import RunContext, Volume
from ennead.findings import Finding, Refusal, Result, Segment
from ennead.geometry import Grid, stack_grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.nifti import read_nifti
from ennead_lung.pipeline import LungPipeline
from ennead_lung.technique import manifest
from ennead_pipelines.anatomy import find

CASES: dict[str, dict[str, Any]] = {
    "lung/chest_ct_siemens_2mm/ct.nii.gz": {"KVP": 120, "ConvolutionKernel": "B30f"},
    "lung/ibsi1_lung_cancer_ct/image": {},
    "cardio/totalseg_cta_heart_pa/ct_cropped.nii.gz": {},
    "train/ct_unlabelled/abdomen_philips_2mm.nii.gz": {},
    "gi/totalseg_ct_3mm/example_ct_sm.nii.gz": {},
    "msk/totalseg_spine_ct/example_ct.nii.gz": {},
    "dental/invesalius_cranium_ct/cranium_ct.nii.gz": {},
    "oncology/STS_002/CT/image": {},
}
COLOURS = {"right_lung_mask": (255, 60, 60), "left_lung_mask": (60, 120, 255)}


def read(path: Path, attributes: dict[str, Any]) -> Volume:
    """A NIfTI file or a folder of CT instances."""
    header = pydicom.Dataset()
    if path.is_dir():
        datasets = [pydicom.dcmread(f) for f in sorted(path.glob("*.dcm"))]
        header = datasets[0]
        grid, order = stack_grid(
            [list(map(float, d.ImagePositionPatient)) for d in datasets],
            list(map(float, header.ImageOrientationPatient)),
            list(map(float, header.PixelSpacing)),
            header.Rows,
            header.Columns,
            header.FrameOfReferenceUID,
        )
        slope, intercept = float(header.RescaleSlope), float(header.RescaleIntercept)
        values = np.stack([datasets[i].pixel_array * slope + intercept for i in order])
        del header.PixelData
    else:
        values, grid = read_nifti(path)
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return Volume(
        values.astype(np.float32),
        grid,
        StudyUID("2.25.1"),
        SeriesUID("2.25.2"),
        "CT",
        (),
        header.to_json_dict(),
    )


def row(name: str, results: list[Result], seconds: float) -> str:
    """One line of the table."""
    values = {
        m.id: round(m.value, 2) for r in results if isinstance(r, Finding) for m in r.measurements
    }
    masks = [r.label + (" (partial)" if _partial(r, results) else "") for r in _segments(results)]
    refused: dict[str, set[str]] = {}
    for result in results:
        if isinstance(result, Refusal):
            refused.setdefault(result.subject or "everything", set()).add(str(result.code))
    told = "; ".join(f"{k}: {', '.join(sorted(v))}" for k, v in refused.items())
    return f"| {name} | {', '.join(masks) or '–'} | {values or '–'} | {told} | {seconds:.1f} s |"


def _segments(results: list[Result]) -> list[Segment]:
    return [r for r in results if isinstance(r, Segment)]


def _partial(segment: Segment, results: list[Result]) -> bool:
    return any(
        isinstance(r, Finding) and r.segment_ids == (segment.id,) and r.qualifiers for r in results
    )


def overlay(volume: Volume, results: list[Result], file: Path) -> None:
    """Six slices along each patient axis, right lung red and left lung blue."""
    order, flip = volume.grid.canonical()
    flips = tuple(a for a in range(3) if flip[a])
    grid = volume.grid.reordered(order, flip)
    grey = np.clip((np.flip(volume.values.transpose(order), flips) + 1100) / 1500 * 255, 0, 255)
    colour = np.repeat(grey[..., None], 3, axis=-1)
    for segment in _segments(results):
        mask = np.flip(segment.mask.transpose(order), flips)
        colour[mask] = 0.6 * colour[mask] + 0.4 * np.array(COLOURS[segment.id])
    rows = [_row(colour, axis, grid) for axis in range(3)]
    width = max(r.shape[1] for r in rows)
    rows = [np.pad(r, ((0, 4), (0, width - r.shape[1]), (0, 0))) for r in rows]
    Image.fromarray(np.vstack(rows)).save(file)


def _row(colour: npt.NDArray[Any], axis: int, grid: Grid) -> npt.NDArray[np.uint8]:
    tiles = []
    spacing = [s for a, s in enumerate(grid.spacing_mm) if a != axis]
    for step in range(6):
        plane = np.take(colour, int(colour.shape[axis] * (step + 0.5) / 6), axis=axis)
        plane = (plane[::-1] if axis else plane).astype(np.uint8)
        width = round(240 * plane.shape[1] * spacing[1] / (plane.shape[0] * spacing[0]))
        tiles.append(np.asarray(Image.fromarray(plane).resize((width, 240))))
    return np.hstack(tiles)


def main() -> None:
    """Measure every case that is there."""
    data = Path(sys.argv[1])
    looks = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    print("| Image | Masks | Values | Refused | Time |\n|--|--|--|--|--|")
    for name, attributes in CASES.items():
        if not (data / name).exists():
            print(f"| {name} | not here | | | |")
            continue
        volume = read(data / name, attributes)
        start = time.perf_counter()
        anatomy = find(volume, manifest().series_inputs[0].anatomy)
        context = RunContext({"chest": volume}, anatomy={"chest": anatomy})
        results = list(LungPipeline().run(context))
        print(row(name, results, time.perf_counter() - start))
        if looks:
            looks.mkdir(parents=True, exist_ok=True)
            overlay(volume, results, looks / (name.replace("/", "-") + ".png"))


if __name__ == "__main__":
    main()
