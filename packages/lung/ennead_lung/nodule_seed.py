"""``nodule_seed`` and ``nodule_edit``: a nodule from a place, or from a mask that a reader edited.

Reads the series the reader looks at. Writes the segment ``nodule_mask`` and the finding ``nodule``
with long and short axis, mean diameter and volume. Refuses TECHNIQUE (slices too thick), NOT_FOUND
(seed in air, outside the lung, a region that does not end, too few voxels) and COVERAGE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ennead import codes, headers
from ennead.contracts import Volume
from ennead.findings import (
    Finding,
    Mask,
    Measurement,
    Refusal,
    RefusalCode,
    Result,
    Segment,
)
from ennead.identifiers import TrackingUID
from ennead.interaction import FunctionContext, MaskEdit, Point
from ennead_lung.nodule_axes import NoduleAxes, nodule_axes
from ennead_lung.nodule_mean_diameter import nodule_mean_diameter
from ennead_lung.nodule_region import FEWEST_VOXELS, NoRegion, nodule_region
from ennead_lung.nodule_volume import nodule_volume_mm3
from ennead_lung.technique import manifest

#: Thicker slices make volumetry unreliable (specialties page, section 1).
THICKEST_MM: Final = 2.5

_SLICE_THICKNESS = "00180050"
_NODULE = codes.sct("27925004", "Nodule")
_LESION = codes.sct("49755003", "Morphologically Abnormal Structure")
_LUNG = codes.sct("39607008", "Lung")
_MEAN = codes.sct("373098007", "Mean")
_SUMMED = codes.dcm("126030", "Sum of segmented voxel volumes")
_COLOUR = (230, 70, 110)


def nodule_seed(context: FunctionContext) -> Iterator[Result]:
    """Segment and measure the nodule around a seed."""
    volume = context.volume
    thick = _too_thick(volume)
    if thick is not None:
        yield thick
        return
    seed = context.given("seed", Point)
    found = nodule_region(volume.values, volume.grid, seed.index(volume))
    if isinstance(found, NoRegion):
        code = RefusalCode.COVERAGE if found.key == "cut" else RefusalCode.NOT_FOUND
        key = f"refusal.nodule.{found.key}"
        yield Refusal(code, "", key, found.values, volume.series_uid)
        return
    yield from _measured(volume, found.mask, None)


def nodule_edit(context: FunctionContext) -> Iterator[Result]:
    """Measure the nodule again after a reader has edited its mask; it stays the same finding."""
    volume = context.volume
    thick = _too_thick(volume)
    if thick is not None:
        yield thick
        return
    edit = context.given("mask", MaskEdit)
    if int(edit.mask.sum()) < FEWEST_VOXELS:
        values = {"rule_min": FEWEST_VOXELS}
        key = "refusal.nodule.small"
        yield Refusal(RefusalCode.NOT_FOUND, "", key, values, volume.series_uid)
        return
    yield from _measured(volume, edit.mask, edit.tracking_uid or None)


def _too_thick(volume: Volume) -> Refusal | None:
    thickness = headers.number(volume.attributes, _SLICE_THICKNESS) or 0.0
    found = max(thickness, volume.grid.spacing_mm[0])
    if found <= THICKEST_MM + 1e-6:
        return None
    values = {"found": round(found, 2), "rule_max": THICKEST_MM}
    key = "refusal.nodule.thickness"
    return Refusal(RefusalCode.TECHNIQUE, "", key, values, volume.series_uid)


def _measured(volume: Volume, mask: Mask, tracking_uid: TrackingUID | None) -> Iterator[Result]:
    axes = nodule_axes(mask, volume.grid)
    yield Segment(
        id="nodule_mask",
        label="Lung nodule",
        mask=mask,
        grid=volume.grid,
        series_uid=volume.series_uid,
        category=_LESION,
        type=_NODULE,
        colour_rgb=_COLOUR,
    )
    yield Finding(
        id="nodule",
        label="Lung nodule",
        finding=_NODULE,
        category=_LESION,
        series_uid=volume.series_uid,
        site=_LUNG,
        measurements=tuple(_measurements(volume, mask, axes)),
        segment_ids=("nodule_mask",),
        key_instance_uid=volume.instance_uids[axes.slice_index],
        tracking_uid=tracking_uid,
    )


def _measurements(volume: Volume, mask: Mask, axes: NoduleAxes) -> Iterator[Measurement]:
    mean = nodule_mean_diameter(axes.long_mm, axes.short_mm)
    yield _measurement("nodule_long_axis", axes.long_mm)
    yield _measurement("nodule_short_axis", axes.short_mm)
    yield _measurement("nodule_mean_diameter", mean)
    yield _measurement("nodule_volume", nodule_volume_mm3(mask, volume.grid))


def _measurement(output: str, value: float) -> Measurement:
    rule = manifest().output_rule(output)
    if rule is None:
        raise KeyError(output)
    volume = output == "nodule_volume"
    return Measurement(
        id=output,
        concept=rule.code.code,
        value=value,
        unit=codes.CUBIC_MILLIMETRE if volume else codes.MILLIMETRE,
        method=_SUMMED if volume else None,
        derivation=_MEAN if output == "nodule_mean_diameter" else None,
        formula=rule.method,
    )
