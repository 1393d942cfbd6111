"""Anatomy of several providers as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ennead.contracts import Anatomy
from ennead.errors import ContractError

#: Distinct combinations of labels that one map can hold.
MOST_LABELS = 65_535


def merge(parts: Sequence[tuple[Anatomy, Sequence[str]]]) -> Anatomy:
    """One label map in which each structure is that of the provider it was asked from.

    Parameters
    ----------
    parts : sequence of (Anatomy, names)
        On one grid; the names are disjoint. A single part comes back as it is.

    Returns
    -------
    Anatomy
        Structures may overlap: a value stands for one combination of the parts' values.

    Raises
    ------
    ContractError
        The parts lie on different grids or have too many combinations.
    """
    if len(parts) == 1:
        return parts[0][0]
    shapes = {part.labels.shape for part, _ in parts}
    if len(shapes) != 1:
        raise ContractError(f"Anatomy to be merged lies on grids of {sorted(shapes)}; give one.")
    sizes = [int(part.labels.max()) + 1 for part, _ in parts]
    if int(np.prod(sizes)) > MOST_LABELS + 1:
        raise ContractError(
            f"Anatomy of {len(parts)} providers has {int(np.prod(sizes))} combinations of labels; "
            f"at most {MOST_LABELS} can be held. Ask for fewer structures."
        )
    labels = np.zeros(parts[0][0].labels.shape, dtype=np.uint16)
    for (part, _), size in zip(parts, sizes, strict=True):
        labels *= np.uint16(size)
        labels += part.labels
    codes = np.arange(int(np.prod(sizes)))
    structures: dict[str, tuple[int, ...]] = {}
    quality: dict[str, float] = {}
    landmarks: dict[str, tuple[float, float, float]] = {}
    step = 1
    for (part, names), size in zip(reversed(parts), reversed(sizes), strict=True):
        own = codes // step % size
        for name in names:
            structures[name] = tuple(int(c) for c in codes[np.isin(own, part.structures[name])])
        quality |= {f"{part.provider}.{name}": value for name, value in part.quality.items()}
        landmarks |= dict(part.landmarks_mm)
        step *= size
    return Anatomy(
        labels=labels,
        structures=structures,
        provider=" + ".join(part.provider for part, _ in parts),
        version=" + ".join(part.version for part, _ in parts),
        quality=quality,
        landmarks_mm=landmarks,
    )
