"""Searching workitems (PS3.18 §11.9)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from ennead.errors import InputError
from ennead_pacs.index.tables import studies
from ennead_pipelines.lanes import Sight
from ennead_pipelines.tables import jobs
from ennead_pipelines.ups.dataset import WORKITEM_CODE, WORKLIST
from ennead_pipelines.ups.identity import job_of
from ennead_pipelines.ups.states import PRIORITIES, UPSState, in_state
from ennead_pipelines.ups.tables import requests
from ennead_pipelines.ups.workitem import Workitem, with_requests

LIMIT: Final = 500
#: Matching keys by keyword and by tag → the name used below.
KEYS: Final = {
    "procedurestepstate": "state",
    "00741000": "state",
    "scheduledproceduresteppriority": "priority",
    "00741200": "priority",
    "sopinstanceuid": "uid",
    "00080018": "uid",
    "scheduledprocedurestepstartdatetime": "start",
    "00404005": "start",
    "scheduledprocedurestepmodificationdatetime": "modified",
    "00404010": "modified",
    "patientid": "patient",
    "00100020": "patient",
    "studyinstanceuid": "study",
    "0020000d": "study",
    "inputinformationsequence.studyinstanceuid": "study",
    "00404021.0020000d": "study",
    "referencedrequestsequence.accessionnumber": "accession",
    "0040a370.00080050": "accession",
    "worklistlabel": "worklist",
    "00741202": "worklist",
    "scheduledworkitemcodesequence.codevalue": "code",
    "00404018.00080100": "code",
    "scheduledprocessingparameterssequence.textvalue": "package",
    "00741210.0040a160": "package",
    "inputreadinessstate": "readiness",
    "00404041": "readiness",
}
_OPTIONS: Final = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept", "lang"})
_MOMENT: Final = re.compile(
    r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.\d+)?([+-]\d{4})?"
)


@dataclass(frozen=True, slots=True)
class WorkitemQuery:
    """What is searched for.

    Parameters
    ----------
    filters : mapping of names in :data:`KEYS` to values
    unknown : tuple of str
        Keys that are not matched; they are told, not silently passed over.
    """

    filters: dict[str, str] = field(default_factory=dict)
    limit: int = 100
    offset: int = 0
    unknown: tuple[str, ...] = ()


def parse_query(parameters: Iterable[tuple[str, str]]) -> WorkitemQuery:
    """The query of a request.

    Raises
    ------
    InputError
        A limit or an offset is no number.
    """
    filters, unknown, numbers = {}, [], {"limit": 100, "offset": 0}
    for name, value in parameters:
        lowered = name.lower()
        if lowered in numbers:
            if not value.isascii() or not value.isdigit() or len(value) > 9:
                raise InputError(f"{name} must be a whole number from 0; got {value[:20]!r}.")
            numbers[lowered] = int(value)
        elif lowered in KEYS:
            if value:
                filters[KEYS[lowered]] = value
        elif lowered not in _OPTIONS:
            unknown.append(name)
    limit = min(numbers["limit"], LIMIT)
    return WorkitemQuery(filters, limit, numbers["offset"], tuple(unknown[:10]))


def search(connection: Connection, query: WorkitemQuery, sight: Sight) -> list[Workitem]:
    """Matching workitems, the newest first; each job as it stands now."""
    conditions = [jobs.c.function == "", sight.where(jobs)]
    conditions += [_condition(name, value) for name, value in query.filters.items()]
    rows = connection.execute(
        select(jobs)
        .where(*conditions)
        .order_by(jobs.c.created_at.desc(), jobs.c.id)
        .limit(query.limit)
        .offset(query.offset)
    ).all()
    found = with_requests(connection, rows)
    wanted = query.filters.get("uid")
    if wanted is not None:
        found = [each for each in found if each.uid in wanted.replace("\\", ",").split(",")]
    return found


def _condition(name: str, value: str) -> ColumnElement[bool]:
    many = value.replace("\\", ",").split(",")
    if name == "state":
        wanted = [in_state(UPSState(s)) for s in many if s in UPSState.__members__.values()]
        return or_(false(), *wanted)
    if name == "priority":
        return or_(false(), *(_between(PRIORITIES.get(each)) for each in many))
    if name == "uid":
        return or_(false(), *(_named(each) for each in many))
    if name in ("start", "modified"):
        column = jobs.c.not_before if name == "start" else jobs.c.updated_at
        return _range(column, value)
    if name == "study":
        return jobs.c.study_uid.in_(many)
    if name == "package":
        return jobs.c.package.in_(many)
    if name in ("patient", "accession"):
        column = studies.c.patient_id if name == "patient" else studies.c.accession_number
        return jobs.c.study_uid.in_(select(studies.c.study_uid).where(_text(column, value)))
    fixed = {"worklist": WORKLIST, "code": WORKITEM_CODE.value, "readiness": "READY"}
    return true() if fixed[name] in many or value == "*" else false()


def _between(priority: int | None) -> ColumnElement[bool]:
    if priority is None:
        return false()
    numbers = sorted(PRIORITIES.values())
    above = [n for n in numbers if n > priority]
    lower = jobs.c.priority >= priority if priority != numbers[0] else jobs.c.priority >= 0
    return and_(lower, jobs.c.priority < above[0]) if above else lower


def _named(uid: str) -> ColumnElement[bool]:
    own = job_of(uid)
    asked = jobs.c.id.in_(select(requests.c.job_id).where(requests.c.uid == uid))
    return or_(asked, jobs.c.id == own[0]) if own else asked


def _text(column: Any, value: str) -> ColumnElement[bool]:
    if "*" not in value and "?" not in value:
        return column == value
    escaped = re.sub(r"([\\%_])", r"\\\1", value).replace("*", "%").replace("?", "_")
    return column.like(escaped, escape="\\")


def _range(column: Any, value: str) -> ColumnElement[bool]:
    """``from-to``, either end open; one moment covers as long as it is vague."""
    low, dash, high = _split(value)
    first, last = _moments(low or "0001"), _moments(high or "9999")
    if not dash:
        last = _moments(low)
    conditions = []
    if low:
        conditions.append(column >= first[0])
    if high or not dash:
        conditions.append(column < last[1])
    return and_(*conditions)


def _split(value: str) -> tuple[str, str, str]:
    """At the dash that is no time zone's."""
    for match in re.finditer("-", value):
        before, after = value[: match.start()], value[match.end() :]
        ends = (part == "" or _MOMENT.fullmatch(part) for part in (before, after))
        if all(ends) and not (len(after) == 4 and len(before) > 8 and int(after) <= 1400):
            return before, "-", after
    return value, "", ""


def _moments(text: str) -> tuple[dt.datetime, dt.datetime]:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise InputError(f"A date and time is YYYYMMDDHHMMSS; got {text[:30]!r}.")
    numbers = [int(each) for each in found.groups()[:6] if each]
    zone = found[7] or "+0000"
    offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (
        -1 if zone[0] == "-" else 1
    )
    try:
        zoned = dt.timezone(offset)
        start = dt.datetime(*[*numbers, 1, 1][: max(3, len(numbers))], tzinfo=zoned)  # type: ignore[misc,arg-type]
    except ValueError as error:
        raise InputError(f"{text[:30]!r} is no date and time.") from error
    return start, _after(start, len(numbers))


def _after(start: dt.datetime, known: int) -> dt.datetime:
    if start.year >= 9999:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    if known == 1:
        return start.replace(year=start.year + 1)
    if known == 2:
        return (start + dt.timedelta(days=32)).replace(day=1)
    step = {3: {"days": 1}, 4: {"hours": 1}, 5: {"minutes": 1}, 6: {"seconds": 1}}[known]
    return start + dt.timedelta(**step)
