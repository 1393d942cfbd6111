"""The value itself, and its form in the table ``jobs``."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ennead.contracts import ClinicalFact
from ennead.findings import PriorFinding, PriorValue
from ennead.identifiers import FrameOfReferenceUID, StudyUID, TrackingUID


@dataclass(frozen=True, slots=True)
class AnatomyPlan:
    """Structures of one input that one provider finds.

    Parameters
    ----------
    name : str
        As in the setting ``pipelines.anatomy``: ``classical``, ``model:<id>``.
    provider, version : str
        The provider's own id and version at the time of settling.
    """

    name: str
    provider: str
    version: str
    structures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """What one job is given; empty for a package that asks for nothing.

    Parameters
    ----------
    anatomy : mapping
        Input name → who finds which structures, in the order of preference.
    """

    anatomy: Mapping[str, tuple[AnatomyPlan, ...]] = field(default_factory=dict)
    facts: tuple[ClinicalFact, ...] = ()
    priors: tuple[PriorFinding, ...] = ()

    def parameters(self) -> dict[str, str]:
        """Names and values that enter the job's identity and its results."""
        found = {
            f"anatomy.{name}": " + ".join(f"{p.provider} {p.version}" for p in plans)
            for name, plans in self.anatomy.items()
        }
        for fact in self.facts:
            unit = f" {fact.unit}" if fact.unit else ""
            when = fact.observed_at.date().isoformat()
            found[f"clinical.{fact.name}"] = f"{fact.value}{unit} ({fact.source}, {when})"
        if self.priors:
            rows = json.dumps([_prior_json(p) for p in self.priors], sort_keys=True)
            digest = hashlib.sha256(rows.encode()).hexdigest()
            found["priors"] = f"{len(self.priors)} sha256:{digest}"
        return found

    def as_json(self) -> dict[str, Any]:
        """For the column ``jobs.given``; ``{}`` when empty."""
        found: dict[str, Any] = {
            "anatomy": {
                name: [
                    {
                        "name": p.name,
                        "provider": p.provider,
                        "version": p.version,
                        "structures": list(p.structures),
                    }
                    for p in plans
                ]
                for name, plans in self.anatomy.items()
            },
            "facts": [_fact_json(fact) for fact in self.facts],
            "priors": [_prior_json(prior) for prior in self.priors],
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Given:
        """The inverse of :meth:`as_json`."""
        anatomy = {
            name: tuple(
                AnatomyPlan(p["name"], p["provider"], p["version"], tuple(p["structures"]))
                for p in plans
            )
            for name, plans in document.get("anatomy", {}).items()
        }
        facts = tuple(_fact(each) for each in document.get("facts", ()))
        return cls(anatomy, facts, tuple(_prior(each) for each in document.get("priors", ())))


def _fact_json(fact: ClinicalFact) -> dict[str, str]:
    return {
        "name": fact.name,
        "value": fact.value,
        "unit": fact.unit,
        "source": fact.source,
        "observed_at": fact.observed_at.isoformat(),
    }


def _fact(document: Mapping[str, str]) -> ClinicalFact:
    at = dt.datetime.fromisoformat(document["observed_at"])
    return ClinicalFact(
        document["name"], document["value"], document["unit"], document["source"], at
    )


def _prior_json(prior: PriorFinding) -> dict[str, Any]:
    return {
        "tracking_uid": prior.tracking_uid,
        "id": prior.id,
        "label": prior.label,
        "state": prior.state,
        "study_uid": prior.study_uid,
        "study_date": prior.study_date.isoformat(),
        "measurements": {
            name: {"value": each.value, "unit": each.unit}
            for name, each in sorted(prior.measurements.items())
        },
        "point_mm": list(prior.point_mm) if prior.point_mm else None,
        "frame_of_reference_uid": prior.frame_of_reference_uid,
        "package_version": prior.package_version,
    }


def _prior(document: Mapping[str, Any]) -> PriorFinding:
    point = document["point_mm"]
    return PriorFinding(
        tracking_uid=TrackingUID(document["tracking_uid"]),
        id=document["id"],
        label=document["label"],
        state=document["state"],
        study_uid=StudyUID(document["study_uid"]),
        study_date=dt.date.fromisoformat(document["study_date"]),
        measurements={
            name: PriorValue(float(each["value"]), each["unit"])
            for name, each in document["measurements"].items()
        },
        point_mm=(point[0], point[1], point[2]) if point else None,
        frame_of_reference_uid=FrameOfReferenceUID(document["frame_of_reference_uid"]),
        package_version=document["package_version"],
    )
