"""Rules put in force, and studies that come from a named sender."""

from collections.abc import Callable
from typing import Any

import pytest

from ennead.contracts import Archive
from ennead.database import Database
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM
from ennead_pipelines.site.problems import parse_rules
from ennead_pipelines.site.store import current_rules, replace_rules
from ennead_pipelines.site.validate import check_rules


@pytest.fixture
def put_rules(database: Database, sample: DiscoveredPackage) -> Callable[..., int]:
    """Put rules in force, checked; returns their revision."""

    def put(*rules: dict[str, Any]) -> int:
        parsed = parse_rules(list(rules))
        check_rules(parsed, [sample])
        with database.begin() as connection:
            number = current_rules(connection).number
            return replace_rules(connection, parsed, number, SYSTEM).number

    return put


@pytest.fixture
def arrive(archive: Archive, ct_files: Callable[..., Any]) -> Callable[..., str]:
    """Store a small CT series that ``source`` sent; returns its Study Instance UID."""

    def store(source: str, seed: str = "1", **attributes: Any) -> str:
        study = ""
        for path in ct_files(seed=seed, **attributes):
            study = archive.store(path.read_bytes(), source=source).study_uid
        return study

    return store
