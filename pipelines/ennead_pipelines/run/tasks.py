"""What Ray runs: thin shells around :mod:`load` and :mod:`measure`, and the progress board.

Imported by the worker process and by Ray's workers. A Ray worker that has done one job keeps its
imports, so the next one starts at once; :func:`warm` does that before the first job.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import ray

from ennead.contracts import AnatomyProvider, ProgressSink
from ennead_pipelines.run.limits import Overrun
from ennead_pipelines.run.requests import (
    AnatomyFound,
    JobOutput,
    Loaded,
    LoadRequest,
    MeasureRequest,
    Probed,
    ProbeRequest,
)

#: Least seconds between two progress reports of one job.
REPORT_SECONDS: Final = 0.25
#: Niceness of studies' jobs.
BACKGROUND_NICE: Final = 10

_HEAVY: Final = (
    "numpy",
    "scipy.ndimage",
    "SimpleITK",
    "highdicom",
    "pydicom",
    "ennead_pacs.rendering",
    "ennead_pipelines.run.load",
    "ennead_pipelines.run.measure",
)


class ProgressBoard:
    """An actor: the newest report of each job, taken by the worker process."""

    def __init__(self) -> None:
        self._reports: dict[str, tuple[float, str]] = {}
        self._overruns: dict[str, Overrun] = {}

    def report(self, job_id: str, fraction: float, text_key: str) -> None:
        """Keep the newest report of a job."""
        self._reports[job_id] = (fraction, text_key)

    def take(self) -> dict[str, tuple[float, str]]:
        """The reports since the last call."""
        reports, self._reports = self._reports, {}
        return reports

    def overrun(self, job_id: str, passed: Overrun) -> None:
        """Keep why a job's process is about to end itself."""
        self._overruns[job_id] = passed

    def take_overrun(self, job_id: str) -> Overrun | None:
        """Why a job's process ended itself; None when it did not."""
        return self._overruns.pop(job_id, None)


def ender(board: Any, job_id: str) -> Callable[[Overrun], None]:
    """Says which limit the job has passed, then ends this process."""

    def end(passed: Overrun) -> None:
        try:
            ray.get(board.overrun.remote(job_id, passed), timeout=5)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)

    return end


def sink(board: Any, job_id: str) -> ProgressSink:
    """A progress sink that reports at most four times a second, and always a new step."""
    last = (0.0, "")

    def report(fraction: float, text_key: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last[0] >= REPORT_SECONDS or text_key != last[1]:
            last = (now, text_key)
            board.report.remote(job_id, float(fraction), text_key)

    return report


def warm() -> int:
    """Import what every job needs; returns this worker's process id."""
    for name in _HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:  # an optional library of some package
            continue
    time.sleep(0.2)  # so that each worker process gets one of these
    return os.getpid()


def _step_back() -> None:
    """Let go first whatever a person waits for: the web, DIMSE, interactive functions."""
    os.setpriority(os.PRIO_PROCESS, 0, max(BACKGROUND_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def _load(request: LoadRequest) -> Loaded:
    from ennead_pipelines.run.load import load

    _step_back()
    return load(request)


def _probe(requests: tuple[ProbeRequest, ...]) -> Probed:
    from ennead_pipelines.probe.rules import probe

    _step_back()
    return probe(requests)


def _anatomy(name: str, loaded: Loaded, provider: AnatomyProvider | None = None) -> AnatomyFound:
    from ennead_pipelines.run.find_anatomy import find_anatomy

    _step_back()
    return find_anatomy(name, loaded.volume, provider)


def _measure(request: MeasureRequest, board: Any, *parts: Loaded | AnatomyFound) -> JobOutput:
    from ennead_pipelines.run.measure import measure

    _step_back()
    progress = sink(board, request.job_id)
    progress(0.0, "jobs.step.measuring")
    count = len(request.inputs)
    loaded = [each for each in parts[:count] if isinstance(each, Loaded)]
    anatomy = [each for each in parts[count:] if isinstance(each, AnatomyFound)]
    return measure(request, loaded, progress, ender(board, request.job_id), anatomy)


#: Options of every task but those that say their own: keeps them away from excluded nodes.
_placement: dict[str, Any] = {}


def place_tasks(options: Mapping[str, Any]) -> None:
    """From now on, give :func:`placed` tasks these options (in the worker process)."""
    _placement.clear()
    _placement.update(options)


def placed(task: Any) -> Any:
    """The task with the options in force."""
    return task.options(**_placement) if _placement else task


# Retries are the worker process's business: it counts them and tells people.
load_task = ray.remote(num_cpus=1, max_retries=0)(_load)
probe_task = ray.remote(num_cpus=1, max_retries=0)(_probe)
anatomy_task = ray.remote(num_cpus=1, max_retries=0)(_anatomy)
measure_task = ray.remote(num_cpus=1, max_retries=0)(_measure)
warm_task = ray.remote(num_cpus=1, max_retries=1)(warm)
BoardActor = ray.remote(num_cpus=0, max_restarts=-1)(ProgressBoard)
