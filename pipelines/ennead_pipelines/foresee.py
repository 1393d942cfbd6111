"""Work during the quiet period: series are decoded and anatomy is found before anybody asks.

A study counts as complete when nothing new came for ``quiet_s``. Most studies are complete long
before that, so the series that would be chosen now are decoded meanwhile, and the anatomy that
packages ask for is found in them. When another image comes, the series has another key, and what
was made is given up like any volume that nobody uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from ennead.contracts import Archive
from ennead.errors import EnneadError
from ennead_pipelines.given.given import AnatomyPlan
from ennead_pipelines.jobs import input_digest
from ennead_pipelines.run.inputs import JobInput, load_request
from ennead_pipelines.site.plan import PackagePlan

log = structlog.get_logger(__name__)

#: After this share of the quiet period without a new image, at most so many seconds.
SHARE: Final = 0.1
LONGEST_SECONDS: Final = 0.5


def lead_seconds(quiet_s: float) -> float:
    """How long a study must have been quiet before its series are decoded ahead."""
    return min(LONGEST_SECONDS, SHARE * quiet_s)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A series that a package will ask for, and the anatomy that it wants found there."""

    input: JobInput
    anatomy: tuple[AnatomyPlan, ...] = ()


class Foreseen:
    """Series to prepare: settling puts them in, the loop over jobs takes them out."""

    def __init__(self, archive: Archive, decode_limit_bytes: int) -> None:
        self._archive = archive
        self._limit = decode_limit_bytes
        self._queue: SimpleQueue[Ahead] = SimpleQueue()

    def add(self, plans: Iterable[PackagePlan]) -> None:
        """The series that these plans would run on."""
        for plan in plans:
            if plan.outcome != "run":
                continue
            for name, chosen in plan.selection.inputs.items():
                candidate = chosen.candidate
                try:
                    paths = self._archive.paths(candidate.record.series_uid)
                    request = load_request(
                        plan.study_uid, candidate, chosen.stack, paths, self._limit
                    )
                except EnneadError:  # an image is gone again; the job itself will say so
                    log.info("series not decoded ahead", study_uid=plan.study_uid)
                    continue
                key = input_digest({"series": candidate})
                wanted = JobInput(name, key, request)
                self._queue.put(Ahead(wanted, plan.given.anatomy.get(name, ())))

    def take(self) -> list[Ahead]:
        """What was put in since the last call."""
        found: list[Ahead] = []
        try:
            while True:
                found.append(self._queue.get_nowait())
        except Empty:
            return found
