"""The facts of a model or a package on one page, under the headings of the CHAI model card.

Everything is data: arrays for plots, texts by key or by language. The API turns it into one
language (:mod:`ennead_pipelines.api.facts`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ennead.plugins import DiscoveredPackage, Manifest
from ennead_models.manifest import ModelManifest
from ennead_models.records import InstalledModel, events_of
from ennead_pipelines.jobs.states import now
from ennead_pipelines.lanes import Sight
from ennead_pipelines.networks.agreement import agreement
from ennead_pipelines.networks.answer import runtime_of, trained_on
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.networks.drift import drift
from ennead_pipelines.networks.validate import reports_of
from ennead_pipelines.site.certificates import certificate_rows, judged
from ennead_pipelines.site.thresholds import threshold_rows

_CARD_CHARACTERS = 200_000


def facts_of(
    connection: Connection,
    package: DiscoveredPackage,
    versions: Sequence[ModelPackage],
    sight: Sight,
    today: dt.date,
    language: str,
) -> dict[str, Any]:
    """The whole document (docs/reference/model-facts-api.md); titles are by language.

    Parameters
    ----------
    versions : sequence of ModelPackage
        Versions of the same model that the asker may see; empty for a package.
    today : date
        In the site's time zone, for certificates.
    """
    manifest = package.manifest
    assert manifest is not None
    model = package.model if isinstance(package, ModelPackage) else None
    seen = {each.manifest.version for each in versions if each.manifest}
    return {
        "kind": "model" if model else "package",
        "id": package.id,
        "version": manifest.version,
        "title": dict(manifest.title),
        "versions": [
            {
                "version": each.manifest.version,
                "state": str(each.state),
                "lane": each.lane,
            }
            for each in versions
            if each.manifest
        ],
        "generated_at": now(),
        "identity": _identity(package, manifest, model),
        "warnings": _warnings(manifest, model),
        "mechanism": _mechanism(package, manifest, model),
        "training_data": {"text": trained_on(model.manifest) if model else _said(manifest)},
        "evidence": _evidence(model),
        "local_validation": _validation(connection, model, seen),
        "agreement": agreement(connection, package.id),
        "drift": drift(connection, package.id, manifest.version, sight),
        "thresholds": _thresholds(connection, manifest),
        "licence": _licence(manifest, model),
        "certificates": [
            each.as_json(language) | {"version": each.row.package_version}
            for each in judged(
                certificate_rows(connection, package.id).get(package.id, []),
                manifest.version,
                today,
            )
        ],
        "maintenance": {
            "owners": list(manifest.owners),
            "history": _history(connection, package.id, seen) if model else None,
        },
    }


def _identity(
    package: DiscoveredPackage, manifest: Manifest, model: InstalledModel | None
) -> dict[str, Any]:
    return {
        "digest": package.digest,
        "weights_sha256": model.manifest.weights.sha256 if model else None,
        "weights_bytes": model.manifest.weights.size_bytes if model else None,
        "runner": model.manifest.runner if model else None,
        "runtime": runtime_of(model.manifest.runner) if model else None,
        "owners": list(manifest.owners),
        "distribution": package.distribution,
        "quality": manifest.quality,
        "installed_at": model.installed_at if model else None,
        "installed_by": model.installed_by if model else None,
    }


def _said(manifest: Manifest) -> str:
    return manifest.intended_use.trained_on


def _warnings(manifest: Manifest, model: InstalledModel | None) -> dict[str, Any]:
    return {
        "contraindications": dict(manifest.intended_use.contraindications),
        "limits": list(model.manifest.evidence.limits) if model else [],
        "trained_on": manifest.intended_use.trained_on,
        "unverified": True,
    }


def _mechanism(
    package: DiscoveredPackage, manifest: Manifest, model: InstalledModel | None
) -> dict[str, Any]:
    kind = model.manifest.output.kind if model else "package"
    count = len(model.manifest.label) if model else len(manifest.output)
    resources: dict[str, Any] = {
        "cpu": manifest.runtime.cpu,
        "ram_gib": manifest.runtime.ram_mib / 1024,
        "vram_gib": manifest.runtime.vram_mib / 1024,
        "precision": list(model.manifest.resources.precision) if model else None,
        "deterministic": manifest.runtime.deterministic,
        "timeout_s": manifest.runtime.timeout_s,
        "measured": dict(model.measured) if model else {},
    }
    return {
        "text": {"key": f"networks.mechanism.{kind}", "values": {"count": count}},
        "kind": kind,
        "family": manifest.algorithm_family.model_dump(),
        "labels": _labels(model.manifest) if model else None,
        "resources": resources,
        "card": _card(package.folder, model.manifest.card if model else "CARD.md"),
    }


def _labels(model: ModelManifest) -> list[dict[str, Any]]:
    return [
        {
            "id": label.id,
            "title": dict(label.title),
            "value": label.value,
            "code": label.type.model_dump(),
            "threshold": label.threshold.model_dump() if label.threshold else None,
            "plausible": label.plausible_ml,
            "colour": list(label.colour),
        }
        for label in model.label
    ]


def _card(folder: Path | None, name: str) -> dict[str, str] | None:
    """The card's text; None when there is none or it cannot be read."""
    if folder is None:
        return None
    try:
        text = (folder / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return {"name": name, "markdown": text[:_CARD_CHARACTERS]}


def _evidence(model: InstalledModel | None) -> dict[str, Any]:
    if model is None:
        return {"tests": None, "limits": [], "reference_case": None}
    evidence = model.manifest.evidence
    return {
        "tests": [test.model_dump() for test in evidence.test],
        "limits": list(evidence.limits),
        "reference_case": {"at": model.reference_at, "result": dict(model.reference)},
    }


def _validation(
    connection: Connection, model: InstalledModel | None, seen: Collection[str]
) -> dict[str, Any] | None:
    if model is None:
        return None
    rows = [row for row in reports_of(connection, model.model) if row.version in seen]
    own = next((row for row in rows if row.version == model.version), None)
    return {
        "reports": [
            {
                "digest": row.report_digest,
                "version": row.version,
                "set": row.set_name,
                "cases": row.cases,
                "at": row.finished_at,
                "by": row.requested_by,
            }
            for row in rows
        ],
        "latest": json.loads(own.report) if own else None,
    }


def _thresholds(connection: Connection, manifest: Manifest) -> list[dict[str, Any]]:
    rows = threshold_rows(connection, manifest.id)
    found = []
    for rule in manifest.threshold:
        row = rows.get(rule.id)
        found.append(
            {
                "id": rule.id,
                "title": dict(rule.title) or {"en": rule.id},
                "value": row.value if row else rule.default,
                "default": rule.default,
                "bounds": list(rule.site_bounds),
                "changed_at": row.changed_at if row else None,
                "changed_by": row.changed_by if row else "",
            }
        )
    return found


def _licence(manifest: Manifest, model: InstalledModel | None) -> dict[str, Any]:
    text = ""
    if model and model.manifest.licence_file:
        try:
            path = model.folder / model.manifest.licence_file
            text = path.read_text(encoding="utf-8", errors="replace")[:_CARD_CHARACTERS]
        except OSError:
            text = ""
    return {
        "spdx": manifest.licence,
        "text": text,
        "accepted_by": model.licence_accepted_by if model else None,
        "accepted_at": model.licence_accepted_at if model else None,
        "code_accepted": model.code_accepted if model else None,
    }


def _history(connection: Connection, model: str, seen: Collection[str]) -> list[Mapping[str, Any]]:
    """What happened to the versions that the asker may see, newest first."""
    return [
        {
            "at": event.at,
            "version": event.version,
            "action": event.action,
            "from": event.from_state,
            "to": event.to_state,
            "reason": event.reason,
            "by": event.by,
        }
        for event in events_of(connection, model)
        if event.version in seen
    ]
