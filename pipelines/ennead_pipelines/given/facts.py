"""The clinical facts that a package names: which are known, and what is refused without them."""

from __future__ import annotations

from collections.abc import Sequence

from ennead.contracts import ClinicalFact, Worklist
from ennead.findings import Refusal, RefusalCode
from ennead.identifiers import StudyUID
from ennead.plugins import Manifest


def facts_for(
    manifest: Manifest, study_uid: StudyUID, sources: Sequence[Worklist]
) -> tuple[tuple[ClinicalFact, ...], tuple[Refusal, ...]]:
    """What the manifest's ``[clinical]`` asks for.

    Parameters
    ----------
    sources : sequence of Worklist
        The first that knows a fact decides: the RIS before the headers.

    Returns
    -------
    (facts, refusals)
        Facts in the manifest's order; a refusal for each required one that nobody knows.
    """
    rules = manifest.clinical
    wanted = [*rules.requires, *rules.uses]
    if not wanted:
        return (), ()
    known: dict[str, ClinicalFact] = {}
    for source in sources:
        for fact in source.facts(study_uid):
            known.setdefault(fact.name, fact)
    refusals = tuple(
        Refusal(RefusalCode.CLINICAL_FACT, "", "given.fact_missing", {"fact": f"given.fact.{name}"})
        for name in rules.requires
        if name not in known
    )
    return tuple(known[name] for name in wanted if name in known), refusals
