"""Encoding the examples of ``ennead.testing.results``."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ennead.findings import Result
from ennead.geometry import Grid
from ennead.testing.results import (
    SERIES_UID,
    STUDY_UID,
    example_manifest,
    example_results,
    source_headers,
)
from ennead_pipelines.encode import EncodedResults, ResultIdentity, SourceSeries, encode

AT = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)


def identity(**changes: Any) -> ResultIdentity:
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
            "identity": identity(**(changes or {})),
            "sources": {SERIES_UID: source},
            "organisation": "Bệnh viện Thử nghiệm",
            "seg_encoding": encoding,
            "parameters": {"threshold_hu": "-950"},
            "at": AT,
            **options,
        }
        return encode(example_results(grid) if results is None else results, **given)

    return run
