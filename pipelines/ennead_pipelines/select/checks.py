"""The platform's own rules on a series: modality, body part, originality, intensities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead.findings import RefusalCode
from ennead.plugins import InputRule
from ennead_pipelines.select.candidates import Candidate
from ennead_pipelines.select.reasons import Reason

IMAGE_TYPE, BURNED_IN = "00080008", "00280301"
BODY_PART, LOSSY = "00180015", "00282110"
SLOPE, INTERCEPT, RESCALE_TYPE = "00281053", "00281052", "00281054"
SAMPLES, PHOTOMETRIC, FRAMES = "00280002", "00280004", "00280008"

#: Transfer syntaxes that may lose intensities (PS3.5 §8.2, §10): JPEG processes 1–12, JPEG-LS
#: near-lossless, JPEG 2000 and HTJ2K with loss, JPEG XL with loss, MPEG and HEVC.
LOSSY_SYNTAXES: Final = frozenset(
    f"1.2.840.10008.1.2.4.{n}"
    for n in (
        *(50, 51, 52, 53, 54, 55, 56, 59, 60, 61, 62, 63, 64, 81, 91, 93),
        *(100, 101, 102, 103, 104, 105, 106, 107, 108, 111, 112, 203),
    )
)

#: Images of one frame an instance, by modality, that a volume can be made of.
_ENHANCED: Final = {
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET",
}


def wrong_modality(rule: InputRule, candidate: Candidate) -> Reason | None:
    """The series is of another modality."""
    if candidate.record.modality in rule.modality:
        return None
    return Reason(
        RefusalCode.MODALITY,
        "refusal.modality",
        {"wanted": ", ".join(rule.modality), "found": candidate.record.modality or "?"},
    )


def multi_frame(candidate: Candidate) -> Reason | None:
    """The objects hold many frames each; this version measures classic images only."""
    for instance in candidate.instances:
        name = _ENHANCED.get(instance.sop_class_uid)
        if name or instance.frames > 1:
            return Reason(
                RefusalCode.MODALITY,
                "jobs.series.multi_frame",
                {"found": name or "multi-frame", "frames": instance.frames},
            )
    return None


def checks(rule: InputRule, candidate: Candidate) -> Iterator[Reason]:
    """Every platform rule that the series breaks, gravest first."""
    slices = candidate.headers
    yield from _body_part(rule, slices)
    if rule.quantitative:
        yield from _not_original(slices, ("LOCALIZER", "DERIVED", "SECONDARY"))
        yield from _lossy(candidate)
        yield from _intensities(candidate.record.modality, slices)
    elif rule.volumetric:
        yield from _not_original(slices, ("LOCALIZER",))


def few_slices(rule: InputRule, candidate: Candidate) -> Iterator[Reason]:
    """Fewer slices than the manifest's ``min_slices``."""
    found = len(candidate.headers)
    if found < rule.min_slices:
        values = {"rule_min": rule.min_slices, "found": found}
        yield Reason(RefusalCode.COVERAGE, "refusal.few_slices", values)


def _body_part(rule: InputRule, slices: Sequence[JSONAttributes]) -> Iterator[Reason]:
    found = {headers.text(s, BODY_PART).upper() for s in slices} - {""}
    if rule.body_part and found and not found & {part.upper() for part in rule.body_part}:
        yield Reason(
            RefusalCode.BODY_PART,
            "refusal.body_part",
            {"wanted": _some(rule.body_part), "found": ", ".join(sorted(found))},
        )


def _some(names: Sequence[str]) -> str:
    """The first few names: a manifest may list every spelling of one region."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _not_original(slices: Sequence[JSONAttributes], refused: tuple[str, ...]) -> Iterator[Reason]:
    for each in slices:
        image_type = [value.upper() for value in headers.texts(each, IMAGE_TYPE)]
        if any(word in image_type for word in refused):
            yield Reason(
                RefusalCode.NOT_ORIGINAL,
                "refusal.not_original",
                {"image_type": "\\".join(image_type)},
            )
            return
        if headers.text(each, BURNED_IN).upper() == "YES":
            yield Reason(RefusalCode.NOT_ORIGINAL, "jobs.series.burned_in")
            return


def _lossy(candidate: Candidate) -> Iterator[Reason]:
    declared = any(headers.text(s, LOSSY) == "01" for s in candidate.headers)
    if declared or any(i.transfer_syntax_uid in LOSSY_SYNTAXES for i in candidate.instances):
        yield Reason(RefusalCode.LOSSY, "refusal.lossy")


def _intensities(modality: str, slices: Sequence[JSONAttributes]) -> Iterator[Reason]:
    problem = ""
    for each in slices:
        if (headers.number(each, SAMPLES) or 1) > 1:
            problem = f"PhotometricInterpretation {headers.text(each, PHOTOMETRIC)}"
        elif modality == "CT":
            problem = _hounsfield_problem(each)
        elif modality == "PT" and not headers.text(each, "00541001"):
            problem = "Units"
        if problem:
            yield Reason(RefusalCode.INTENSITY_UNITS, "refusal.intensity_units", {"what": problem})
            return


def _hounsfield_problem(header: JSONAttributes) -> str:
    absent = [
        name
        for name, tag in (("RescaleSlope", SLOPE), ("RescaleIntercept", INTERCEPT))
        if headers.number(header, tag) is None
    ]
    if absent:
        return ", ".join(absent)
    kind = headers.text(header, RESCALE_TYPE)
    return f"RescaleType {kind}" if kind and kind.upper() != "HU" else ""
