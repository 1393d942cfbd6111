"""Prometheus counters of this room."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

JOBS: Final = Counter(
    "ennead_jobs_total", "Jobs that ended, by package and state.", ["package", "state"]
)
REFUSALS: Final = Counter(
    "ennead_refusals_total", "Refusals recorded, by package and code.", ["package", "code"]
)
STAGE_SECONDS: Final = Histogram(
    "ennead_pipeline_stage_seconds",
    "Time of each stage of a job.",
    ["stage"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
RAY_RESTARTS: Final = Counter("ennead_ray_restarts_total", "Times that Ray was started again.")
