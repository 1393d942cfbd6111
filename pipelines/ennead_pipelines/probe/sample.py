"""A handful of slices of a series, small and in patient order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ennead.contracts import JSONAttributes, Volume
from ennead.geometry import Grid
from ennead_pipelines.probe.features import SliceFeatures
from ennead_pipelines.run.requests import LoadRequest

#: Slices looked at: the first, the last, and others at even distances.
SLICES: Final = 14
#: In-plane voxels are about this wide.
TARGET_MM: Final = 2.0


@dataclass(frozen=True)
class Sample:
    """Slices for probes.

    Parameters
    ----------
    values : float32[slice, y, x]
        Block means in the series' units. Rows run to the back and columns to the left; slices run
        to the head where ``axial`` says so, else along the stack.
    spacing_mm : (float, float, float)
        Median distance of the sampled slices, then of rows and columns.
    height_mm : float
        Of the whole series along the stack.
    axial : bool
        Slices are stacked along the body, within 30 degrees; other stacks are not understood.
    lowest, highest : float32[slice]
        Extremes of each slice before averaging.
    signatures : tuple of bytes
        Equal for slices with equal content.
    """

    values: npt.NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    height_mm: float
    axial: bool
    lowest: npt.NDArray[np.float32]
    highest: npt.NDArray[np.float32]
    signatures: tuple[bytes, ...]
    modality: str
    attributes: JSONAttributes

    @cached_property
    def slices(self) -> tuple[SliceFeatures, ...]:
        """What each slice shows, found once for all probes; for axial CT."""
        pixel_mm = (self.spacing_mm[1], self.spacing_mm[2])
        return tuple(SliceFeatures(plane, pixel_mm) for plane in self.values)


def chosen_slices(count: int, wanted: int = SLICES) -> list[int]:
    """Indices of at most ``wanted`` slices, first and last among them, at even distances."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, wanted))})


def read_sample(request: LoadRequest) -> Sample:
    """Decode the chosen slices of a series, and nothing else.

    Raises
    ------
    Undecodable, LimitExceeded, InputError
        From the decoder.
    """
    from ennead_pipelines.run.load import load

    chosen = chosen_slices(request.grid.shape[0])
    few = dataclasses.replace(
        request,
        grid=dataclasses.replace(request.grid, shape=(len(chosen), *request.grid.shape[1:])),
        instance_uids=tuple(request.instance_uids[k] for k in chosen),
        paths=tuple(request.paths[k] for k in chosen),
        rescale=tuple(request.rescale[k] for k in chosen),
    )
    values = load(few).volume.values
    return _sample(values, chosen, request.grid, request.modality, request.attributes)


def sample_of(volume: Volume) -> Sample:
    """The same of a volume that is decoded already: for scripts and tests."""
    chosen = chosen_slices(volume.grid.shape[0])
    values = volume.values[chosen]
    return _sample(values, chosen, volume.grid, volume.modality, volume.attributes)


def _sample(
    values: npt.NDArray[np.float32],
    chosen: list[int],
    grid: Grid,
    modality: str,
    attributes: Mapping[str, Any],
) -> Sample:
    gap = float(np.median(np.diff(chosen))) if len(chosen) > 1 else 1.0
    factors = [max(1, round(TARGET_MM / s)) for s in grid.spacing_mm[1:]]
    small = np.stack([_shrink(plane, *factors) for plane in values])
    order, flip = grid.canonical()
    axial = order[0] == 0 and abs(grid.axes[0][2]) > 0.87
    spacing = (
        gap * grid.spacing_mm[0],
        factors[0] * grid.spacing_mm[1],
        factors[1] * grid.spacing_mm[2],
    )
    lowest, highest = values.min(axis=(1, 2)), values.max(axis=(1, 2))
    signatures = [np.ascontiguousarray(plane).tobytes() for plane in small]
    if axial:
        small = np.flip(small.transpose(order), tuple(a for a in range(3) if flip[a]))
        spacing = (spacing[0], spacing[order[1]], spacing[order[2]])
        if flip[0]:
            lowest, highest = lowest[::-1], highest[::-1]
            signatures.reverse()
    return Sample(
        values=np.ascontiguousarray(small),
        spacing_mm=spacing,
        height_mm=grid.shape[0] * grid.spacing_mm[0],
        axial=axial,
        lowest=lowest,
        highest=highest,
        signatures=tuple(signatures),
        modality=modality,
        attributes=attributes,
    )


def _shrink(plane: npt.NDArray[np.float32], rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Mean of whole blocks; what is left over at the far edges is dropped."""
    height, width = plane.shape[0] // rows, plane.shape[1] // columns
    if height == 0 or width == 0:
        return plane
    blocks = plane[: height * rows, : width * columns].reshape(height, rows, width, columns)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))
