"""Earlier findings of the same patient and package, from the index."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.findings import PriorFinding, PriorValue, Refusal, RefusalCode
from ennead.headers import text
from ennead.identifiers import FrameOfReferenceUID, PackageID, StudyUID, TrackingUID
from ennead.plugins import Manifest
from ennead_pacs.index.tables import studies
from ennead_pipelines.jobs.states import FindingState, JobState
from ennead_pipelines.lanes import Lane
from ennead_pipelines.tables import decisions, findings, jobs

#: No run is given more than this; the newest go first.
MOST: Final = 500
_ISSUER: Final = "00100021"


def priors_for(
    connection: Connection, archive: Archive, study_uid: StudyUID, manifest: Manifest
) -> tuple[tuple[PriorFinding, ...], tuple[Refusal, ...]]:
    """What the manifest's prior input asks for, and its refusal where there is nothing.

    A finding counts when it is shown to readers (lane ``active``, not superseded), nobody rejected
    it, its study has the same Patient ID (and the same issuer where both studies name one), and the
    study is not later than this one. Newest study first.
    """
    rule = manifest.prior_input
    if rule is None or rule.prior is None:
        return (), ()
    found = _find(connection, archive, study_uid, PackageID(manifest.id), rule.prior.max_age_days)
    if found or rule.optional:
        return tuple(found), ()
    days = rule.prior.max_age_days
    if days is None:
        return (), (Refusal(RefusalCode.PRIOR, "", "given.prior_missing"),)
    values: dict[str, str | int | float] = {"days": days}
    return (), (Refusal(RefusalCode.PRIOR, "", "given.prior_missing_age", values),)


def _find(
    connection: Connection,
    archive: Archive,
    study_uid: StudyUID,
    package: PackageID,
    max_age_days: int | None,
) -> list[PriorFinding]:
    now = connection.execute(
        select(studies.c.patient_id, studies.c.study_date, studies.c.study_time).where(
            studies.c.study_uid == study_uid
        )
    ).one_or_none()
    today = _date(now.study_date) if now is not None else None
    if now is None or not now.patient_id or today is None:
        return []
    rows = connection.execute(
        select(findings, studies.c.study_date, studies.c.study_time)
        .join(jobs, jobs.c.id == findings.c.job_id)
        .join(studies, studies.c.study_uid == findings.c.study_uid)
        .where(
            studies.c.patient_id == now.patient_id,
            studies.c.study_uid != study_uid,
            studies.c.study_date <= now.study_date,
            findings.c.package == package,
            findings.c.lane == Lane.ACTIVE,
            findings.c.hidden.is_(False),
            findings.c.state != FindingState.REJECTED,
            jobs.c.state == JobState.DONE,
        )
        .order_by(
            studies.c.study_date.desc(),
            studies.c.study_time.desc(),
            studies.c.study_uid,
            findings.c.ordinal,
        )
        .limit(MOST)
    ).all()
    kept: list[PriorFinding] = []
    same_person: dict[str, bool] = {}
    mine = _issuer(archive, study_uid)
    for row in rows:
        date = _date(row.study_date)
        if date is None or not _before(row, now):
            continue
        if max_age_days is not None and (today - date).days > max_age_days:
            continue
        if row.study_uid not in same_person:
            theirs = _issuer(archive, StudyUID(row.study_uid))
            same_person[row.study_uid] = not (mine and theirs) or mine == theirs
        if same_person[row.study_uid]:
            kept.append(_prior(connection, row, date))
    return kept


def _before(earlier: Any, now: Any) -> bool:
    """Whether a study is not later; on one day, times decide where both are known."""
    if earlier.study_date != now.study_date:
        return bool(earlier.study_date < now.study_date)
    if not (earlier.study_time and now.study_time):
        return False
    return bool(earlier.study_time < now.study_time)


def _prior(connection: Connection, row: Row[Any], date: dt.date) -> PriorFinding:
    document = row.document
    edited = _edited(connection, row) if row.state == FindingState.EDITED else {}
    key = document["key_image"]
    point = key.get("point_mm") or None
    return PriorFinding(
        tracking_uid=TrackingUID(row.tracking_uid),
        id=document["finding"],
        label=document["label"],
        state=row.state,
        study_uid=StudyUID(row.study_uid),
        study_date=date,
        measurements={
            each["id"]: PriorValue(float(edited.get(each["id"], each["value"])), each["unit"])
            for each in document["measurements"]
        },
        point_mm=(float(point[0]), float(point[1]), float(point[2])) if point else None,
        frame_of_reference_uid=FrameOfReferenceUID(key.get("frame_of_reference_uid", "")),
        package_version=row.version,
    )


def _edited(connection: Connection, row: Row[Any]) -> Mapping[str, float]:
    """The values that the last reader left."""
    last = connection.execute(
        select(decisions)
        .where(decisions.c.finding_id == row.id)
        .order_by(decisions.c.id.desc())
        .limit(1)
    ).one()
    values: Mapping[str, float] = last._mapping["values"]
    return values


def _issuer(archive: Archive, study_uid: StudyUID) -> str:
    """IssuerOfPatientID of the study; "" when it names none."""
    for record in archive.series(study_uid):
        for header in archive.metadata(record.series_uid)[:1]:
            return text(header, _ISSUER)
    return ""


def _date(value: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None
