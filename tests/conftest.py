"""What all tests share: skips that say why, and results encoded from examples."""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ennead.findings import Result
    from ennead.geometry import Grid
    from ennead_pipelines.encode import EncodedResults, ResultIdentity

# Two cores that do other things as well: slowness says nothing about the code.
settings.register_profile(
    "ennead", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("ennead")

AT = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)


#: Tests that start whole servers or Ray: one after the other, beside the light ones.
HEAVY = tuple(
    f"tests/{place}"
    for place in (
        *("journeys", "gpu", "platform/test_serve", "platform/test_process"),
        *("pipelines/run", "pipelines/functions", "pipelines/cluster", "pipelines/anatomy"),
    )
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What stays in one process of ``pytest -n``: all servers together, else each file."""
    from xdist.scheduler import LoadScopeScheduling

    class ServersApart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "servers" if nodeid.startswith(HEAVY) else nodeid.partition("::")[0]

    return ServersApart(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("package"):
            if importlib.util.find_spec(f"ennead_{marker.args[0]}") is None:
                item.add_marker(pytest.mark.skip(reason=f"package {marker.args[0]} is not here"))
        for marker in item.iter_markers("peer"):
            if not Path(marker.args[0]).exists():
                item.add_marker(pytest.mark.skip(reason=f"{marker.args[0]} is not installed"))


def _identity(**changes: Any) -> ResultIdentity:
    from ennead.testing.results import STUDY_UID
    from ennead_pipelines.encode import ResultIdentity

    values: dict[str, Any] = {
        "study_uid": STUDY_UID,
        "package_id": "lung",
        "package_version": "1.2.3",
        "manifest_digest": "sha256:" + "ab" * 32,
        "input_digest": "sha256:" + "cd" * 32,
        "parameters_digest": "sha256:" + "ef" * 32,
        **changes,
    }
    return ResultIdentity(**values)


@pytest.fixture
def encoded() -> Callable[..., EncodedResults]:
    """``encoded(grid, results=None, encoding="labelmap", headers=None, …)``."""
    from ennead.testing.results import (
        SERIES_UID,
        example_manifest,
        example_results,
        source_headers,
    )
    from ennead_pipelines.encode import SourceSeries, encode

    def run(
        grid: Grid,
        results: Sequence[Result] | None = None,
        *,
        encoding: str = "labelmap",
        headers: dict[str, Any] | None = None,
        manifest: dict[str, Any] | None = None,
        changes: dict[str, Any] | None = None,
        **options: Any,
    ) -> EncodedResults:
        source = SourceSeries(source_headers(grid, **(headers or {})), grid)
        given: dict[str, Any] = {
            "manifest": example_manifest(**(manifest or {})),
            "identity": _identity(**(changes or {})),
            "sources": {SERIES_UID: source},
            "organisation": "Bệnh viện Thử nghiệm",
            "seg_encoding": encoding,
            "parameters": {"threshold_hu": "-950"},
            "at": AT,
            **options,
        }
        return encode(example_results(grid) if results is None else results, **given)

    return run
