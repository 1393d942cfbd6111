"""What Ray runs: thin shells around :mod:`load` and :mod:`measure`, and the progress board.

Imported by the worker process and by Ray's workers. A Ray worker that has done one job keeps its
imports, so the next one starts at once; :func:`warm` does that before the first job.
"""

from __future__ import annotations

import importlib
import time
from typing import Any, Final

import ray

from ennead.contracts import ProgressSink
from ennead_pipelines.run.requests import JobOutput, Loaded, LoadRequest, MeasureRequest

#: Least seconds between two progress reports of one job.
REPORT_SECONDS: Final = 0.25

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

    def report(self, job_id: str, fraction: float, text_key: str) -> None:
        """Keep the newest report of a job."""
        self._reports[job_id] = (fraction, text_key)

    def take(self) -> dict[str, tuple[float, str]]:
        """The reports since the last call."""
        reports, self._reports = self._reports, {}
        return reports


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
    import os

    for name in _HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:  # an optional library of some package
            continue
    time.sleep(0.2)  # so that each worker process gets one of these
    return os.getpid()


def _load(request: LoadRequest) -> Loaded:
    from ennead_pipelines.run.load import load

    return load(request)


def _measure(request: MeasureRequest, board: Any, *loaded: Loaded) -> JobOutput:
    from ennead_pipelines.run.measure import measure

    progress = sink(board, request.job_id)
    progress(0.0, "jobs.step.measuring")
    return measure(request, loaded, progress)


# Retries are the worker process's business: it counts them and tells people.
load_task = ray.remote(num_cpus=1, max_retries=0)(_load)
measure_task = ray.remote(num_cpus=1, max_retries=0)(_measure)
warm_task = ray.remote(num_cpus=1, max_retries=1)(warm)
BoardActor = ray.remote(num_cpus=0, max_restarts=-1)(ProgressBoard)
