"""Bringing together what one package's run is given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ennead.contracts import Archive, Worklist
from ennead.findings import Refusal, RefusalCode
from ennead.identifiers import StudyUID
from ennead.plugins import Manifest
from ennead.settings import Settings
from ennead_pipelines.anatomy import DEFAULT, assign, header_only
from ennead_pipelines.given.facts import facts_for
from ennead_pipelines.given.given import AnatomyPlan, Given
from ennead_pipelines.given.header_facts import HeaderWorklist
from ennead_pipelines.given.priors import priors_for
from ennead_pipelines.select import ChosenInput, Selection


class Giver:
    """Decides what runs are given.

    Reads the index and headers. Writes nothing. Refuses a package what it requires and nobody
    here has: CLINICAL_FACT, PRIOR, NOT_FOUND (anatomy).

    Parameters
    ----------
    anatomy : sequence of str
        The setting ``pipelines.anatomy``.
    worklist : Worklist or None
        The RIS; what it does not know, headers may.
    """

    def __init__(
        self,
        archive: Archive,
        anatomy: Sequence[str] = DEFAULT,
        worklist: Worklist | None = None,
    ) -> None:
        self._archive = archive
        self._anatomy = tuple(anatomy)
        headers = HeaderWorklist(archive)
        self._sources: tuple[Worklist, ...] = (worklist, headers) if worklist else (headers,)

    @classmethod
    def of(cls, archive: Archive, settings: Settings, worklist: Worklist | None = None) -> Giver:
        """As the settings say."""
        return cls(archive, settings.pipelines.anatomy, worklist)

    def give(
        self, connection: Connection, study_uid: StudyUID, manifest: Manifest, selection: Selection
    ) -> tuple[Given, tuple[Refusal, ...]]:
        """What the run is given, or why it cannot run; nothing for one that is refused already."""
        if not selection.runnable:
            return Given(), ()
        facts, refusals = facts_for(manifest, study_uid, self._sources)
        priors, missing = priors_for(connection, self._archive, study_uid, manifest)
        anatomy: dict[str, tuple[AnatomyPlan, ...]] = {}
        refusals += missing
        for rule in manifest.series_inputs:
            chosen = selection.inputs.get(rule.name)
            if rule.anatomy and chosen is not None:
                plans = self._plan(study_uid, chosen, rule.anatomy)
                absent = set(rule.anatomy) - {s for plan in plans for s in plan.structures}
                if absent:
                    names = ", ".join(s for s in rule.anatomy if s in absent)
                    refusals += (_no_anatomy(names, chosen),)
                anatomy[rule.name] = plans
        if refusals:
            return Given(), refusals
        return Given(anatomy, facts, priors), ()

    def _plan(
        self, study_uid: StudyUID, chosen: ChosenInput, wanted: Sequence[str]
    ) -> tuple[AnatomyPlan, ...]:
        if chosen.stack is None:
            return ()
        record, slices = chosen.candidate.record, chosen.candidate.headers
        volume = header_only(
            chosen.stack.grid,
            record.modality,
            study_uid,
            record.series_uid,
            slices[chosen.stack.order[0]],
        )
        by_name: dict[str, AnatomyPlan] = {}
        for structure, (name, provider) in assign(wanted, volume, self._anatomy).items():
            before = by_name[name].structures if name in by_name else ()
            plan = AnatomyPlan(name, provider.id, provider.version, (*before, structure))
            by_name[name] = plan
        return tuple(by_name.values())


def _no_anatomy(names: str, chosen: ChosenInput) -> Refusal:
    series_uid = chosen.candidate.record.series_uid
    values: dict[str, str | int | float] = {"structures": names}
    return Refusal(RefusalCode.NOT_FOUND, "", "given.anatomy_missing", values, series_uid)
