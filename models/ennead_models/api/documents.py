"""JSON of models and their history; shapes: docs/reference/models-api.md."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ennead_models.folders import DiscoveredModel
from ennead_models.lifecycle import TRANSITIONS
from ennead_models.manifest import ModelManifest
from ennead_models.records import InstalledModel, ModelEvent
from ennead_models.weights import WeightsStore


def version_document(
    found: DiscoveredModel | None,
    row: InstalledModel | None,
    store: WeightsStore,
    language: str,
    *,
    full: bool,
) -> dict[str, Any]:
    """One version: as found in a folder, as installed, or both.

    Parameters
    ----------
    full : bool
        For scientists: also where it lies, who moved it, and what may come next.
    """
    manifest = row.manifest if row else found.manifest if found else None
    document: dict[str, Any] = {
        "version": row.version if row else found.version if found else "",
        "state": str(row.state) if row else None,
        "installed": row is not None,
        "digest": row.digest if row else found.digest if found else "",
        "error": (found.error if found else "") or None,
        **_what(manifest, found, language),
    }
    if full:
        document |= _managed(found, row, manifest, store)
    return document


def event_document(event: ModelEvent) -> dict[str, Any]:
    """One line of a model's history."""
    return {
        "id": event.id,
        "at": _moment(event.at),
        "version": event.version,
        "action": event.action,
        "from": event.from_state or None,
        "to": event.to_state or None,
        "reason": event.reason,
        "by": event.by,
        "detail": dict(event.detail),
    }


def _what(
    manifest: ModelManifest | None, found: DiscoveredModel | None, language: str
) -> dict[str, Any]:
    if manifest is None:
        return {"title": found.id if found else "", "runner": None, "licence": None}
    use = manifest.intended_use
    return {
        "title": manifest.title[language],
        "runner": manifest.runner,
        "licence": manifest.licence,
        "intended_use": {
            "text": use.text[language],
            "status": use.status,
            "trained_on": use.trained_on,
        },
        "modality": manifest.input.modality,
        "body_part": manifest.input.body_part,
        "kind": manifest.output.kind,
        "labels": [
            {
                "id": label.id,
                "value": label.value,
                "title": label.title[language],
                "colour": list(label.colour),
                "code": label.type.model_dump(),
                "threshold": label.threshold.model_dump() if label.threshold else None,
            }
            for label in manifest.label
        ],
    }


def _managed(
    found: DiscoveredModel | None,
    row: InstalledModel | None,
    manifest: ModelManifest | None,
    store: WeightsStore,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "source": found.source if found else None,
        "weights": None,
        "next": sorted(TRANSITIONS[row.state]) if row else [],
    }
    if manifest:
        weights = manifest.weights
        document["weights"] = {
            "sha256": weights.sha256,
            "size_bytes": weights.size_bytes,
            "url": weights.url or None,
            "present": store.has(weights.sha256),
        }
    if row:
        document |= {
            "licence_accepted_by": row.licence_accepted_by,
            "licence_accepted_at": _moment(row.licence_accepted_at),
            "code_accepted": row.code_accepted,
            "reference": dict(row.reference),
            "reference_at": _moment(row.reference_at),
            "pilot": row.pilot.document(),
            "previous": row.previous or None,
            "measured": dict(row.measured),
            "installed_at": _moment(row.installed_at),
            "installed_by": row.installed_by,
            "changed_at": _moment(row.changed_at),
            "changed_by": row.changed_by,
        }
    return document


def _moment(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
