"""What the asking package makes of what it is given."""

from __future__ import annotations

from collections.abc import Iterator

from ennead import codes
from ennead.contracts import RunContext
from ennead.findings import Finding, Mask, Measurement, Result
from ennead.geometry import Grid

_BODY = codes.sct("123037004", "Body structure")


def volume_cm3(mask: Mask, grid: Grid) -> float:
    """Voxels times their volume, in cm3."""
    return float(mask.sum()) * grid.voxel_volume_mm3 / 1000.0


def change_percent(now: float, before: float) -> float:
    """How much larger ``now`` is than ``before``, in percent of ``before``."""
    return 100.0 * (now / before - 1.0)


class AskingPipeline:
    """Body volume from the anatomy, change since the newest prior, weight from the facts."""

    def run(self, context: RunContext) -> Iterator[Result]:
        """Reads ``ct``; carries the newest prior's tracking UID on."""
        context.progress(0.5, "progress.looking")
        volume = context.volumes["ct"]
        size = volume_cm3(context.anatomy["ct"].mask("body"), volume.grid)
        measured = [Measurement("body_volume", codes.VOLUME, size, codes.CUBIC_CENTIMETRE)]
        before = context.priors[0] if context.priors else None
        if before is not None:
            change = change_percent(size, before.measurements["body_volume"].value)
            measured.append(Measurement("change", codes.VOLUME, change, codes.PERCENT))
        for fact in context.clinical:
            if fact.name == "weight":
                weight = codes.sct("27113001", "Body weight")
                unit = codes.ucum(fact.unit, "kilogram")
                measured.append(Measurement("weight", weight, float(fact.value), unit))
        yield Finding(
            id="body",
            label="Body",
            finding=_BODY,
            category=codes.ANATOMICAL_STRUCTURE,
            series_uid=volume.series_uid,
            measurements=tuple(measured),
            tracking_uid=before.tracking_uid if before else None,
        )
