"""What a rule may say here: what is installed, and what recent series said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from ennead.plugins import DiscoveredPackage
from ennead.texts import translate
from ennead_pacs.index import recent_sources, series
from ennead_pipelines.networks.as_package import ModelPackage, lane_of
from ennead_pipelines.packages import PackageState, states
from ennead_pipelines.render import title
from ennead_pipelines.site.rules import LANES, PRIORITIES
from ennead_pipelines.site.windows import WEEKDAYS

_RECENT: Final = 1000


def rule_options(
    connection: Connection, packages: Sequence[DiscoveredPackage], language: str
) -> dict[str, Any]:
    """``packages``, ``priorities``, ``lanes``, ``weekdays``, ``seen``."""
    return {
        "packages": [_package(each, language) for each in states(connection, packages)],
        "priorities": [
            {"id": name, "title": translate(f"rules.priority.{name}", language), "value": value}
            for name, value in PRIORITIES.items()
        ],
        "lanes": [
            {"id": name, "title": translate(f"rules.lane.{name}", language)} for name in LANES
        ],
        "weekdays": [
            {"id": name, "title": translate(f"rules.weekday.{name}", language)} for name in WEEKDAYS
        ],
        "seen": _seen(connection),
    }


def _package(state: PackageState, language: str) -> dict[str, Any]:
    package, manifest = state.package, state.package.manifest
    return {
        "id": package.id,
        "title": title(manifest.title, language, package.id) if manifest else package.id,
        "version": manifest.version if manifest else "",
        "enabled": state.enabled,
        "model": isinstance(package, ModelPackage),
        "lane": lane_of(package),
        "thresholds": [
            {
                "id": each.id,
                "title": title(each.title, language, each.id),
                "default": each.default,
                "bounds": list(each.site_bounds),
            }
            for each in (manifest.threshold if manifest else ())
        ],
    }


def _seen(connection: Connection) -> dict[str, list[str]]:
    """Distinct values of the newest series; sources without the sender's address."""
    newest = connection.execute(
        select(series.c.modality, series.c.body_part, series.c.station_name)
        .order_by(series.c.id.desc())
        .limit(_RECENT)
    ).all()
    sources = {source.partition("@")[0] for source in recent_sources(connection)}
    ours = ("pipeline:", "review:")
    return {
        "source": sorted(each for each in sources if not each.startswith(ours)),
        "modality": sorted({row.modality for row in newest if row.modality}),
        "body_part": sorted({row.body_part for row in newest if row.body_part}),
        "station": sorted({row.station_name for row in newest if row.station_name}),
    }
