"""The event channel: what happens to workitems, to those who subscribed (PS3.18 §8.10.4, §11.13).

One reader of the database serves all channels of a web process
(:class:`ennead_pipelines.api.feed.Feed`). What happens while no channel is open is not kept: a
performer that connects again asks for what it missed by a search.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from sqlalchemy import Connection

from ennead.database import Database
from ennead.errors import NotFound
from ennead.security import Principal
from ennead_pipelines.api.feed import Message
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.ups.dataset import Dataset, element, progress_item, sequence
from ennead_pipelines.ups.identity import GLOBAL, UPS_EVENT
from ennead_pipelines.ups.states import UPSState
from ennead_pipelines.ups.subscriptions import of_ae_title, wants
from ennead_pipelines.ups.workitem import Workitem, find_workitem, uids_of

#: Event Type ID (PS3.4 Table CC.2.4-1).
STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT = 1, 2, 3
_EVENT_REPORT_REQUEST: Final = 256


class Channel:
    """One open channel: which messages concern it, and how they are said.

    Parameters
    ----------
    ae_title : str
        Whose subscriptions it serves.
    language : str
        Of the texts in reports.
    """

    def __init__(
        self, database: Database, ae_title: str, principal: Principal, language: str
    ) -> None:
        self._database = database
        self._ae_title = ae_title
        self._principal = principal
        self._language = language
        self._numbers = count(1)
        self._states: dict[str, UPSState] = {}

    def greeting(self) -> list[Dataset]:
        """The state of every workitem that is subscribed to by name."""
        with self._database.read() as connection:
            rows = of_ae_title(connection, self._ae_title)
            named = sorted(row.uid for row in rows if row.subscribed and row.uid != GLOBAL)
            return [report for uid in named for report in self._state(connection, uid)]

    def reports(self, message: Message) -> list[Dataset]:
        """The event reports that a message gives rise to, usually none or one."""
        data = message.data
        with self._database.read() as connection:
            if message.kind == "subscribed":
                mine = data["ae_title"] == self._ae_title and data["uid"] != GLOBAL
                return self._state(connection, data["uid"]) if mine else []
            if message.kind == "cancel_requested":
                return self._cancel(connection, data)
            if message.kind == "job":
                return self._job(connection, data)
        return []

    def _job(self, connection: Connection, data: Mapping[str, Any]) -> list[Dataset]:
        uid = self._wanted(connection, data["job"])
        if uid is None:
            return []
        workitem = self._find(connection, uid)
        if workitem is None:
            return []
        if self._states.get(uid) is not workitem.state:
            return self._state(connection, uid)
        if workitem.state is not UPSState.IN_PROGRESS:
            return []
        item = progress_item(workitem, self._language)
        return [self._report(uid, PROGRESS_REPORT, {"00741002": sequence(item)})]

    def _cancel(self, connection: Connection, data: Mapping[str, Any]) -> list[Dataset]:
        uid = self._wanted(connection, data["job"])
        if uid is None:
            return []
        said: Dataset = {
            "0074100C": element("PN", {"Alphabetic": data["by"]} if data["by"] else None),
            "00741238": element("LT", data["reason"]),
        }
        return [self._report(uid, CANCEL_REQUESTED, said)]

    def _state(self, connection: Connection, uid: str) -> list[Dataset]:
        workitem = self._find(connection, uid)
        if workitem is None:
            return []
        self._states[uid] = workitem.state
        said: Dataset = {
            "00404041": element("CS", "READY"),
            "00741000": element("CS", str(workitem.state)),
        }
        if workitem.state is UPSState.CANCELED:
            item = progress_item(workitem, self._language)
            said |= {tag: item[tag] for tag in ("00741238", "0074100E")}
        return [self._report(uid, STATE_REPORT, said)]

    def _wanted(self, connection: Connection, job_id: str) -> str | None:
        uids, created_at = uids_of(connection, job_id)
        if created_at is None:
            return None
        return wants(of_ae_title(connection, self._ae_title), uids, created_at)

    def _find(self, connection: Connection, uid: str) -> Workitem | None:
        try:
            return find_workitem(connection, uid, sight_of(connection, self._principal))
        except NotFound:
            return None

    def _report(self, uid: str, kind: int, said: Dataset) -> Dataset:
        found: Dataset = {
            "00000002": element("UI", UPS_EVENT),
            "00000100": element("US", _EVENT_REPORT_REQUEST),
            "00000110": element("US", next(self._numbers) % 65536),
            "00001000": element("UI", uid),
            "00001002": element("US", kind),
            **said,
        }
        return {tag: found[tag] for tag in sorted(found)}
