"""Another system asks for work: a workitem that names a package and a study (PS3.18 §11.4)."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from ennead import headers
from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import Conflict, InputError
from ennead.identifiers import check_uid
from ennead.security import Principal
from ennead.settings import Settings
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.packages import PackageCatalogue, states
from ennead_pipelines.site.rerun import rerun
from ennead_pipelines.site.store import load_control
from ennead_pipelines.tables import jobs
from ennead_pipelines.ups.identity import FILTERED, GLOBAL, job_of
from ennead_pipelines.ups.parse import Document, requested_work
from ennead_pipelines.ups.states import PRIORITIES
from ennead_pipelines.ups.tables import requests

_EXISTS = "The UPS Instance already exists."


def create_workitem(
    database: Database,
    archive: Archive,
    settings: Settings,
    catalogue: PackageCatalogue,
    uid: str,
    document: Document,
    principal: Principal,
) -> None:
    """Make the job that the workitem stands for, or find the one that is there.

    Raises
    ------
    InputError
        The dataset names no study or no package.
    NotFound
        The study is not here, or the package is not installed.
    Conflict
        The UID is taken, the package is switched off, or the site's rules skip it.
    """
    check_uid(uid, "the workitem's UID")
    study_uid, package = requested_work(document)
    priority = headers.text(document, "00741200", "MEDIUM")
    if priority not in PRIORITIES:
        raise InputError(
            "Scheduled Procedure Step Priority (0074,1200) is HIGH, MEDIUM or LOW; got "
            f"{priority[:20]!r}."
        )
    with database.read() as connection:
        _require_free(connection, uid)
        control = load_control(connection, settings.portal.zone)
        known = states(connection, catalogue.all())
    reason = f"UPS {uid}"
    giver = Giver.of(archive, settings)
    done = rerun(database, archive, study_uid, known, control, principal, reason, package, giver)
    job_id = next((each.job for each in done if each.package == package and each.job), "")
    if not job_id:
        raise Conflict(
            f"Package {package!r} does not run on study {study_uid}: a rule of the site skips it."
        )
    with database.begin() as connection:
        _require_free(connection, uid)
        row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
        if row.state == JobState.WAITING:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id)
                .values(priority=PRIORITIES[priority], requested_by=principal.name[:64])
            )
        connection.execute(
            insert(requests).values(
                uid=uid,
                job_id=job_id,
                generation=row.generation,
                document=dict(document),
                requested_by=principal.name[:64],
                requested_at=now(),
            )
        )


def _require_free(connection: Connection, uid: str) -> None:
    own = job_of(uid)
    taken = connection.execute(select(requests.c.uid).where(requests.c.uid == uid)).first()
    if own is not None and taken is None:
        taken = connection.execute(select(jobs.c.id).where(jobs.c.id == own[0])).first()
    if taken is not None or uid in (GLOBAL, FILTERED):
        raise Conflict(f"A workitem with the UID {uid} exists.", warning=_EXISTS)
