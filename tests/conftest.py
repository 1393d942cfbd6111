"""Tests of a specialty package skip, saying so, when its folder was deleted."""

import importlib.util
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("package"):
            if importlib.util.find_spec(f"ennead_{marker.args[0]}") is None:
                item.add_marker(pytest.mark.skip(reason=f"package {marker.args[0]} is not here"))
        for marker in item.iter_markers("peer"):
            if not Path(marker.args[0]).exists():
                item.add_marker(pytest.mark.skip(reason=f"{marker.args[0]} is not installed"))
