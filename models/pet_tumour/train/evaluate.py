"""The shipped network and the classical method on the patients held back.

``python -m pet_tumour.train.evaluate`` prints the table, writes ``results.json`` beside
``CARD.md`` and the pictures. Truth is the outline that came with the images.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from network_training.pictures import GREEN, RED, YELLOW, draw, save_row
from network_training.randomness import generator
from network_training.running import FloatArray, onnx_network
from pet_tumour.train.classical import share_of_most
from pet_tumour.train.data import PetCase, read_cases, split
from pet_tumour.train.sampling import back_to_case, cube_at, cut_sides
from pet_tumour.train.seeds import clicks, hottest, near

FOLDER: Final = Path(__file__).resolve().parents[1]
WEIGHTS: Final = FOLDER / "weights" / "pet_tumour.onnx"
THRESHOLD: Final = 0.5
CLICKS: Final = 5

Network = Callable[[FloatArray], FloatArray]


def outline(network: Network, case: PetCase, seed: Tensor) -> Tensor:
    """The network's tumour around a seed.

    Parameters
    ----------
    network : callable
        SUV cube to logits.
    case : PetCase
    seed : int64[3]
        In voxels of the case.

    Returns
    -------
    bool[x, y, z]
        On the case's own grid; the part connected to the seed.
    """
    seed = seed.float()
    cube = cube_at(case, seed).suv.numpy()[None, None]
    probability = torch.from_numpy(network(cube)[0, 0]).sigmoid()
    return near(back_to_case(probability, case, seed) >= THRESHOLD, seed)


def dice(found: Tensor, truth: Tensor) -> float:
    """Dice of two masks."""
    size = int(found.sum() + truth.sum())
    return 2 * int((found & truth).sum()) / size if size else 1.0


def judge(network: Network, case: PetCase) -> dict[str, Any]:
    """Dice and volumes of both methods for one patient."""
    seed = hottest(case)
    found = outline(network, case, seed)
    classical = share_of_most(case, seed)
    most = float(case.suv[case.tumour].max())
    cropped = cut_sides(case, generator(11, int(case.name[-3:])), most_mm=40.0)
    around = clicks(case, CLICKS)
    by_network = [dice(outline(network, case, click), case.tumour) for click in around]
    by_share = [dice(share_of_most(case, click), case.tumour) for click in around]
    return {
        "patient": case.name,
        "suv_max": round(most, 2),
        "truth_ml": round(int(case.tumour.sum()) * case.voxel_ml, 1),
        "network_ml": round(int(found.sum()) * case.voxel_ml, 1),
        "classical_ml": round(int(classical.sum()) * case.voxel_ml, 1),
        "network": round(dice(found, case.tumour), 4),
        "classical": round(dice(classical, case.tumour), 4),
        "classical_known_maximum": round(dice(share_of_most(case, seed, most), case.tumour), 4),
        "network_clicks": round(mean(by_network), 4),
        "classical_clicks": round(mean(by_share), 4),
        "network_cropped": round(dice(outline(network, cropped, seed), case.tumour), 4),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Mean and median Dice of each column, and the interval of the mean difference."""
    columns = [key for key in rows[0] if key.startswith(("network", "classical"))]
    columns = [key for key in columns if not key.endswith("_ml")]
    found = {f"{key}_mean": round(mean(row[key] for row in rows), 4) for key in columns}
    found |= {f"{key}_median": round(median(row[key] for row in rows), 4) for key in columns}
    low, high = interval([row["network"] - row["classical"] for row in rows])
    return found | {"gain_low": round(low, 4), "gain_high": round(high, 4)}


def interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the mean by 2000 draws of patients with replacement; fixed seed."""
    rng = np.random.default_rng(0)
    draws = rng.choice(values, size=(2000, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def picture(network: Network, case: PetCase, path: Path) -> None:
    """Axial and coronal slice through the seed: truth green, network red, classical yellow."""
    seed = hottest(case)
    masks = [
        (case.tumour, GREEN),
        (share_of_most(case, seed), YELLOW),
        (outline(network, case, seed), RED),
    ]
    _, y, z = seed.tolist()
    window = (0.0, max(5.0, 0.7 * float(case.suv[case.tumour].max())))
    rows = []
    for name, at in (("axial", np.s_[:, :, z]), ("coronal", np.s_[:, y, :])):
        values = case.suv.numpy()[at]
        outlines = [(mask.numpy()[at], colour) for mask, colour in masks]
        rows.append(draw(values, window, [], f"{case.name} {name}", zoom=6))
        rows.append(draw(values, window, outlines, "true, network, 41 %", zoom=6))
    save_row(rows, path)


def main() -> None:
    """Judge, print, write."""
    network = onnx_network(WEIGHTS)
    cases = read_cases(split()["held_back"])
    rows = [judge(network, case) for case in cases]
    means = summary(rows)
    result = {"patients": rows, "summary": means}
    (FOLDER / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    for row in rows:
        print(" ".join(f"{key}={value}" for key, value in row.items()))
    for key, value in means.items():
        print(f"{key:36} {value}")
    order = sorted(range(len(rows)), key=lambda index: float(rows[index]["network"]))
    picture(network, cases[order[-1]], FOLDER / "pictures" / "success.png")
    picture(network, cases[order[0]], FOLDER / "pictures" / "failure.png")


if __name__ == "__main__":
    main()
