"""Which version of which model runs, in which lane, for whom: read from the model registry."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection


def pilot_readers(connection: Connection) -> Mapping[tuple[str, str], Collection[str]]:
    """Login names of the readers chosen for each pilot, by model id and version."""
    del connection
    return {}
