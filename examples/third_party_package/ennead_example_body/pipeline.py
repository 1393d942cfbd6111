"""What the platform runs: a class with ``run(context)``, named by the manifest."""

from __future__ import annotations

from collections.abc import Iterable

from ennead import codes
from ennead.contracts import RunContext
from ennead.findings import Finding, Measurement, Refusal, RefusalCode, Result, Segment
from ennead_example_body.measure import body_mask, mean_hu, volume_cm3

SMALLEST_CM3 = 100
_BODY = codes.sct("123037004", "Body structure")


class BodyPipeline:
    """Body volume and mean HU.

    Reads ``ct``; writes segment ``body_mask`` and finding ``body``; refuses NOT_FOUND.
    """

    def run(self, context: RunContext) -> Iterable[Result]:
        """A finding with its segment, or a refusal: never nothing."""
        volume = context.volumes["ct"]
        context.progress(0.1, "progress.mask")
        mask = body_mask(volume.values)
        size = volume_cm3(mask, volume.grid)
        if size < SMALLEST_CM3:
            values = {"rule_min": SMALLEST_CM3}
            return [
                Refusal(RefusalCode.NOT_FOUND, "", "refusal.no_body", values, volume.series_uid)
            ]
        segment = Segment(
            id="body_mask",
            label="Body",
            mask=mask,
            grid=volume.grid,
            series_uid=volume.series_uid,
            category=codes.ANATOMICAL_STRUCTURE,
            type=_BODY,
        )
        measurements = (
            Measurement(
                id="body_volume",
                concept=codes.VOLUME,
                value=size,
                unit=codes.CUBIC_CENTIMETRE,
                method=codes.dcm("126030", "Sum of segmented voxel volumes"),
                formula="ennead_example_body.measure:volume_cm3",
            ),
            Measurement(
                id="body_mean",
                concept=codes.dcm("112031", "Attenuation Coefficient"),
                value=mean_hu(volume.values, mask),
                unit=codes.HOUNSFIELD,
                derivation=codes.sct("373098007", "Mean"),
                formula="ennead_example_body.measure:mean_hu",
            ),
        )
        finding = Finding(
            id="body",
            label="Body",
            finding=_BODY,
            category=codes.ANATOMICAL_STRUCTURE,
            series_uid=volume.series_uid,
            measurements=measurements,
            segment_ids=("body_mask",),
        )
        return [segment, finding]
