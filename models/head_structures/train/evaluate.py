"""The shipped network on real heads never seen in training, beside the classical method.

``python -m head_structures.train.evaluate`` prints the numbers, writes ``results.json`` beside
``CARD.md`` and the pictures. The network runs as it does in the platform: same manifest, same
weights, same preprocessing. What each number is compared with is said where it is made; no real
head here comes with a drawn brain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ennead.geometry import Grid
from ennead_gpu.grids import NetworkSpace, labels_to_source, network_grid, to_network
from ennead_models.manifest import read_model
from ennead_models.predict import OpenedModel, predict
from ennead_models.runners.onnx import open_network
from head_structures.train.classical import SPACING_MM, brain_of_t1, inside_of_skull
from head_structures.train.fit import scoring_pairs
from head_structures.train.images import RealHead, read_real
from head_structures.train.structures import CHANNELS, STRUCTURES
from network_training.losses import dice_of_labels
from network_training.pictures import BLUE, GREEN, RED, YELLOW, draw, save_row

FOLDER: Final = Path(__file__).resolve().parents[1]
OUTER_FLUID: Final = 12
SYNTHETIC: Final = 8
_CLASSICAL_SPACE: Final = NetworkSpace("RAS", (SPACING_MM,) * 3)
_NETWORK_SPACE: Final = NetworkSpace("RAS", (2.0, 2.0, 2.0))
_CT_WINDOW: Final = (0.0, 80.0)

Labels = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]
Volume = npt.NDArray[np.float32]


def opened(threads: int = 2) -> OpenedModel:
    """The network as it ships."""
    manifest, digest = read_model(FOLDER)
    path = FOLDER / manifest.weights.file
    return open_network(manifest, digest, path, device="cpu", threads=threads, code_accepted=False)


def labels_of(network: OpenedModel, values: Volume, grid: Grid) -> tuple[Labels, Grid]:
    """The network's labels at 2 mm, axes to the right, front and top, and their grid."""
    image, at = to_network(values, grid, _NETWORK_SPACE)
    found = predict(network, image[0].numpy(), at).labels
    if found is None:
        raise TypeError("the network gave no labels")
    return found, at


def classical_brain(values: Volume, grid: Grid, method: Callable[[Volume], Mask]) -> Mask:
    """A classical method at its own spacing, its mask brought to the grid of :func:`labels_of`."""
    image, at = to_network(values, grid, _CLASSICAL_SPACE)
    mask = method(image[0].numpy()).astype(np.uint8)
    wanted = network_grid(grid, _NETWORK_SPACE)
    return np.asarray(labels_to_source(mask, at, wanted, smooth=True) > 0)


def volumes_ml(labels: Labels, grid: Grid) -> dict[str, float]:
    """Volume of each structure, and of the brain without and with the fluid around it."""
    counts = np.bincount(labels.ravel(), minlength=CHANNELS) * grid.voxel_volume_mm3 / 1000
    found = {s.name: round(float(counts[s.value]), 2) for s in STRUCTURES}
    inner = sum(float(counts[s.value]) for s in STRUCTURES if s.value != OUTER_FLUID)
    found["brain_with_ventricles"] = round(inner, 1)
    found["intracranial"] = round(inner + float(counts[OUTER_FLUID]), 1)
    return found


def overlap(one: Mask, two: Mask) -> float:
    """Dice of two masks."""
    size = int(one.sum()) + int(two.sum())
    return round(2 * int((one & two).sum()) / size, 4) if size else 1.0


def agreement(one: Labels, two: Labels) -> dict[str, float]:
    """Dice of each structure between two label maps on one grid."""
    first, second = torch.from_numpy(one.astype(np.int64)), torch.from_numpy(two.astype(np.int64))
    scores = dice_of_labels(first, second, CHANNELS - 1)
    return {s.name: round(score, 4) for s, score in zip(STRUCTURES, scores, strict=True)}


def brain(labels: Labels) -> Mask:
    """The brain with its ventricles, without the fluid around it."""
    return (labels > 0) & (labels != OUTER_FLUID)


def on_synthetic(network: OpenedModel) -> dict[str, float]:
    """Mean Dice on images made from the heads held back; the truth is exact."""
    scores = []
    for pair in scoring_pairs(SYNTHETIC):
        grid = Grid(
            (pair.image.shape[0], pair.image.shape[1], pair.image.shape[2]),
            (0.0, 0.0, 0.0),
            ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
            (2.0, 2.0, 2.0),
        )
        labels, _ = labels_of(network, pair.image.numpy(), grid)
        found = torch.from_numpy(labels.astype(np.int64))
        scores.append(dice_of_labels(found, pair.labels.long(), CHANNELS - 1))
    mean = torch.tensor(scores).nanmean(0).tolist()
    return {s.name: round(score, 4) for s, score in zip(STRUCTURES, mean, strict=True)}


def spoiled(values: Volume) -> dict[str, Volume]:
    """The same head as other scanners might give it; same grid, so results can be compared."""
    rng = np.random.default_rng(0)
    most = float(np.percentile(values, 99.5))
    scaled = np.clip(values / most, 0, 1)
    across = np.linspace(0.4, 1.6, values.shape[2], dtype=np.float32)
    thick = ndimage.uniform_filter1d(scaled, 6, axis=1)
    thick = np.repeat(thick[:, 3::6], 6, axis=1)[:, : values.shape[1]]
    thick = np.pad(thick, ((0, 0), (0, values.shape[1] - thick.shape[1]), (0, 0)), mode="edge")
    head = ndimage.gaussian_filter(scaled, 2) > 0.05
    noise = rng.normal(0, 0.05, values.shape).astype(np.float32)
    return {
        "thick_slices": thick,
        "uneven_field": scaled * across,
        "inverted": np.where(head, 1 - scaled, 0).astype(np.float32),
        "noise": np.abs(scaled + noise),
    }


def on_whole_t1(network: OpenedModel, head: RealHead) -> dict[str, Any]:
    """A whole head: both methods against each other, and each against itself when spoiled."""
    labels, grid = labels_of(network, head.values, head.grid)
    classical = classical_brain(head.values, head.grid, brain_of_t1)
    result: dict[str, Any] = {
        "volumes_ml": volumes_ml(labels, grid),
        "classical_ml": round(int(classical.sum()) * grid.voxel_volume_mm3 / 1000, 1),
        "network_to_classical": overlap(brain(labels), classical),
        "steady": {},
    }
    for name, values in spoiled(head.values).items():
        again, _ = labels_of(network, values, head.grid)
        result["steady"][name] = {
            "network": overlap(brain(again), brain(labels)),
            "classical": overlap(classical_brain(values, head.grid, brain_of_t1), classical),
        }
    return result


def on_stripped(network: OpenedModel, heads: list[RealHead]) -> dict[str, Any]:
    """Contrasts of one patient on one grid, skull taken off, and their agreement."""
    found = {head.name: labels_of(network, head.values, head.grid) for head in heads}
    result: dict[str, Any] = {}
    for head in heads:
        labels, grid = found[head.name]
        kept = to_network((head.values != 0).astype(np.float32), head.grid, _NETWORK_SPACE)[0][0]
        result[head.name] = {
            "volumes_ml": volumes_ml(labels, grid),
            "inside_to_kept": overlap(labels > 0, kept.numpy() >= 0.5),
        }
    names = list(found)
    for one, two in ((names[i], names[j]) for i in range(len(names)) for j in range(i)):
        result[f"{two} to {one}"] = agreement(found[two][0], found[one][0])
    return result


def on_ct(network: OpenedModel, head: RealHead) -> dict[str, Any]:
    """A CT cut to 0 to 80 HU: the inside of the skull against the bone's own inside."""
    labels, grid = labels_of(network, np.clip(head.values, *_CT_WINDOW), head.grid)
    classical = classical_brain(head.values, head.grid, inside_of_skull)
    return {
        "volumes_ml": volumes_ml(labels, grid),
        "inside_ml": round(int(classical.sum()) * grid.voxel_volume_mm3 / 1000, 1),
        "intracranial_to_inside": overlap(labels > 0, classical),
    }


def picture(
    network: OpenedModel, head: RealHead, path: Path, heights_mm: Sequence[float], classical: bool
) -> None:
    """Axial slices, at heights above the middle of what the network calls brain.

    Brain red, lateral ventricles blue, thalamus and basal ganglia green, brain by the classical
    method yellow; the patient's right is on the left.
    """
    image, _ = to_network(head.values, head.grid, _NETWORK_SPACE)
    labels, _ = labels_of(network, head.values, head.grid)
    values, labels = image[0].numpy()[::-1], labels[::-1]  # the patient's right is on the left
    masks = [(brain(labels), RED), (labels == 3, BLUE), (np.isin(labels, (4, 5)), GREEN)]
    if classical:
        masks.insert(0, (classical_brain(head.values, head.grid, brain_of_t1)[::-1], YELLOW))
    window = (0.0, float(np.percentile(values, 99)))
    levels = np.flatnonzero(brain(labels).any(axis=(0, 1)))
    middle = int(levels.mean())
    row = []
    for height in heights_mm:
        at = middle + round(height / 2)
        outlines = [(mask[:, :, at], colour) for mask, colour in masks]
        row.append(draw(values[:, :, at], window, [], f"{head.name}, {height:+.0f} mm", 3))
        row.append(draw(values[:, :, at], window, outlines, "outlines", 3))
    save_row(row, path)


def measure(network: OpenedModel) -> dict[str, Any]:
    """Every number of the card."""
    return {
        "synthetic_dice": on_synthetic(network),
        "t1_child": on_whole_t1(network, read_real("t1_child")),
        "ms19": on_stripped(network, [read_real("ms19_t1"), read_real("ms19_flair")]),
        "ms07": on_stripped(
            network, [read_real("ms07_t1"), read_real("ms07_t2"), read_real("ms07_flair")]
        ),
        "flair_stroke": on_stripped(network, [read_real("flair_stroke")]),
        "ct_cranium": on_ct(network, read_real("ct_cranium")),
    }


def main() -> None:
    """Measure, print, write."""
    network = opened()
    result = measure(network)
    text = json.dumps(result, indent=2)
    (FOLDER / "results.json").write_text(text + "\n")
    print(text)
    pictures = FOLDER / "pictures"
    picture(network, read_real("t1_child"), pictures / "t1_child.png", (10, 30), True)
    picture(network, read_real("ms19_flair"), pictures / "ms19_flair.png", (10, 25), False)


if __name__ == "__main__":
    main()
