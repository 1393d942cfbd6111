"""Follow studies until every job of theirs has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from ennead.cli.stow import Client

END_STATES: Final = frozenset({"done", "refused", "failed", "superseded"})
#: A study without any job after this long has nothing to wait for.
NO_JOB_AFTER_S: Final = 120.0


@dataclass(slots=True)
class Followed:
    """Where one study stands; ``state`` is ``waiting``, ``running`` or an end."""

    study_uid: str
    title: str
    state: str = "waiting"
    fraction: float = 0.0
    step: str = ""
    began: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in END_STATES or self.state == "none"

    @property
    def failed(self) -> bool:
        """Whether it ended badly; a refusal with a reason is not bad."""
        return self.state in ("failed", "none")

    def look(self, client: Client) -> None:
        """Ask the server again."""
        status, body = client.get(f"/api/v1/studies/{quote(self.study_uid)}/jobs")
        jobs = body["jobs"] if status == 200 and isinstance(body, dict) else []
        self.state, self.fraction, self.step = summarise(jobs)
        if not jobs and time.monotonic() - self.began > NO_JOB_AFTER_S:
            self.state = "none"


def summarise(jobs: list[Mapping[str, Any]]) -> tuple[str, float, str]:
    """State, fraction done and present step of a study from its jobs.

    Superseded jobs do not count beside others. One failed job makes the study failed; a study is
    refused only when every job was.
    """
    counted = [j for j in jobs if j["state"] != "superseded"] or jobs
    if not counted:
        return "waiting", 0.0, ""
    open_jobs = [j for j in counted if j["state"] not in END_STATES]
    done = [1.0 if j not in open_jobs else float(j.get("fraction") or 0) for j in counted]
    fraction = sum(done) / len(done)
    if open_jobs:
        running = [j for j in open_jobs if j["state"] == "running"]
        return ("running" if running else "waiting"), fraction, str(open_jobs[0].get("step") or "")
    states = {j["state"] for j in counted}
    if "failed" in states:
        return "failed", 1.0, ""
    return ("refused" if states == {"refused"} else "done"), 1.0, ""
