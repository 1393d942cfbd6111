"""The sample package's interactive functions, and every way that one can go wrong on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from ennead import codes
from ennead.codes import dcm, sct
from ennead.findings import Finding, Mask, Measurement, Refusal, RefusalCode, Result, Segment
from ennead.identifiers import TrackingUID
from ennead.interaction import ROI, Contour, FunctionContext, Line, MaskEdit, Point
from ennead.testing.sample.pipeline import mean_hu, volume_cm3

_LUNG = sct("39607008", "Lung")


def grow(context: FunctionContext) -> Iterator[Result]:
    """The bright region around a seed. Refuses a seed that is not bright."""
    _misbehave(context.given("how", str))
    seed = context.given("seed", Point)
    limit = context.given("limit_hu", float)
    labels, _ = ndimage.label(context.volume.values > limit)
    label = labels[seed.index(context.volume)]
    if label == 0:
        yield Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"limit_hu": limit})
        return
    yield from _region(context, labels == label)


def edit(context: FunctionContext) -> Iterator[Result]:
    """The bright region as a reader left it; the same finding, edited."""
    changed = context.given("mask", MaskEdit)
    if not changed.mask.any():
        yield Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"limit_hu": 0.0})
        return
    yield from _region(context, changed.mask, changed.tracking_uid)


def inspect(context: FunctionContext) -> Iterator[Result]:
    """Mean attenuation of what an ellipse and a contour hold, with places and a line besides."""
    points = context.points("points")
    line = context.given("line", Line)
    mask = context.given("roi", ROI).mask(context.volume)
    contour = context.optional("contour", Contour)
    if contour is not None:
        mask |= contour.mask(context.volume)
    mean = mean_hu(context.volume.values, mask) if mask.any() else 0.0
    yield Finding(
        id="inspected",
        label=f"{len(points)} points, {line.length_mm:.1f} mm",
        finding=_LUNG,
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid=context.volume.series_uid,
        key_instance_uid=line.instance_uid,
        measurements=(
            Measurement(
                "mean_hu", dcm("112031", "Attenuation Coefficient"), mean, codes.HOUNSFIELD
            ),
        ),
    )


def _region(
    context: FunctionContext, mask: Mask, tracking_uid: TrackingUID | None = None
) -> Iterator[Result]:
    volume = context.volume
    yield Segment(
        id="bright",
        label="Bright region",
        mask=np.asarray(mask),
        grid=volume.grid,
        series_uid=volume.series_uid,
        category=codes.ANATOMICAL_STRUCTURE,
        type=_LUNG,
    )
    yield Finding(
        id="bright-1",
        label="Bright region",
        finding=_LUNG,
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid=volume.series_uid,
        segment_ids=("bright",),
        tracking_uid=tracking_uid,
        measurements=(
            Measurement(
                "volume", codes.VOLUME, volume_cm3(mask, volume.grid), codes.CUBIC_CENTIMETRE
            ),
        ),
    )


def _misbehave(how: str) -> None:
    if how == "raise":
        raise RuntimeError("the function failed on purpose")
    if how == "crash":
        os._exit(3)
    if how == "slow":
        time.sleep(30.0)
