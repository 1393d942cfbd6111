"""Clinical facts that image headers carry: the platform's own source, where no RIS is connected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

from ennead import headers
from ennead.contracts import Archive, ClinicalFact, JSONAttributes
from ennead.identifiers import StudyUID

#: ``ClinicalFact.source`` of everything here.
SOURCE: Final = "DICOM header"

_STUDY_DATE, _SERIES_DATE, _ACQUISITION_DATE = "00080020", "00080021", "00080022"
_BIRTH_DATE, _SEX, _AGE = "00100030", "00100040", "00101010"
_SIZE, _WEIGHT = "00101020", "00101030"

#: Outside these a number is a typing error (height in cm, weight in g), not a fact.
PLAUSIBLE: Final = {"age": (0.0, 130.0), "height": (0.2, 2.6), "weight": (0.2, 400.0)}
#: Years in a unit of PatientAge (PS3.5 §6.2, AS).
_YEARS: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


class HeaderWorklist:
    """A :class:`~ennead.contracts.Worklist` that knows what the study's images say.

    ``age`` in years ("a"), ``sex`` (M, F, O), ``height`` in metres ("m"), ``weight`` in kilograms
    ("kg"); all as of the study's date. Nothing is known to be urgent.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def facts(self, study_uid: StudyUID) -> Sequence[ClinicalFact]:
        """The first series that states a fact decides; series in the order of the archive."""
        found: dict[str, ClinicalFact] = {}
        for record in self._archive.series(study_uid):
            slices = self._archive.metadata(record.series_uid)
            if slices:
                for fact in header_facts(slices[0]):
                    found.setdefault(fact.name, fact)
        return list(found.values())

    def is_urgent(self, study_uid: StudyUID) -> bool:
        """False: a header does not say."""
        del study_uid
        return False


def header_facts(header: JSONAttributes) -> Iterator[ClinicalFact]:
    """The facts of one instance; what is implausible or has no date is left out.

    Notes
    -----
    PS3.3 §C.7.1.1 (Patient), §C.7.2.2 (Patient Study). An age that is stated goes before one that
    follows from the birth date.
    """
    at = _date(header, _STUDY_DATE) or _date(header, _SERIES_DATE)
    at = at or _date(header, _ACQUISITION_DATE)
    if at is None:
        return
    sex = headers.text(header, _SEX).upper()
    if sex in ("M", "F", "O"):
        yield _fact("sex", sex, "", at)
    numbers = (
        ("age", _age(header, at), "a"),
        ("height", headers.number(header, _SIZE), "m"),
        ("weight", headers.number(header, _WEIGHT), "kg"),
    )
    for name, value, unit in numbers:
        low, high = PLAUSIBLE[name]
        if value is not None and low <= value <= high:
            yield _fact(name, f"{value:.6g}", unit, at)


def _fact(name: str, value: str, unit: str, at: dt.date) -> ClinicalFact:
    observed = dt.datetime(at.year, at.month, at.day, tzinfo=dt.UTC)
    return ClinicalFact(name, value, unit, SOURCE, observed)


def _age(header: JSONAttributes, at: dt.date) -> float | None:
    """Whole years; a part of a year below two."""
    stated = headers.text(header, _AGE).upper()
    if len(stated) == 4 and stated[:3].isdigit() and stated[3] in _YEARS:
        years = int(stated[:3]) * _YEARS[stated[3]]
        return years if years < 2 else float(int(years))
    born = _date(header, _BIRTH_DATE)
    if born is None or born > at:
        return None
    before_birthday = (at.month, at.day) < (born.month, born.day)
    whole = at.year - born.year - (1 if before_birthday else 0)
    return (at - born).days / 365.25 if whole < 2 else float(whole)


def _date(header: JSONAttributes, tag: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(headers.text(header, tag), "%Y%m%d").date()
    except ValueError:
        return None
