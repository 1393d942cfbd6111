"""Interactive functions: what ``[[function]]`` of the manifest calls when a reader asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ennead import codes
from ennead.findings import Finding, Mask, Measurement, Refusal, RefusalCode, Result, Segment
from ennead.identifiers import InstanceUID
from ennead.interaction import ROI, FunctionContext, Point
from ennead_example_body.measure import connected_region, mean_hu, sd_hu, volume_cm3

#: A region that fills more of the image than this has run out of what was meant.
LARGEST_SHARE: Final = 0.5

_BODY = codes.sct("123037004", "Body structure")
_ATTENUATION = codes.dcm("112031", "Attenuation Coefficient")
_MEAN = codes.sct("373098007", "Mean")
_SD = codes.sct("386136009", "Standard Deviation")


def region_hu(context: FunctionContext) -> Iterator[Result]:
    """Mean and standard deviation inside an ellipse or rectangle. Refuses an empty one."""
    roi = context.given("roi", ROI)
    mask = roi.mask(context.volume)
    if not mask.any():
        yield _refuse(context, "refusal.empty_region")
        return
    yield _finding(context, mask, (), roi.instance_uid)


def seeded_region(context: FunctionContext) -> Iterator[Result]:
    """The connected region around a seed, with its volume. Refuses one that does not end."""
    seed = context.given("seed", Point)
    tolerance_hu = context.given("tolerance", float)
    volume = context.volume
    mask = connected_region(volume.values, seed.index(volume), tolerance_hu)
    if not mask.any():
        yield _refuse(context, "refusal.empty_region")
        return
    share = float(mask.mean())
    if share > LARGEST_SHARE:
        percent = round(100 * share)
        yield _refuse(context, "refusal.region_leaks", percent=percent, tolerance=tolerance_hu)
        return
    yield Segment(
        id="region_mask",
        label="Chosen region",
        mask=mask,
        grid=volume.grid,
        series_uid=volume.series_uid,
        category=codes.ANATOMICAL_STRUCTURE,
        type=_BODY,
    )
    size = Measurement(
        id="region_volume",
        concept=codes.VOLUME,
        value=volume_cm3(mask, volume.grid),
        unit=codes.CUBIC_CENTIMETRE,
        method=codes.dcm("126030", "Sum of segmented voxel volumes"),
        formula="ennead_example_body.measure:volume_cm3",
    )
    yield _finding(context, mask, (size,), seed.instance_uid)


def _finding(
    context: FunctionContext, mask: Mask, more: tuple[Measurement, ...], image: InstanceUID
) -> Finding:
    hu = context.volume.values
    attenuation = tuple(
        Measurement(
            id=name,
            concept=_ATTENUATION,
            value=value,
            unit=codes.HOUNSFIELD,
            derivation=derivation,
            formula=f"ennead_example_body.measure:{formula}",
        )
        for name, value, derivation, formula in (
            ("region_mean", mean_hu(hu, mask), _MEAN, "mean_hu"),
            ("region_sd", sd_hu(hu, mask), _SD, "sd_hu"),
        )
    )
    return Finding(
        id="region",
        label="Chosen region",
        finding=_BODY,
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid=context.volume.series_uid,
        measurements=(*attenuation, *more),
        segment_ids=("region_mask",) if more else (),
        key_instance_uid=image,
    )


def _refuse(context: FunctionContext, text_key: str, **values: float) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "", text_key, dict(values), context.volume.series_uid)
