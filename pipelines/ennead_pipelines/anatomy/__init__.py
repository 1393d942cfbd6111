"""Where the organs are: found once per series, shared by every package that asks.

Importing this loads nothing heavy; the classical provider is loaded when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from ennead.contracts import Anatomy, JSONAttributes, Volume
from ennead.errors import NotFound
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead_pipelines.anatomy.providers import DEFAULT, assign, provider_named, providers

__all__ = ["DEFAULT", "assign", "find", "header_only", "provider_named", "providers"]


def find(volume: Volume, wanted: Sequence[str], preference: Sequence[str] = DEFAULT) -> Anatomy:
    """The wanted structures of a volume, here and now: for checks, tests and scripts.

    Raises
    ------
    NotFound
        Nobody here looks for one of them in such a volume.
    """
    from ennead_pipelines.anatomy.merge import merge

    assigned = assign(wanted, volume, preference)
    missing = [name for name in wanted if name not in assigned]
    if missing:
        raise NotFound(f"Nobody here finds {', '.join(missing)} in {volume.modality} images.")
    parts = [
        (provider.compute(volume), [s for s, (n, _) in assigned.items() if n == name])
        for name, provider in {n: (n, p) for n, p in assigned.values()}.values()
    ]
    return merge(parts)


def header_only(
    grid: Grid,
    modality: str,
    study_uid: StudyUID,
    series_uid: SeriesUID,
    attributes: JSONAttributes,
) -> Volume:
    """A volume whose voxels are not there yet (all zero, and without memory), for ``fits``."""
    import numpy as np

    values = np.broadcast_to(np.float32(0), grid.shape)
    return Volume(values, grid, study_uid, series_uid, modality, (), attributes)
