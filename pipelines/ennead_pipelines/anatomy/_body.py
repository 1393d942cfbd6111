"""Where the patient is: air outside, the midline, and which pockets of air may be lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.coarse import Coarse, Image, ball_dilate, ball_erode, box_close, enlarge
from ennead.findings import Mask

#: Air for the purpose of finding lungs (specialties page, section 1).
AIR_HU = -500.0
#: A border pocket whose mean is at or below is outside air; a lung cut by the edge is denser.
OUTSIDE_MEAN_HU = -940.0
#: Pockets whose inner median is at or below are gas, not lung.
GAS_MEDIAN_HU = -955.0
#: Smallest pocket that may be (part of) a lung.
POCKET_CM3 = 15.0
#: Tissue thinner than twice this (table shells, blankets) is not body.
THIN_MM = 6.0
#: Skin and fat lie above.
TISSUE_HU = -300.0
#: A core of body is at least this large, and this share of the largest (arms, the other leg).
CORE_CM3 = 30.0
CORE_SHARE = 0.02
#: Medians of a body's core; a table's foam lies below, metal above.
CORE_HU = (-200.0, 1000.0)
#: At least this share of a lung's surface lies against the body.
IN_BODY_SHARE = 0.55
#: Bone for finding the spine.
SPINE_BONE_HU = 180.0

_IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
_IN_PLANE[1, 1, :] = _IN_PLANE[1, :, 1] = True


@dataclass(frozen=True, slots=True)
class Midline:
    """The spine's place in the coarse image: fractional column and row."""

    column: float
    row: float


def inner_air(coarse: Coarse) -> Mask:
    """bool[z, y, x]: air that is not the room's.

    Slice by slice, air joined to the edge of the image (or to padding) is outside when its mean is
    that of air; a lung cut by the edge is denser and stays.
    """
    air = (coarse.hu <= AIR_HU) & ~coarse.padding
    edge = np.zeros(air.shape, dtype=bool)
    edge[:, [0, -1], :] = edge[:, :, [0, -1]] = True
    edge |= ndimage.binary_dilation(coarse.padding, _IN_PLANE)
    pockets, count = ndimage.label(air, _IN_PLANE)
    index = np.arange(count + 1)
    total = np.maximum(np.bincount(pockets.ravel(), minlength=count + 1), 1)
    mean = np.bincount(pockets.ravel(), weights=coarse.hu.ravel(), minlength=count + 1) / total
    at_edge = np.bincount(pockets[edge], minlength=count + 1) > 0
    outside = at_edge & (mean <= OUTSIDE_MEAN_HU) & (index > 0)
    return np.asarray(air & ~outside[pockets])


def midline(coarse: Coarse) -> Midline | None:
    """The column of bone that runs through the slices; None when no bone stands out.

    Bone is summed along z and smoothed over the width of a vertebra, so that ribs (which leave a
    place after a few slices) do not count.
    """
    bone = (coarse.hu >= SPINE_BONE_HU).mean(axis=0, dtype=np.float64)
    _, dy, dx = coarse.grid.spacing_mm
    width = (30.0 / dy, 30.0 / dx)
    smooth = ndimage.uniform_filter(bone, [max(1, round(w)) for w in width], mode="constant")
    row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    if smooth[row, column] < 0.1:
        return None
    return Midline(column=float(column), row=float(row))


def middle_of_tissue(coarse: Coarse) -> float:
    """Mean column of tissue: the midline where no spine is seen."""
    columns = (coarse.hu > AIR_HU).sum(axis=(0, 1))
    if not columns.any():
        return (coarse.hu.shape[2] - 1) / 2
    return float(np.average(np.arange(columns.size), weights=columns))


def body(coarse: Coarse) -> Mask:
    """bool[z, y, x]: the patient's tissue, without table, blankets, air and cavities.

    Tissue is eroded until table shells vanish; what is left and looks like tissue grows back to
    the skin. Thin parts (ears, the tip of the nose) are lost with the shells.
    """
    step = tuple(max(1, round(4.0 / s)) for s in coarse.grid.spacing_mm)
    hu = coarse.hu[:: step[0], :: step[1], :: step[2]]
    sparse = tuple(s * f for s, f in zip(coarse.grid.spacing_mm, step, strict=True))
    spacing = (sparse[0], sparse[1], sparse[2])
    cores, count = ndimage.label(ball_erode(np.asarray(hu > TISSUE_HU), THIN_MM, spacing))
    if count == 0:
        return np.zeros(coarse.hu.shape, dtype=bool)
    sizes = np.bincount(cores.ravel())[1:] * float(np.prod(spacing)) / 1000
    medians = np.asarray(ndimage.median(hu, cores, np.arange(1, count + 1)))
    least = min(float(sizes.max()), max(CORE_CM3, CORE_SHARE * float(sizes.max())))
    keep = (sizes >= least) & (medians > CORE_HU[0]) & (medians < CORE_HU[1])
    grown = ball_dilate(np.concatenate([[False], keep])[cores], 1.5 * THIN_MM, spacing)
    near = enlarge(grown, (step[0], step[1], step[2]), coarse.hu.shape)
    return np.asarray(near & (coarse.hu > TISSUE_HU))


def with_cavities(tissue: Mask, *cavities: Mask) -> Mask:
    """bool[z, y, x]: ``tissue``, the ``cavities``, and what both enclose slice by slice.

    A cavity that is open to the room within its slice (a mouth, a nostril) stays outside.
    """
    whole = tissue.copy()
    for cavity in cavities:
        whole |= cavity
    return np.stack([ndimage.binary_fill_holes(plane) for plane in whole])


def pockets_like_lung(coarse: Coarse, air: Mask, patient: Mask) -> Mask:
    """Keep the connected pockets of ``air`` whose size, density and surroundings are lung's.

    Parameters
    ----------
    patient : bool[z, y, x]
        :func:`body` of the image.
    """
    labels, count = ndimage.label(air)
    voxel_cm3 = coarse.grid.voxel_volume_mm3 / 1000
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * voxel_cm3
    keep = np.zeros(count + 1, dtype=bool)
    boxes = ndimage.find_objects(labels)
    for label in np.flatnonzero(sizes >= POCKET_CM3):
        if label > 0:
            box = tuple(slice(max(0, b.start - 3), b.stop + 3) for b in boxes[label - 1])
            pocket = labels[box] == label
            keep[label] = _dense_as_lung(coarse.hu[box], pocket) and _in_body(
                pocket, air[box], patient[box], coarse.grid.spacing_mm
            )
    return np.asarray(keep[labels])


def _dense_as_lung(hu: Image, pocket: Mask) -> bool:
    core = ndimage.binary_erosion(pocket, border_value=1)
    median = float(np.median(hu[core if core.any() else pocket]))
    return GAS_MEDIAN_HU < median <= AIR_HU


def _in_body(
    pocket: Mask, air: Mask, patient: Mask, spacing_mm: tuple[float, float, float]
) -> bool:
    """Whether the outer surface lies against the body; vessels inside do not count."""
    whole = box_close(pocket, THIN_MM, spacing_mm)
    shell = ndimage.binary_dilation(whole, iterations=2) & ~whole & ~air
    return bool(shell.any()) and float(patient[shell].mean()) >= IN_BODY_SHARE


def volume_cm3(mask: npt.NDArray[np.bool_], coarse: Coarse) -> float:
    """Volume of a mask on the coarse grid."""
    return float(np.count_nonzero(mask)) * coarse.grid.voxel_volume_mm3 / 1000
