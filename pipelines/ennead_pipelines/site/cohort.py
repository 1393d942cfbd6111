"""Which stored studies a test looks at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from ennead.errors import InputError
from ennead_pacs.index import studies
from ennead_pipelines.tables import settlements

#: Most studies of one test.
LIMIT: Final = 500
#: Studies of a test that names none.
DEFAULT: Final = 50
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Named studies, or the newest that arrived between two times.

    Parameters
    ----------
    since, until : datetime or None
        Aware; ``until`` is outside.
    """

    studies: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    limit: int = DEFAULT


def cohort(
    zone: ZoneInfo,
    *,
    studies: Sequence[str] = (),
    last: int | None = None,
    yesterday: bool = False,
    date_from: dt.date | None = None,
    date_to: dt.date | None = None,
    limit: int | None = None,
    today: dt.date | None = None,
) -> Cohort:
    """A cohort from what a person asked for; days are those of arrival in the site's time zone.

    Raises
    ------
    InputError
        Two ways of choosing at once, days in the wrong order, or too many studies.
    """
    dated = date_from is not None or date_to is not None
    ways = {"studies": bool(studies), "last": last is not None, "yesterday": yesterday}
    chosen = [name for name, given in (ways | {"date_from/date_to": dated}).items() if given]
    if len(chosen) > 1:
        raise InputError(f"Choose studies in one way; got {' and '.join(chosen)}.")
    most = len(studies) or last or limit or (LIMIT if yesterday or dated else DEFAULT)
    if not 1 <= most <= LIMIT:
        raise InputError(f"A test takes 1 to {LIMIT} studies; got {most}. Choose fewer.")
    if limit is not None:
        most = min(most, limit)
    if yesterday:
        date_from = date_to = (today or dt.datetime.now(zone).date()) - _DAY
    if date_from and date_to and date_to < date_from:
        raise InputError(f"date_from {date_from} lies after date_to {date_to}.")
    return Cohort(
        studies=tuple(dict.fromkeys(studies)),
        since=_midnight(date_from, zone) if date_from else None,
        until=_midnight(date_to + _DAY, zone) if date_to else None,
        limit=most,
    )


def choose(connection: Connection, wanted: Cohort) -> list[Row[Any]]:
    """Rows of ``studies`` with ``settled_at``, newest arrival first."""
    query = (
        select(studies, settlements.c.settled_at)
        .select_from(studies.outerjoin(settlements, settlements.c.study_uid == studies.c.study_uid))
        .where(studies.c.instance_count > 0)
        .order_by(studies.c.id.desc())
        .limit(wanted.limit)
    )
    if wanted.studies:
        query = query.where(studies.c.study_uid.in_(wanted.studies))
    if wanted.since is not None:
        query = query.where(studies.c.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(studies.c.received_at < wanted.until)
    return list(connection.execute(query).all())


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)
