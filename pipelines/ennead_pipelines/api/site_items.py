"""What the list of packages says about the site: notes and certificates on file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings
from ennead_pipelines.site.certificates import certificate_rows, cleared, judged
from ennead_pipelines.site.package_notes import package_notes


class SiteItems:
    """Read once for a whole list.

    Parameters
    ----------
    packages : sequence
        Everything installed: a package's notes say whether its models are among it.
    """

    def __init__(
        self, connection: Connection, settings: Settings, packages: Sequence[DiscoveredPackage]
    ) -> None:
        self._rows = certificate_rows(connection)
        self._today = dt.datetime.now(settings.portal.zone).date()
        self._packages = packages

    def of(self, package: DiscoveredPackage, language: str) -> dict[str, Any]:
        """``cleared_here``, ``certificates`` and ``notes`` of one package."""
        manifest = package.manifest
        if manifest is None:
            return {"cleared_here": False, "certificates": [], "notes": None}
        found = judged(self._rows.get(package.id, ()), manifest.version, self._today)
        here = cleared(found)
        return {
            "cleared_here": here,
            "certificates": [each.as_json(language) for each in found],
            "notes": package_notes(manifest, self._packages, language, cleared_here=here),
        }
