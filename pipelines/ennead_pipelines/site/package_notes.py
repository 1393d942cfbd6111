"""What a person should know before switching a package on: licence, needs, what it may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ennead.plugins import DiscoveredPackage, Manifest
from ennead.plugins.models import ModelNeed
from ennead.texts import translate
from ennead_models.folders import version_key
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.render import title


def package_notes(
    manifest: Manifest,
    packages: Sequence[DiscoveredPackage],
    language: str,
    *,
    cleared_here: bool,
) -> dict[str, Any]:
    """``licence``, ``dependencies``, ``may``, ``may_not`` in the reader's language."""
    use = manifest.intended_use
    may = [
        translate(
            "rules.notes.may_output",
            language,
            {
                "kind": translate(f"rules.notes.kind_{output.kind}", language),
                "title": title(output.title, language, output.id),
            },
        )
        for output in manifest.output
    ]
    may_not = list(use.contraindications.get(language, use.contraindications.get("en", [])))
    may_not += [
        translate(f"rules.notes.{key}", language) for key in ("may_not_change", "may_not_reach")
    ]
    if not cleared_here:
        values = {"version": manifest.version}
        may_not.append(translate("rules.notes.may_not_cleared", language, values))
    return {
        "licence": manifest.licence,
        "dependencies": [_dependency(text, packages, language) for text in manifest.models],
        "may": [*may, translate("rules.notes.may_unverified", language)],
        "may_not": may_not,
    }


def _dependency(text: str, packages: Sequence[DiscoveredPackage], language: str) -> dict[str, Any]:
    need = ModelNeed.parse(text)
    versions = [
        p.manifest.version
        for p in packages
        if isinstance(p, ModelPackage) and p.id == need.id and p.manifest and p.usable
    ]
    versions.sort(key=version_key)
    fitting = [version for version in versions if need.fits(version)]
    state = "present" if fitting else "unfit" if versions else "missing"
    wanted = need.how + ".".join(str(part) for part in need.version)
    values = {
        "id": need.id,
        "needs": wanted or translate("rules.notes.any", language),
        "version": fitting[-1] if fitting else ", ".join(versions),
    }
    return {
        "kind": "model",
        "id": need.id,
        "needs": wanted,
        "present": bool(fitting),
        "text": translate(f"rules.notes.model_{state}", language, values),
    }
