"""Where series came from: the sender that the receive path keeps with every instance."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from ennead_pacs.index.tables import instances, series, studies


def series_sources(connection: Connection, study_uid: str) -> dict[str, str]:
    """Series UID → ``source`` of its first instance (``dimse:AE@address``, ``stow:user`` …).

    One index look-up a series: the first entry of ``instances_series``.
    """
    first = (
        select(instances.c.source)
        .where(instances.c.series_key == series.c.id)
        .order_by(instances.c.number, instances.c.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(series.c.series_uid, first.label("source"))
        .select_from(series.join(studies, series.c.study_key == studies.c.id))
        .where(studies.c.study_uid == study_uid, series.c.instance_count > 0)
    )
    return {row.series_uid: row.source or "" for row in rows}


def recent_sources(connection: Connection, limit: int = 200) -> Collection[str]:
    """Distinct sources of the newest ``limit`` series, sorted."""
    newest = select(series.c.id).order_by(series.c.id.desc()).limit(limit).subquery()
    first = (
        select(instances.c.source)
        .where(instances.c.series_key == newest.c.id)
        .order_by(instances.c.number, instances.c.id)
        .limit(1)
        .scalar_subquery()
    )
    found = connection.execute(select(first).select_from(newest)).scalars()
    return sorted({source for source in found if source})
