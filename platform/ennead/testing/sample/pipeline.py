"""The sample package's work, and every way it can go wrong on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np

from ennead import codes
from ennead.codes import dcm, sct
from ennead.contracts import RunContext
from ennead.findings import (
    Finding,
    HUVolume,
    Mask,
    Measurement,
    Refusal,
    RefusalCode,
    Result,
    Segment,
)
from ennead.geometry import Grid
from ennead.headers import text

SERIES_DESCRIPTION = "0008103E"


def volume_cm3(mask: Mask, grid: Grid) -> float:
    """Voxels times their volume, in cm3."""
    return float(mask.sum()) * grid.voxel_volume_mm3 / 1000.0


def mean_hu(hu: HUVolume, mask: Mask) -> float:
    """Mean attenuation inside the mask, in HU."""
    return float(hu[mask].mean(dtype=np.float64))


class SamplePipeline:
    """Bright voxels as one segment with its volume and mean attenuation."""

    def run(self, context: RunContext) -> Iterator[Result]:
        """Reads ``ct``. Refuses when nothing is bright."""
        volume = context.volumes["ct"]
        context.progress(0.5, "progress.looking")
        how = text(volume.attributes, SERIES_DESCRIPTION)
        _misbehave(how)
        limit = context.thresholds["bright_hu"]
        mask = volume.values > limit
        if how == "decline" or not mask.any():
            yield Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"limit_hu": limit})
            return
        name = "elsewhere" if how == "undeclared" else "bright"
        yield Segment(
            id=name,
            label="Bright region",
            mask=mask,
            grid=volume.grid,
            series_uid=volume.series_uid,
            category=codes.ANATOMICAL_STRUCTURE,
            type=sct("39607008", "Lung"),
        )
        change = time.time() % 1.0 if how == "random" else 0.0
        yield Finding(
            id="bright-1",
            label="Bright region",
            finding=sct("39607008", "Lung"),
            category=codes.ANATOMICAL_STRUCTURE,
            series_uid=volume.series_uid,
            segment_ids=(name,),
            measurements=(
                Measurement(
                    "volume",
                    codes.VOLUME,
                    volume_cm3(mask, volume.grid) + change,
                    codes.CUBIC_CENTIMETRE,
                ),
                Measurement(
                    "mean_hu",
                    dcm("112031", "Attenuation Coefficient"),
                    mean_hu(volume.values, mask),
                    codes.HOUNSFIELD,
                ),
            ),
            urgent=how == "urgent",
        )


def _misbehave(how: str) -> None:
    if how == "raise":
        raise RuntimeError("the package failed on purpose")
    if how == "crash":
        os._exit(3)
    if how == "hungry":
        kept: list[object] = []
        while len(kept) < 100:
            kept.append(np.ones(2**22))  # 32 MiB
            time.sleep(0.01)
    if how.startswith("slow"):
        time.sleep(float(how.removeprefix("slow") or 30.0))
