"""What every package would do with a study, as the site wants it: for settling and for testing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.findings import Refusal
from ennead.identifiers import StudyUID
from ennead.plugins import DiscoveredPackage, Manifest
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.given.given import Given
from ennead_pipelines.jobs.create import create_job
from ennead_pipelines.jobs.identity import JobIdentity, identify, parameters_digest
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.jobs.terms import JobTerms
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.as_package import ModelPackage, lane_of
from ennead_pipelines.networks.needs import models_for
from ennead_pipelines.notes import note
from ennead_pipelines.select import Selection, match, read_candidates
from ennead_pipelines.site.decide import Decision, SiteControl
from ennead_pipelines.site.facts import StudyFacts, read_facts
from ennead_pipelines.site.remembered import remembered
from ennead_pipelines.site.say import action_parts
from ennead_pipelines.tables import jobs

Outcome = Literal["run", "refused", "skipped"]


@dataclass(frozen=True, slots=True)
class PackagePlan:
    """One package and one study.

    Parameters
    ----------
    selection : Selection
        As the package sees the study, whatever the site wants.
    models : mapping
        Model id → digest of each model that the package may ask.
    given : Given
        Facts, earlier findings and anatomy of the run.
    withheld : tuple of Refusal
        What the package requires and nobody here has; the selection is then refused by them.
    """

    study_uid: StudyUID
    package: DiscoveredPackage
    manifest: Manifest
    selection: Selection
    decision: Decision
    facts: StudyFacts
    models: Mapping[str, str] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
    withheld: tuple[Refusal, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """``refused`` by the package, ``skipped`` by the site, or ``run``."""
        if not self.selection.runnable:
            return "refused"
        return "skipped" if self.decision.refusal else "run"

    @property
    def effective(self) -> Selection:
        """The selection that the job is made from."""
        if self.outcome == "skipped" and self.decision.refusal:
            return Selection(self.selection.choices, {}, (self.decision.refusal,))
        return self.selection

    @property
    def identity(self) -> JobIdentity:
        """Of the job that this becomes; a skipped run is known by what the site said."""
        digest = self.package.digest
        asked = {f"model.{name}": model for name, model in self.models.items()}
        settings: dict[str, float | str] = {
            **self.decision.thresholds,
            **asked,
            **self.given.parameters(),
        }
        if self.withheld:
            lacks = [[r.text_key, dict(r.values)] for r in self.withheld]
            settings["withheld"] = json.dumps(lacks, sort_keys=True)
        made = identify(self.study_uid, self.manifest, digest, self.effective, settings)
        refusal = self.decision.refusal
        if self.outcome != "skipped" or refusal is None:
            return made
        said = json.dumps([refusal.text_key, dict(refusal.values)], sort_keys=True)
        return replace(made, parameters_digest=parameters_digest({"site": said}))

    @property
    def terms(self) -> JobTerms:
        """How the job runs."""
        decision = self.decision
        rule = "" if self.outcome == "refused" else decision.rule
        return JobTerms(
            decision.priority,
            decision.not_before,
            decision.thresholds,
            rule,
            self.models,
            self.given,
        )


def plan_study(
    database: Database,
    archive: Archive,
    study_uid: StudyUID,
    packages: Sequence[DiscoveredPackage],
    control: SiteControl,
    at: dt.datetime,
    *,
    urgent: bool = False,
    only: Collection[str] | None = None,
    giver: Giver | None = None,
) -> list[PackagePlan] | None:
    """Match every package's manifest and put it before the site's rules; nothing is written.

    Parameters
    ----------
    packages : sequence
        Those that are switched on; packages may ask the models among them.
    at : datetime
        Aware: when the study was complete.
    only : collection of str or None
        Ids of the packages to look at; None looks at all.
    giver : Giver or None
        Decides what runs are given; None knows headers and the classical anatomy.

    Returns
    -------
    list of PackagePlan or None
        None for a study that holds nothing but our own results.

    Raises
    ------
    NotFound, ArchiveError
    """
    usable = _usable(packages, only)
    wanted = {m for _, manifest in usable for rule in manifest.input for m in rule.modality}
    candidates = read_candidates(archive, study_uid, wanted)
    if not candidates:
        return None
    with database.read() as connection:
        facts = read_facts(connection, study_uid, candidates)
    giver = giver or Giver(archive)
    found = []
    for package, manifest in usable:
        if runs_for(package, facts):
            selection = match(manifest, candidates)
            with database.read() as connection:
                given, withheld = giver.give(connection, study_uid, manifest, selection)
            if withheld:
                selection = Selection(selection.choices, {}, withheld)
            plan = decide(package, manifest, selection, facts, packages, control, at, urgent)
            found.append(replace(plan, given=given, withheld=withheld))
    return found


def plan_remembered(
    connection: Connection,
    study_uid: StudyUID,
    packages: Sequence[DiscoveredPackage],
    control: SiteControl,
    at: dt.datetime,
    *,
    only: Collection[str] | None = None,
) -> list[PackagePlan] | None:
    """The same from what was written down when the study settled, by the index alone.

    None where that does not do: images came since, a package has not looked at the study yet, or
    a rule asks for what only headers say.
    """
    known = remembered(connection, study_uid)
    if known is None or not known.candidates:
        return None
    facts = read_facts(connection, study_uid, known.candidates)
    if control.needs_headers(facts):
        return None
    found = []
    for package, manifest in _usable(packages, only):
        if runs_for(package, facts):
            selection = known.selections.get(package.digest)
            if selection is None:
                return None
            found.append(decide(package, manifest, selection, facts, packages, control, at, False))
    return found


def runs_for(package: DiscoveredPackage, facts: StudyFacts) -> bool:
    """False for the pilot of a model that is limited to other senders."""
    return not isinstance(package, ModelPackage) or package.runs_for(facts.senders)


def decide(
    package: DiscoveredPackage,
    manifest: Manifest,
    selection: Selection,
    facts: StudyFacts,
    packages: Sequence[DiscoveredPackage],
    control: SiteControl,
    at: dt.datetime,
    urgent: bool,
) -> PackagePlan:
    """Put one package's selection before the site's rules."""
    lane = lane_of(package) or Lane.SHADOW  # not released: only a test asks
    decision = control.decide(manifest, selection, facts, at, lane=lane, urgent=urgent)
    models = models_for(manifest, packages, decision.lane)
    study_uid = StudyUID(facts.study_uid)
    return PackagePlan(study_uid, package, manifest, selection, decision, facts, models)


def _usable(
    packages: Sequence[DiscoveredPackage], only: Collection[str] | None
) -> list[tuple[DiscoveredPackage, Manifest]]:
    return [
        (p, p.manifest)
        for p in packages
        if p.manifest is not None and (only is None or p.id in only)
    ]


def carry_out(connection: Connection, planned: PackagePlan) -> bool:
    """Make the job, in the caller's transaction; True when this is news.

    A run that the site does not want leaves a finished result of the same images alone.
    """
    if planned.outcome == "skipped" and _finished(connection, planned) is not None:
        return False
    identity = planned.identity
    news = create_job(
        connection,
        identity,
        planned.manifest,
        planned.effective,
        lane=planned.decision.lane,
        terms=planned.terms,
    )
    what = action_parts(planned.decision) if planned.outcome == "run" else None
    if news and what is not None:
        note(
            connection,
            planned.study_uid,
            "selected",
            "rules.timeline.applied",
            {"package": dict(planned.manifest.title), "rule": planned.decision.rule, "what": what},
            package=planned.manifest.id,
            job_id=identity.job_id,
        )
    return news


def _finished(connection: Connection, planned: PackagePlan) -> Row[tuple[str]] | None:
    """A finished job of the same package, version and images, whatever its thresholds."""
    runnable = identify(
        planned.study_uid, planned.manifest, planned.package.digest, planned.selection, {}
    )
    return connection.execute(
        select(jobs.c.id).where(
            jobs.c.study_uid == planned.study_uid,
            jobs.c.package == planned.manifest.id,
            jobs.c.manifest_digest == runnable.manifest_digest,
            jobs.c.input_digest == runnable.input_digest,
            jobs.c.function == "",
            jobs.c.state == JobState.DONE,
        )
    ).first()
