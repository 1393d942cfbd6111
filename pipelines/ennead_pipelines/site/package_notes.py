"""What a person should know before switching a package on: licence, needs, what it may do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ennead.plugins import DiscoveredPackage, Manifest
from ennead.texts import translate
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.render import title

_NEED: Final = re.compile(r"^([A-Za-z0-9_.-]+?)\s*(?:(>=|==)\s*(\d+(?:\.\d+)*))?$")


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a package uses: ``ct_lobes>=1.2``."""

    model: str
    operator: str = ""
    version: str = ""

    @property
    def wanted(self) -> str:
        """``>=1.2``; "" for any version."""
        return self.operator + self.version

    def fits(self, version: str) -> bool:
        """Whether a version is what is needed."""
        if not self.operator:
            return True
        wanted, found = _numbers(self.version), _numbers(version)
        return found >= wanted if self.operator == ">=" else found == wanted


def need_of(text: str) -> Need:
    """``ct_lobes>=1.2`` taken apart; what is no such text is a name.

    Examples
    --------
    >>> need_of("ct_lobes>=1.2").wanted, need_of("ct_lobes >= 1.2").fits("1.10.0")
    ('>=1.2', True)
    """
    found = _NEED.match(text.strip())
    return Need(*(part or "" for part in found.groups())) if found else Need(text)


def package_notes(
    manifest: Manifest,
    packages: Sequence[DiscoveredPackage],
    language: str,
    *,
    cleared_here: bool,
) -> dict[str, Any]:
    """``licence``, ``dependencies``, ``may``, ``may_not`` in the reader's language."""
    needs = [need_of(text) for text in getattr(manifest, "models", ())]
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
        "dependencies": [_dependency(need, packages, language) for need in needs],
        "may": [*may, translate("rules.notes.may_unverified", language)],
        "may_not": may_not,
    }


def _dependency(need: Need, packages: Sequence[DiscoveredPackage], language: str) -> dict[str, Any]:
    versions = [
        p.manifest.version
        for p in packages
        if isinstance(p, ModelPackage) and p.id == need.model and p.manifest and p.usable
    ]
    fitting = sorted((v for v in versions if need.fits(v)), key=_numbers)
    state = "present" if fitting else "unfit" if versions else "missing"
    values = {
        "id": need.model,
        "needs": need.wanted or translate("rules.notes.any", language),
        "version": fitting[-1] if fitting else ", ".join(sorted(versions, key=_numbers)),
    }
    return {
        "kind": "model",
        "id": need.model,
        "needs": need.wanted,
        "present": bool(fitting),
        "text": translate(f"rules.notes.model_{state}", language, values),
    }


def _numbers(version: str) -> tuple[int, ...]:
    found = [int(part) for part in re.findall(r"\d+", version)]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)
