"""Print the tables of docs/reference/anatomy.md, and draw overlays to look at.

Usage: python -m benchmarks.anatomy DATA_FOLDER [OVERLAY_FOLDER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.real_ct import here, read
from ennead.coarse import patient_order
from ennead.contracts import Anatomy, Volume
from ennead.testing.nifti import read_nifti
from ennead_pipelines.anatomy.classical_ct import VALUES, ClassicalCT

COLOURS = {
    "tissue": (90, 160, 90),
    "right_lung": (255, 60, 60),
    "left_lung": (60, 120, 255),
    "airway": (255, 230, 0),
    "bones": (255, 160, 60),
    "inner_gas": (255, 0, 255),
    "table": (0, 200, 200),
}
SHOWN = ("body", "right_lung", "left_lung", "airway", "bones", "inner_gas", "contrast")
#: Bones among the 117 labels of TotalSegmentator: sacrum, vertebrae, limbs and girdles, skull, ribs
#: and sternum; costal cartilage is not among them.
BONES = (25, *range(26, 51), *range(69, 79), 91, *range(92, 117))


def overlay(volume: Volume, anatomy: Anatomy, file: Path) -> None:
    """Six slices along each patient axis."""
    grid = volume.grid.reordered(*volume.grid.canonical())
    grey = np.clip((patient_order(volume.values, volume.grid) + 1100) / 1900 * 255, 0, 255)
    labels = patient_order(anatomy.labels, volume.grid)
    rows = []
    for axis in range(3):
        spacing = [s for a, s in enumerate(grid.spacing_mm) if a != axis]
        tiles = []
        for step in range(6):
            k = int(grey.shape[axis] * (step + 0.5) / 6)
            plane = _coloured(np.take(grey, k, axis=axis), np.take(labels, k, axis=axis))
            plane = plane[::-1] if axis else plane
            width = max(1, round(260 * plane.shape[1] * spacing[1] / (plane.shape[0] * spacing[0])))
            tiles.append(np.asarray(Image.fromarray(plane).resize((width, 260))))
        rows.append(np.hstack(tiles))
    widest = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 4), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    Image.fromarray(np.vstack(rows)).save(file)


def _coloured(grey: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    colour = np.repeat(grey[..., None], 3, axis=-1)
    for name, value in VALUES.items():
        mask, share = labels == value, 0.15 if name == "tissue" else 0.45
        colour[mask] = (1 - share) * colour[mask] + share * np.array(COLOURS[name])
    return colour.astype(np.uint8)


def compared(data: Path) -> None:
    """Against labels made by a network: agreement, not truth."""
    folder = data / "gi/totalseg_ct_3mm"
    if folder.exists():
        found = ClassicalCT().compute(read(folder / "example_ct_sm.nii.gz")).mask("bones")
        theirs = np.isin(read_nifti(folder / "example_seg.nii.gz")[0], BONES)
        both = float((found & theirs).sum())
        dice = 2 * both / float(found.sum() + theirs.sum())
        shares = f"{both / theirs.sum():.2f} of theirs, {both / found.sum():.2f} of ours"
        print(f"bones, upper abdomen: Dice {dice:.2f}; shared: {shares}")
    folder = data / "msk/totalseg_spine_ct"
    if folder.exists():
        found = ClassicalCT().compute(read(folder / "example_ct.nii.gz")).mask("bones")
        theirs = read_nifti(folder / "totalseg.nii.gz")[0] > 0
        print(f"vertebrae, abdomen: {float(found[theirs].mean()):.2f} of theirs is bone here")


def main() -> None:
    data = Path(sys.argv[1])
    looks = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    print(f"| Image | {' | '.join(SHOWN)} | Wall, CPU |\n|--|{'--|' * (len(SHOWN) + 1)}")
    for name, shows, path in here(data):
        volume = read(path)
        wall, cpu = time.perf_counter(), time.process_time()
        anatomy = ClassicalCT().compute(volume)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        cells = [f"{anatomy.quality[f'{n}_cm3']:.0f}" for n in SHOWN]
        print(f"| {name}: {shows} | {' | '.join(cells)} | {wall:.1f}, {cpu:.1f} s |")
        if looks:
            looks.mkdir(parents=True, exist_ok=True)
            overlay(volume, anatomy, looks / (name.replace("/", "-") + ".png"))
    compared(data)


if __name__ == "__main__":
    main()
