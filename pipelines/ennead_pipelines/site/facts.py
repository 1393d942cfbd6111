"""What rules may ask about a study: from the index, and from headers that are prepared anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead_pacs.index import SeriesQuery, search_series, series_sources, studies
from ennead_pipelines.select import Candidate

_MANUFACTURER, _AGE = "00080070", "00101010"
_DAYS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One series; ``source`` is that of its first image (``dimse:AE@address`` …)."""

    series_uid: str
    source: str = ""
    modality: str = ""
    body_part: str = ""
    station: str = ""
    manufacturer: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """One study; ``age_years`` is None where neither birth date nor age is known."""

    study_uid: str
    description: str
    age_years: float | None
    series: Mapping[str, SeriesFacts]

    @property
    def senders(self) -> set[str]:
        """AE titles (or names of people and tokens) that sent the series, and station names."""
        sent = {each.source.partition(":")[2].partition("@")[0] for each in self.series.values()}
        return (sent | {each.station for each in self.series.values()}) - {""}


def read_facts(
    connection: Connection, study_uid: str, candidates: Sequence[Candidate]
) -> StudyFacts:
    """The facts of a study; manufacturer and written age from the headers of ``candidates``."""
    row = connection.execute(
        select(studies.c.description, studies.c.patient_birth_date, studies.c.study_date).where(
            studies.c.study_uid == study_uid
        )
    ).one_or_none()
    sources = series_sources(connection, study_uid)
    first = {c.record.series_uid: c.headers[0] for c in candidates if c.headers}
    wanted = {c.record.series_uid for c in candidates}
    found = {}
    for each in search_series(connection, SeriesQuery({"StudyInstanceUID": study_uid})):
        if each.series_uid not in wanted:
            continue
        header = first.get(each.series_uid)
        found[each.series_uid] = SeriesFacts(
            series_uid=each.series_uid,
            source=sources.get(each.series_uid, ""),
            modality=each.modality,
            body_part=each.body_part,
            station=each.station_name,
            manufacturer=headers.text(header, _MANUFACTURER) if header else "",
            description=each.description,
        )
    age = age_between(row.patient_birth_date, row.study_date) if row else None
    if age is None:
        age = next((a for h in first.values() if (a := written_age(h)) is not None), None)
    return StudyFacts(study_uid, row.description if row else "", age, found)


def age_between(birth_date: str, study_date: str) -> float | None:
    """Completed years between two DICOM dates (``YYYYMMDD``); None when either is not one.

    Examples
    --------
    >>> age_between("20000630", "20240629"), age_between("20000630", "20240630")
    (23.0, 24.0)
    """
    if not (_is_date(birth_date) and _is_date(study_date)):
        return None
    years = int(study_date[:4]) - int(birth_date[:4]) - (study_date[4:] < birth_date[4:])
    return float(years) if years >= 0 else None


def written_age(header: JSONAttributes) -> float | None:
    """Patient's Age (0010,1010): ``045Y``, ``018M``, ``003W``, ``010D`` in years (PS3.5 §6.2)."""
    value = headers.text(header, _AGE)
    if len(value) != 4 or not value[:3].isdigit() or value[3] not in _DAYS:
        return None
    return int(value[:3]) * _DAYS[value[3]]


def _is_date(value: str) -> bool:
    return len(value) == 8 and value.isdigit()
