"""Two hundred studies at once: are priorities kept, does anything starve, does memory stay bounded?

    python -m benchmarks.burst [--studies 200] [--slices 24] [--size 128] [--work-s 0.05]
                               [--sandbox] [--docs]

A whole instance (web, DIMSE, worker, local Ray) with three sample packages receives all studies as
fast as they can be sent; a rule of the site makes some of them stat. While the jobs run, the queue
is asked four times a second as a page would. Printed: studies an hour, jobs that began before one
with an earlier turn, the longest waits, memory of the whole instance, and how fast the queue
answered. ``--docs`` writes ``docs/reference/burst.md``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import create_engine, select

from benchmarks.processes import tree
from ennead.geometry import Grid
from ennead.testing import journeys, sample
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead_pipelines.jobs.order import STEP_S
from ennead_pipelines.jobs.overview import quantile
from ennead_pipelines.tables import jobs

PACKAGES: Final = ("burst_a", "burst_b", "burst_c")
#: The peak hour of MONAI Deploy's published performance results: studies.
PEER_PER_HOUR: Final = 225.0
#: Every so many studies is an emergency.
STAT_EVERY: Final = 10
QUIET_S: Final = 1.0
_LONGEST_S: Final = 3600.0
#: Starts this close together are one: claiming takes several jobs at once.
_TOGETHER_S: Final = 1.0
PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "burst.md"


@dataclass
class Watch:
    """What was seen while the jobs ran."""

    latencies_s: list[float] = field(default_factory=list)
    failures: int = 0
    rss_mib: list[float] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """The figures."""

    studies: int
    jobs: int
    not_done: int
    seconds: float
    sent_s: float
    inversions: int
    compared: int
    longest_wait_s: dict[int, float]
    mean_wait_s: dict[int, float]
    watch: Watch

    @property
    def per_hour(self) -> float:
        """Studies an hour, from the first image sent to the last report stored."""
        return self.studies / self.seconds * 3600


def install_packages(folder: Path) -> None:
    """A distribution with three copies of the sample package, found through PYTHONPATH."""
    source = Path(sample.__file__).parent
    text = (source / "package.toml").read_text(encoding="utf-8")
    info = folder / "burst_samples-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: burst-samples\nVersion: 1.0\n")
    lines = ["[ennead.packages]"]
    for number, name in enumerate(PACKAGES):
        home = folder / name
        home.mkdir()
        (home / "__init__.py").write_text("")
        own = text.replace('id = "sample"', f'id = "{name}"', 1)
        own = own.replace("series_block = 8", f"series_block = {number + 5}")
        own = own.replace("timeout_s = 4.0", "timeout_s = 120.0", 1)
        (home / "package.toml").write_text(own, encoding="utf-8")
        shutil.copytree(source / "texts", home / "texts")
        lines.append(f"{name} = {name}:package.toml")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def write_studies(folder: Path, count: int, slices: int, size: int, work_s: float) -> list[str]:
    """Small chest CTs; every tenth says that it is an emergency. Returns their UIDs."""
    chance = np.random.default_rng(1)
    uids = []
    for number in range(count):
        grid = Grid(
            shape=(slices, size, size),
            origin_mm=(0.0, 0.0, 0.0),
            axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
            spacing_mm=(2.0, 1.0, 1.0),
            frame_of_reference_uid=f"1.2.3.{number}",
        )
        values = chance.normal(-800.0, 20.0, grid.shape).astype(np.float32)
        values[2:-2, size // 4 : size // 2, size // 4 : size // 2] = 100.0
        uid = f"1.2.840.77.{number + 1}"
        attributes: dict[str, Any] = {
            "BodyPartExamined": "CHEST",
            "KVP": 120,
            "SliceThickness": 2,
            "PatientID": f"B{number:04}",
            "StudyInstanceUID": uid,
            "StudyDescription": "CT cap cuu" if number % STAT_EVERY == STAT_EVERY - 1 else "CT",
            "SeriesDescription": f"slow {work_s}" if work_s else "CT",
        }
        write_series(values, grid, folder / f"{number:04}", **attributes)
        uids.append(uid)
    return uids


def emergencies_first(instance: Instance) -> None:
    """A rule of the site: what its description calls an emergency is stat."""
    current = instance.client.get("/api/v1/rules").json()
    rule = {
        "name": "Cấp cứu trước",
        "condition": {"study_description": ["cap cuu"]},
        "action": {"priority": "stat"},
    }
    answer = instance.client.put(
        "/api/v1/rules", json={"revision": current["revision"], "rules": [rule]}
    )
    answer.raise_for_status()


def watch(instance: Instance, stop: threading.Event, found: Watch) -> None:
    """Ask for the queue as a page would, and look at the memory."""
    while not stop.wait(0.25):
        begun = time.perf_counter()
        try:
            answer = instance.client.get("/api/v1/queue")
            answer.raise_for_status()
            found.waiting.append(answer.json()["counts"]["waiting"])
        except Exception:
            found.failures += 1
        found.latencies_s.append(time.perf_counter() - begun)
        if len(found.latencies_s) % 8 == 0:
            found.rss_mib.append(_memory_mib(instance.pid))


def _memory_mib(root: int) -> float:
    """Memory of the instance that is its own, and the object store once."""
    own = shared = 0
    for pid in tree(root):
        try:
            text = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        own += _kib(text, "RssAnon:")
        shared = max(shared, _kib(text, "RssShmem:"))
    return (own + shared) / 1024


def _kib(status: str, name: str) -> int:
    _, found, rest = status.partition(name)
    return int(rest.split()[0]) if found else 0


def wait_until_done(instance: Instance, expected: int) -> None:
    """Until no job waits or runs."""
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        rows = _rows(instance)
        if len(rows) >= expected and not [r for r in rows if r.state in ("waiting", "running")]:
            return
        time.sleep(1.0)
    raise SystemExit("the jobs do not end")


def _rows(instance: Instance) -> Sequence[Any]:
    engine = create_engine(f"sqlite:///{instance.home / 'ennead.sqlite3'}")
    try:
        with engine.connect() as connection:
            return connection.execute(select(jobs)).all()
    finally:
        engine.dispose()


def judge(rows: Sequence[Any], sent_at: dt.datetime, sent_s: float, found: Watch) -> Result:
    """Order, waits and rates from the jobs as they ended."""
    turns = {r.id: r.not_before.timestamp() + r.priority * STEP_S for r in rows}
    starts = {r.id: r.started_at.timestamp() for r in rows}
    inversions = compared = 0
    for row in rows:
        for other in rows:
            there = other.not_before.timestamp() < starts[row.id] - _TOGETHER_S
            if there and starts[other.id] > starts[row.id] + _TOGETHER_S:
                compared += 1
                inversions += turns[other.id] < turns[row.id] - _TOGETHER_S
    waits: dict[int, list[float]] = {}
    for row in rows:
        waits.setdefault(row.priority, []).append(starts[row.id] - row.not_before.timestamp())
    return Result(
        studies=len({r.study_uid for r in rows}),
        jobs=len(rows),
        not_done=sum(r.state != "done" for r in rows),
        seconds=(max(r.finished_at for r in rows) - sent_at).total_seconds(),
        sent_s=sent_s,
        inversions=inversions,
        compared=compared,
        longest_wait_s={p: max(w) for p, w in sorted(waits.items())},
        mean_wait_s={p: statistics.mean(w) for p, w in sorted(waits.items())},
        watch=found,
    )


def lines(result: Result) -> list[tuple[str, str]]:
    """What to print: name and value."""
    ordered = sorted(result.watch.latencies_s)
    memory = result.watch.rss_mib or [0.0]
    half = len(memory) // 2
    waits = [
        f"{name}: mean {result.mean_wait_s[p]:.0f} s, longest {result.longest_wait_s[p]:.0f} s"
        for p, name in ((10, "stat"), (50, "routine"))
        if p in result.mean_wait_s
    ]
    return [
        ("studies, jobs", f"{result.studies}, {result.jobs} ({result.not_done} not done)"),
        ("sent within", f"{result.sent_s:.0f} s"),
        ("first image sent to last report stored", f"{result.seconds:.0f} s"),
        ("studies an hour", f"{result.per_hour:.0f} ({result.per_hour / PEER_PER_HOUR:.1f} × 225)"),
        ("jobs an hour", f"{result.jobs / result.seconds * 3600:.0f}"),
        ("pairs that began against their turns", f"{result.inversions} of {result.compared}"),
        ("waits", "; ".join(waits)),
        ("most jobs waiting", f"{max(result.watch.waiting, default=0)}"),
        (
            "memory of the whole instance",
            f"first half at most {max(memory[: half or 1]):.0f} MiB, second half "
            f"{max(memory[half:]):.0f} MiB",
        ),
        (
            "queue answered, p50 and p95",
            f"{1000 * quantile(ordered, 0.5):.0f} ms, {1000 * quantile(ordered, 0.95):.0f} ms "
            f"({len(ordered)} times, {result.watch.failures} failed)",
        ),
    ]


def run(arguments: argparse.Namespace, work: Path) -> Result:
    """Send everything and wait."""
    packages = work / "packages"
    install_packages(packages)
    uids = write_studies(
        work / "studies", arguments.studies, arguments.slices, arguments.size, arguments.work_s
    )
    os.environ["PYTHONPATH"] = str(packages)
    values: dict[str, object] = {
        "pipelines__quiet_s": QUIET_S,
        "pipelines__sandbox": "preferred" if arguments.sandbox else "off",
    }
    instance = Instance(work / "home", values)
    stop, found = threading.Event(), Watch()
    try:
        instance.start()
        listed = instance.client.get("/api/v1/packages").json()["packages"]
        for package in listed:
            wanted = "enable" if package["id"] in PACKAGES else "disable"
            instance.client.post(f"/api/v1/packages/{package['id']}/{wanted}")
        emergencies_first(instance)
        time.sleep(arguments.warm_s)
        beside = threading.Thread(target=watch, args=(instance, stop, found), daemon=True)
        beside.start()
        sent_at = dt.datetime.now(dt.UTC)
        journeys.send(instance, work / "studies")
        sent_s = (dt.datetime.now(dt.UTC) - sent_at).total_seconds()
        wait_until_done(instance, len(uids) * len(PACKAGES))
        stop.set()
        beside.join(timeout=30)
        return judge(_rows(instance), sent_at, sent_s, found)
    finally:
        stop.set()
        instance.close()


_PAGE = """# A burst of studies

`python -m benchmarks.burst --docs` sends {studies} chest CTs of {slices} slices ({size} × {size})
to one instance as fast as it takes them; three packages run on each, {jobs} jobs in all, and every
tenth study is an emergency by a rule of the site. Measured on {cores} cores with SQLite, everything
on one machine, sender included{sandbox}.

| | |
|--|--|
{table}

Priorities are kept when no pair of waiting jobs began against its turns (claims within one second
of each other count as one). Nothing starves because waiting jobs age: see [rules](rules.md).

MONAI Deploy's published performance results take the peak hour of one UK trust as their load: 225
studies, about 164 runs of a model. What differs: there studies were of real size and the
applications networks on a GPU; here studies are small and the packages threshold a volume and
compute for {work_s:g} s, so the figure above is what the platform itself can carry (receiving,
settling, selecting, decoding, checking, writing SEG and SR, storing them), not what a network can.
"""


def write_page(result: Result, arguments: argparse.Namespace) -> None:
    """The reference page."""
    PAGE.write_text(
        _PAGE.format(
            studies=result.studies,
            jobs=result.jobs,
            slices=arguments.slices,
            size=arguments.size,
            cores=os.cpu_count(),
            sandbox=", packages in the sandbox" if arguments.sandbox else "",
            table="\n".join(f"| {name} | {value} |" for name, value in lines(result)),
            work_s=arguments.work_s,
        ),
        encoding="utf-8",
    )


def main() -> int:
    """Run; status 1 when a job is not done, an order was broken or the queue failed to answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--work-s", type=float, default=0.05, help="computing time of a package")
    parser.add_argument("--warm-s", type=float, default=20.0, help="before the first image")
    parser.add_argument("--sandbox", action="store_true", help="run the packages in the sandbox")
    parser.add_argument("--docs", action="store_true", help="write the reference page")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="ennead-burst-"))
    try:
        result = run(arguments, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name, value in lines(result):
        print(f"{name:<40} {value}")
    if arguments.docs:
        write_page(result, arguments)
    return 1 if result.not_done or result.inversions or result.watch.failures else 0


if __name__ == "__main__":
    sys.exit(main())
