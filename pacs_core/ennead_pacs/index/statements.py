"""The statements of the receive path, compiled once to the driver's own form.

At hundreds of objects a second SQLAlchemy's execution layer costs more than the database does, so
the hot path hands compiled SQL and bound values to the driver's cursor. The SQL still comes from
the table definitions.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import bindparam, insert, literal_column, select, update

from ennead.events import outbox
from ennead_pacs.index.compiling import driver_sql, insert_all
from ennead_pacs.index.tables import instances, series, studies


class Statements:
    """SQL text per statement; parameters are named.

    Parameters
    ----------
    is_sqlite : bool
        Which of the two dialects to compile for.
    """

    def __init__(self, is_sqlite: bool) -> None:
        self.is_sqlite = is_sqlite
        sql = partial(driver_sql, is_sqlite=is_sqlite)
        self.insert_instance = insert_all(instances, is_sqlite)
        self.find_instance = sql(
            select(
                instances.c.id,
                instances.c.sha256,
                instances.c.state,
                instances.c.location,
                series.c.series_uid,
                studies.c.study_uid,
            )
            .select_from(
                instances.join(series, instances.c.series_key == series.c.id).join(
                    studies, series.c.study_key == studies.c.id
                )
            )
            .where(instances.c.instance_uid == bindparam("instance_uid"))
        )
        self.heal_instance = sql(
            update(instances)
            .where(instances.c.id == bindparam("key"))
            .values(
                location=bindparam("location"),
                state=bindparam("state"),
                size_bytes=bindparam("size_bytes"),
                dataset_offset=bindparam("dataset_offset"),
                transfer_syntax_uid=bindparam("transfer_syntax_uid"),
            )
        )
        self.count_series = sql(
            update(series)
            .where(series.c.id == bindparam("key"))
            .values(
                instance_count=series.c.instance_count + bindparam("added"),
                updated_at=bindparam("updated_at"),
            )
        )
        self.count_study = sql(
            update(studies)
            .where(studies.c.id == bindparam("key"))
            .values(
                instance_count=studies.c.instance_count + bindparam("added"),
                updated_at=bindparam("updated_at"),
            )
        )
        event: dict[str, Any] = {
            name: bindparam(name) for name in ("kind", "study_uid", "payload", "created_at")
        }
        event["transaction_id"] = literal_column(
            "0" if is_sqlite else "pg_current_xact_id()::text::bigint"
        )
        self.publish = sql(insert(outbox).values(**event))

    def time(self, value: dt.datetime) -> Any:
        """An aware time in the form :class:`ennead.database.UTCDateTime` stores."""
        if self.is_sqlite:
            return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return value

    def document(self, value: Mapping[str, Any]) -> str:
        """JSON in the form :data:`ennead.database.JSONDocument` stores."""
        return json.dumps(value)
