"""The web process: whether a call may be made, the job it becomes, waiting for the answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import CallRefused, Conflict, EnneadError, NotFound
from ennead.findings import Refusal
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID
from ennead.plugins import FunctionRule, Manifest
from ennead.security import Principal
from ennead_pipelines.functions.answer import STORING
from ennead_pipelines.functions.create import create_call, withdraw_call
from ennead_pipelines.functions.identity import call_identity
from ennead_pipelines.functions.prepare import Wanted
from ennead_pipelines.functions.series import ReadSeries, SeriesReader
from ennead_pipelines.functions.validate import Problem, Surroundings, check_inputs
from ennead_pipelines.jobs import JobState
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.needs import models_for
from ennead_pipelines.packages import PackageState
from ennead_pipelines.select import Verdict
from ennead_pipelines.tables import jobs, site_thresholds

#: A call that no worker has taken after this long is withdrawn.
AWAY_SECONDS: Final = 15.0
#: What decoding a series that nobody prepared may add to a function's own time-out.
COLD_SECONDS: Final = 30.0
#: Between two looks at a call.
LOOK_SECONDS: Final = 0.015

_ENDED: Final = (JobState.DONE, JobState.REFUSED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class FunctionOf:
    """A function with the package that declares it.

    Parameters
    ----------
    models : mapping
        Model id → digest of each active model that the package may ask.
    """

    manifest: Manifest
    digest: str
    rule: FunctionRule
    models: Mapping[str, str] = field(default_factory=dict)


class Refused(CallRefused):
    """A call whose inputs break rules, with every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        names = ", ".join(sorted({p.input for p in problems if p.input})) or "the series"
        super().__init__(f"The call breaks {len(problems)} rules about {names}; see errors.")
        self.problems = tuple(problems)


def find_function(states: Sequence[PackageState], package_id: str, function_id: str) -> FunctionOf:
    """The function of an enabled package.

    Raises
    ------
    NotFound
        No such package, or it declares no such function.
    Conflict
        The package is switched off or broken.
    """
    state = next((s for s in states if s.package.id == package_id), None)
    if state is None:
        raise NotFound(f"No package {package_id[:40]!r} is installed here; reload the study.")
    manifest = state.package.manifest
    if manifest is None or not state.enabled:
        why = state.package.error or "it is switched off"
        raise Conflict(f"Package {package_id!r} cannot be used: {why}. Enable it under Packages.")
    rule = manifest.function_rule(function_id)
    if rule is None:
        known = ", ".join(f.id for f in manifest.function) or "none"
        raise NotFound(
            f"Package {package_id!r} has no function {function_id[:40]!r}; it has: {known}."
        )
    models = models_for(manifest, [s.package for s in states], Lane.ACTIVE)
    return FunctionOf(manifest, state.package.digest, rule, models)


def verdict_on(function: FunctionOf, read: ReadSeries) -> Verdict:
    """Whether a series fits a function."""
    rule = function.manifest.input_rule(function.rule.series)
    if rule is None:
        raise NotFound(f"Input {function.rule.series!r} is not in the manifest.")
    return read.judged(function.digest, rule)


def wanted_series(function: FunctionOf, study_uid: StudyUID, read: ReadSeries) -> Wanted:
    """What a worker is asked to hold ready."""
    return Wanted(study_uid, read.uid, function.manifest.id, function.rule.series)


def make_call(
    database: Database,
    archive: Archive,
    reader: SeriesReader,
    function: FunctionOf,
    study_uid: StudyUID,
    series_uid: SeriesUID,
    given: Mapping[str, Any],
    principal: Principal,
) -> str:
    """Check a call and make its job; returns the job's id.

    Raises
    ------
    NotFound
        No such series.
    Refused
        With everything that is wrong.
    """
    read = reader.one(study_uid, series_uid)
    verdict = verdict_on(function, read)
    if verdict.refused or verdict.stack is None:
        raise Refused(
            [
                Problem(
                    "",
                    "functions.problem.series",
                    {"reason": {"key": r.text_key, "values": dict(r.values)}},
                )
                for r in verdict.refused
            ]
        )
    stack = verdict.stack
    around = Surroundings(stack.grid, read.instance_uids(stack))
    inputs, problems = check_inputs(function.rule, given, around)
    problems += _masks(archive, function.rule, inputs, series_uid)
    if problems:
        raise Refused(problems)
    declined = [
        refusal
        for reason in verdict.declined
        for refusal in reason.refusals(series_uid)
        if refusal.subject in function.rule.outputs
    ]
    return _record(database, function, study_uid, read, inputs, declined, principal)


def _record(
    database: Database,
    function: FunctionOf,
    study_uid: StudyUID,
    read: ReadSeries,
    inputs: dict[str, Any],
    declined: Sequence[Refusal],
    principal: Principal,
) -> str:
    with database.read() as connection:
        thresholds = site_values(connection, function.manifest)
    identity = call_identity(
        study_uid,
        function.manifest,
        function.digest,
        function.rule,
        read,
        inputs,
        thresholds,
        function.models,
    )
    with database.begin() as connection:
        create_call(
            connection,
            identity,
            function.manifest,
            function.rule,
            read,
            inputs,
            thresholds,
            declined,
            principal,
            function.models,
        )
    return identity.job_id


def site_values(connection: Connection, manifest: Manifest) -> dict[str, float]:
    """The site's thresholds where they keep the manifest's bounds, else the defaults."""
    rows = connection.execute(
        select(site_thresholds.c.threshold, site_thresholds.c.value).where(
            site_thresholds.c.package == manifest.id
        )
    )
    own = {row.threshold: row.value for row in rows}
    found = {}
    for each in manifest.threshold:
        low, high = each.site_bounds
        value = own.get(each.id, each.default)
        found[each.id] = float(value if low <= value <= high else each.default)
    return found


def _masks(
    archive: Archive, rule: FunctionRule, inputs: Mapping[str, Any], series_uid: SeriesUID
) -> list[Problem]:
    """A mask is edited from a segmentation that is stored and lies over this series."""
    problems = []
    for each in rule.input:
        if each.kind == "mask" and each.name in inputs:
            uid = InstanceUID(inputs[each.name]["seg_instance_uid"])
            if not _lies_over(archive, uid, series_uid):
                values = {"input": dict(each.title)}
                problems.append(Problem(each.name, "functions.problem.segmentation", values))
    return problems


def _lies_over(archive: Archive, instance_uid: InstanceUID, series_uid: SeriesUID) -> bool:
    from ennead_pipelines.encode.read_seg import referenced_series

    try:
        return referenced_series(archive.path(instance_uid)) == series_uid
    except EnneadError:
        return False


class Waiting:
    """One call being waited for; :meth:`look` is asked every :data:`LOOK_SECONDS`.

    Parameters
    ----------
    timeout_s : float
        Of the function.
    """

    def __init__(self, database: Database, job_id: str, timeout_s: float) -> None:
        self._database = database
        self._job_id = job_id
        begun = time.monotonic()
        self._away_at = begun + AWAY_SECONDS
        self._late_at = begun + timeout_s + COLD_SECONDS
        self.seconds = timeout_s + COLD_SECONDS

    def look(self) -> Row[Any] | None:
        """The job's row once there is an answer; None while there is none."""
        with self._database.read() as connection:
            row = connection.execute(
                select(jobs.c.state, jobs.c.step).where(jobs.c.id == self._job_id)
            ).one()
            if row.state in _ENDED or row.step == STORING:
                return connection.execute(select(jobs).where(jobs.c.id == self._job_id)).one()
        if row.state == JobState.WAITING and time.monotonic() > self._away_at:
            with self._database.begin() as connection:
                withdraw_call(connection, self._job_id, AWAY_SECONDS)
        return None

    @property
    def is_late(self) -> bool:
        """Whether waiting longer is of no use."""
        return time.monotonic() > self._late_at
