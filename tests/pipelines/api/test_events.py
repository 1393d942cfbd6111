"""Server-sent events: one reader for all pages."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from ennead.database import Database
from ennead.security import SYSTEM
from ennead_pipelines.api import feed as feed_module
from ennead_pipelines.api.events import _lines
from ennead_pipelines.api.feed import Feed, Listener
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.packages import PackageCatalogue


def test_two_pages_hear_the_same_from_one_thread(
    database: Database,
    catalogue: PackageCatalogue,
    send: Callable[..., str],
    settle: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 0.02)

    async def run() -> tuple[list[str], list[str], str]:
        feed = Feed(database)
        pages = [Listener(asyncio.get_running_loop(), SYSTEM) for _ in range(2)]
        for page in pages:
            feed.subscribe(page)
        assert feed._thread is not None
        thread = feed._thread
        lines = [_lines(feed, page, "vi", catalogue) for page in pages]
        for each in lines:
            assert (await anext(each)).startswith("retry:")
        await asyncio.sleep(0.3)
        study = await asyncio.to_thread(_happen, database, send, settle)
        heard: list[list[str]] = [[], []]
        for page_lines, mine in zip(lines, heard, strict=True):
            while not any("đang đo" in line for line in mine):
                mine.append(await asyncio.wait_for(anext(page_lines), 10))
        assert feed._thread is thread
        for each in lines:
            await each.aclose()
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()
        return heard[0], heard[1], study

    first, second, study = asyncio.run(run())
    assert first == second
    events = [_parse(line) for line in first]
    assert ("study", {"study_uid": study}) in events
    running = [data for kind, data in events if kind == "job"][-1]
    assert (running["package"], running["state"], running["fraction"]) == (
        "sample",
        "running",
        0.4,
    )
    assert running["step"] == "đang đo"


def _happen(database: Database, send: Any, settle: Any) -> str:
    study: str = send()
    settle()
    queue = JobQueue(database, "here/1", 30)
    (job,) = queue.claim(1)
    queue.progress({job.id: (0.4, "jobs.step.measuring")})
    return study


def _parse(line: str) -> tuple[str, dict[str, Any]]:
    kind, data = line.strip().split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_page_that_reads_too_slowly_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BACKLOG", 3)

    async def run() -> None:
        listener = Listener(asyncio.get_running_loop(), SYSTEM)
        for n in range(5):
            listener.offer(feed_module.Message("study", {"n": n}))
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionError):
            while True:
                assert await listener.next(0.1) is not None

    asyncio.run(run())
