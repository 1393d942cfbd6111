"""What the images of a job were like, kept beside its result: drift is seen in these first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead_pipelines.run.inputs import JobInput
from ennead_pipelines.site.facts import age_between, written_age

_TEXTS: Final = {
    "manufacturer": "00080070",
    "model": "00081090",
    "station": "00081010",
    "kernel": "00181210",
    "sex": "00100040",
}
_BIRTH_DATE: Final = "00100030"
_STUDY_DATE: Final = "00080020"
_NUMBERS: Final = {
    "kvp": "00180060",
    "slice_thickness_mm": "00180050",
    "field_strength_t": "00180087",
}


def features_of(inputs: Sequence[JobInput]) -> dict[str, str | float]:
    """Scanner, technique and grid of the first input; what its header does not say is left out.

    Returns
    -------
    dict
        ``modality``, ``manufacturer``, ``model``, ``station``, ``kernel``, ``kvp``,
        ``slice_thickness_mm``, ``field_strength_t``, ``slices``, ``spacing_z_mm``,
        ``spacing_y_mm``, ``spacing_x_mm``, ``age_years``, ``sex``; texts as in the header, trimmed.
    """
    if not inputs:
        return {}
    request = inputs[0].request
    found: dict[str, str | float] = {"modality": request.modality}
    for name, tag in _TEXTS.items():
        said = (headers.text(request.attributes, tag) or "").strip()
        if said:
            found[name] = said[:64]
    for name, tag in _NUMBERS.items():
        number = headers.number(request.attributes, tag)
        if number is not None:
            found[name] = number
    found["slices"] = float(request.grid.shape[0])
    for axis, spacing in zip("zyx", request.grid.spacing_mm, strict=True):
        found[f"spacing_{axis}_mm"] = round(spacing, 6)
    age = _age_years(request.attributes)
    if age is not None:
        found["age_years"] = age
    return found


def _age_years(header: JSONAttributes) -> float | None:
    born, seen = headers.text(header, _BIRTH_DATE), headers.text(header, _STUDY_DATE)
    age = age_between(born, seen)
    return age if age is not None else written_age(header)
