"""Switches of packages, the command line, and a service that is light to import."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ennead.contracts import Service
from ennead.database import Database
from ennead.errors import Conflict, NotFound
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM
from ennead.settings import Settings
from ennead_pipelines.packages import PackageCatalogue, introduce, states, switch
from ennead_pipelines.reference import Comparison, reproduce
from ennead_pipelines.render import number, render
from ennead_pipelines.service import service
from ennead_pipelines.tables import package_states


def enabled(database: Database, packages: list[DiscoveredPackage]) -> dict[str, bool]:
    with database.read() as connection:
        return {s.package.id: s.enabled for s in states(connection, packages)}


def test_a_fresh_instance_enables_what_is_there_and_later_ones_wait(
    database: Database, sample: DiscoveredPackage
) -> None:
    later = replace(sample, id="later")
    with database.begin() as connection:
        introduce(connection, [sample])
        introduce(connection, [sample, later])
    assert enabled(database, [sample, later]) == {"sample": True, "later": False}
    with database.begin() as connection:
        switch(connection, [sample, later], "later", SYSTEM, enabled=True)
        introduce(connection, [sample, later])
    assert enabled(database, [sample, later]) == {"sample": True, "later": True}


def test_a_broken_package_is_never_on(database: Database, sample: DiscoveredPackage) -> None:
    broken = replace(sample, error="its manifest cannot be read")
    with database.begin() as connection:
        introduce(connection, [broken])
        with pytest.raises(Conflict, match="cannot be read"):
            switch(connection, [broken], "sample", SYSTEM, enabled=True)
    assert enabled(database, [broken]) == {"sample": False}
    with database.begin() as connection:
        introduce(connection, [sample])
        with pytest.raises(NotFound, match="installed are: sample"):
            switch(connection, [sample], "other", SYSTEM, enabled=True)


def test_the_catalogue_looks_again(sample: DiscoveredPackage) -> None:
    found: list[DiscoveredPackage] = []
    catalogue = PackageCatalogue(seconds=0.0, discover=lambda: list(found))
    assert catalogue.get("sample") is None
    found.append(sample)
    assert catalogue.get("sample") is sample


def test_importing_the_service_is_light() -> None:
    assert isinstance(service, Service)
    code = (
        "import sys, ennead_pipelines.service as s\n"
        "heavy = {'ray', 'pydicom', 'highdicom', 'numpy.linalg'} & set(sys.modules)\n"
        "print(sorted(heavy - {'numpy.linalg'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_startup_and_processes(settings: Settings, database: Database) -> None:
    service.startup(settings)
    (process,) = service.processes(settings)
    assert process.target == "ennead_pipelines.worker:run"
    with database.read() as connection:
        rows = connection.execute(select(package_states)).all()
    assert all(row.enabled for row in rows)


def test_a_package_reproduces_its_reference_case(sample: DiscoveredPackage) -> None:
    assert sample.manifest is not None
    # Everything above 50 HU of the chest phantom has a known mean; only that it is compared counts.
    assert list(reproduce(sample.manifest)) == []
    assert Comparison("c", "o", 10.0, 0.5, 10.5).passed
    assert not Comparison("c", "o", 10.0, 0.5, 10.6).passed
    assert not Comparison("c", "o", 10.0, 0.5, None).passed


def _ennead(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ennead.cli", "packages", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_command_line(settings: Settings, database: Database) -> None:
    listed = _ennead(settings.home, "list")
    assert listed.returncode == 0, listed.stderr
    unknown = _ennead(settings.home, "disable", "nothing-of-this-name")
    assert unknown.returncode == 1
    assert "ENN-0401" in unknown.stderr


@pytest.mark.parametrize(
    ("value", "decimals", "language", "shown"),
    [
        (1234.567, 1, "vi", "1234,6"),
        (1234.567, 0, "en", "1235"),
        (-0.04, 1, "en", "0.0"),
        (-935.0, 0, "vi", "-935"),
        (0.5, 2, "vi", "0,50"),
    ],
)
def test_numbers_as_people_write_them(
    value: float, decimals: int, language: str, shown: str
) -> None:
    assert number(value, decimals, language) == shown


@pytest.mark.parametrize(
    ("key", "values", "text"),
    [
        ("", {}, ""),
        (
            "jobs.reason.failed",
            {"attempts": 4, "job": "7", "detail": "jobs.detail.timeout", "timeout_s": 2.5},
            "The computation failed after 4 attempts (longer than 2.5 s); the images are safe. "
            "Job 7.",
        ),
        (
            "timeline.declined",
            {
                "package": {"vi": "Phổi", "en": "Lung"},
                "reason": {"key": "refusal.lossy", "values": {}},
            },
            "Lung declines the study. The images were compressed with loss; their intensities "
            "can no longer be measured.",
        ),
        (
            "timeline.outputs_declined",
            {"package": "p", "outputs": {"titles": [{"en": "A"}, {"en": "B"}]}, "reason": "R."},
            "p will not compute: A, B. R.",
        ),
    ],
)
def test_texts_inside_texts(key: str, values: dict[str, Any], text: str) -> None:
    assert render(key, "en", values) == text


@pytest.mark.parametrize("namespace", ["jobs", "timeline"])
def test_both_languages_say_the_same_things(namespace: str) -> None:
    import re

    from ennead.texts import platform_texts

    texts = {
        language: {
            key: set(re.findall(r"\{(\w+)\}", text))
            for key, text in platform_texts(language).items()
            if key.startswith(f"{namespace}.")
        }
        for language in ("vi", "en")
    }
    assert texts["vi"] == texts["en"]
