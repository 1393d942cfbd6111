"""The lung package: what is measured, what is refused, and in which order it is decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ennead import codes
from ennead.contracts import RunContext, Volume
from ennead.findings import Finding, Measurement, Refusal, RefusalCode, Result, Segment
from ennead_lung.chest import SIDES, Chest, read_chest
from ennead_lung.coverage import GLIMPSE_MM, Coverage, coverage
from ennead_lung.laa import laa910, laa950
from ennead_lung.perc15 import density_g_l, perc15
from ennead_lung.phase import contrast_phase
from ennead_lung.technique import manifest, technique_refusals
from ennead_lung.volume import left_right_ratio, volume_cm3

DENSITOMETRY = ("laa950", "laa910", "perc15", "perc15_density")

_LUNG = codes.sct("39607008", "Lung")
_SUMMED = codes.dcm("126030", "Sum of segmented voxel volumes")
_PARTIAL = codes.private("partial-coverage")
_LATERALITY = {"right": codes.RIGHT, "left": codes.LEFT}
_LABEL = {"right": "Right lung", "left": "Left lung"}
_COLOUR = {"right": (0, 145, 200), "left": (240, 150, 40)}


@dataclass
class _Run:
    """Refusals of one run; an output is given or refused, never both and never neither.

    ``declined`` outputs were refused before the run, and are not refused again for that reason.
    """

    volume: Volume
    declined: Collection[str] = ()
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(
        self, code: RefusalCode, outputs: Iterable[str], text_key: str, **values: str | int | float
    ) -> None:
        for output in outputs:
            refusal = Refusal(code, output, text_key, values, self.volume.series_uid)
            self.refusals.append(refusal)

    def refused(self, output: str) -> bool:
        return output in self.declined or any(r.subject == output for r in self.refusals)


class LungPipeline:
    """Lung masks, volumes and densitometry of one chest CT.

    Reads
        Input ``chest``: a CT volume in HU, any orientation, with the shared anatomy's lungs.
    Writes
        Segments ``right_lung_mask``, ``left_lung_mask``; findings ``right_lung``, ``left_lung``,
        ``both_lungs`` with their measurements.
    Refuses
        NOT_FOUND, COVERAGE, PHASE, TECHNIQUE; see the README.
    """

    def run(self, context: RunContext) -> Iterable[Result]:
        """Measure; every declared measurement is returned or refused."""
        volume = context.volumes["chest"]
        context.progress(0.05, "progress.mask")
        lungs = read_chest(volume, context.anatomy["chest"])
        context.progress(0.3, "progress.coverage")
        seen = coverage(lungs)
        declined = _not_a_chest(volume, lungs, seen)
        if declined:
            return declined
        run = _Run(volume, context.declined)
        _decide_sides(run, lungs, seen)
        context.progress(0.4, "progress.phase")
        _decide_density(run, lungs)
        context.progress(0.6, "progress.measure")
        results: list[Result] = [*_segments(volume, lungs), *_findings(run, lungs, seen)]
        return [*results, *run.refusals]


def _not_a_chest(volume: Volume, lungs: Chest, seen: Coverage) -> list[Result]:
    """A refusal of the whole package where the image holds no (or hardly any) lung."""
    if not lungs.both.any():
        return [Refusal(RefusalCode.NOT_FOUND, "", "refusal.not_found", {}, volume.series_uid)]
    if seen.glimpse:
        values = {"height_mm": round(seen.height_mm), "rule_min": round(GLIMPSE_MM)}
        return [Refusal(RefusalCode.COVERAGE, "", "refusal.glimpse", values, volume.series_uid)]
    one_sided = not (lungs.right.any() and lungs.left.any())
    if one_sided and lungs.spine is None:
        return [Refusal(RefusalCode.NOT_FOUND, "", "refusal.side_unknown", {}, volume.series_uid)]
    return []


def _decide_sides(run: _Run, lungs: Chest, seen: Coverage) -> None:
    for side in SIDES:
        volume, mask = f"volume_{side}", f"{side}_lung_mask"
        if not lungs.side(side).any():
            code = RefusalCode.COVERAGE if seen.cut else RefusalCode.NOT_FOUND
            key = "refusal.coverage.side" if seen.cut else "refusal.side_not_found"
            run.refuse(code, (mask, volume), key)
        elif seen.side_cut(side):
            run.refuse(RefusalCode.COVERAGE, (volume,), "refusal.coverage.cut")
    if run.refused("volume_right") or run.refused("volume_left"):
        run.refuse(RefusalCode.COVERAGE, ("volume_total", "lr_ratio"), "refusal.coverage.other")


def _decide_density(run: _Run, lungs: Chest) -> None:
    phase = contrast_phase(run.volume.attributes, lungs.blood_hu())
    if phase.code is not None:
        run.refuse(phase.code, DENSITOMETRY, phase.text_key, **phase.values)
    technique = technique_refusals(run.volume)
    run.refusals += [r for r in technique if r.subject not in run.declined]


def _segments(volume: Volume, lungs: Chest) -> Iterator[Segment]:
    for side in SIDES:
        if lungs.side(side).any():
            yield Segment(
                id=f"{side}_lung_mask",
                label=_LABEL[side],
                mask=lungs.side(side),
                grid=volume.grid,
                series_uid=volume.series_uid,
                category=codes.ANATOMICAL_STRUCTURE,
                type=_LUNG,
                laterality=_LATERALITY[side],
                colour_rgb=_COLOUR[side],
            )


def _findings(run: _Run, lungs: Chest, seen: Coverage) -> Iterator[Finding]:
    present = [side for side in SIDES if lungs.side(side).any()]
    for side in present:
        yield _finding(run, lungs, seen, f"{side}_lung", (side,))
    if not all(run.refused(o) for o in ("volume_total", "lr_ratio", *DENSITOMETRY)):
        yield _finding(run, lungs, seen, "both_lungs", present)


def _finding(
    run: _Run, lungs: Chest, seen: Coverage, finding_id: str, sides: Sequence[str]
) -> Finding:
    one = sides[0] if finding_id != "both_lungs" else ""
    partial = seen.side_cut(one) if one else seen.cut or len(sides) < len(SIDES)
    return Finding(
        id=finding_id,
        label=_LABEL[one] if one else "Both lungs",
        finding=_LUNG,
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid=run.volume.series_uid,
        site=_LUNG,
        laterality=_LATERALITY[one] if one else codes.BILATERAL,
        measurements=tuple(_side(run, lungs, one) if one else _both(run, lungs)),
        segment_ids=tuple(f"{side}_lung_mask" for side in sides),
        qualifiers=(_PARTIAL,) if partial else (),
    )


def _side(run: _Run, lungs: Chest, side: str) -> Iterator[Measurement]:
    if not run.refused(f"volume_{side}"):
        yield _measurement(f"volume_{side}", volume_cm3(lungs.side(side), lungs.grid))


def _both(run: _Run, lungs: Chest) -> Iterator[Measurement]:
    both, hu = lungs.both, run.volume.values
    if not run.refused("volume_total"):
        right, left = (volume_cm3(lungs.side(s), lungs.grid) for s in SIDES)
        yield _measurement("volume_total", right + left)
        yield _measurement("lr_ratio", left_right_ratio(left, right))
    wanted = [output for output in DENSITOMETRY if not run.refused(output)]
    if wanted:
        percentile = perc15(hu, both)
        values = (laa950(hu, both), laa910(hu, both), percentile, density_g_l(percentile))
        for output, value in zip(DENSITOMETRY, values, strict=True):
            if output in wanted:
                yield _measurement(output, value)


def _measurement(output: str, value: float) -> Measurement:
    rule = manifest().output_rule(output)
    if rule is None:
        raise KeyError(output)
    return Measurement(
        id=output,
        concept=rule.code.code,
        value=value,
        unit=_UNITS[rule.unit],
        method=_SUMMED if output.startswith("volume") else None,
        formula=rule.method,
    )


_UNITS = {
    unit.value: unit
    for unit in (
        codes.CUBIC_CENTIMETRE,
        codes.PERCENT,
        codes.HOUNSFIELD,
        codes.GRAM_PER_LITRE,
        codes.RATIO,
    )
}
