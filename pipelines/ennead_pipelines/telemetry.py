"""One span, one histogram entry and one log line for each stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from ennead_pipelines.metrics import STAGE_SECONDS

_tracer = trace.get_tracer("ennead.pipelines")


@contextmanager
def stage(name: str, study_uid: str, job_id: str = "") -> Iterator[None]:
    """Time a stage of the road; the span carries UIDs and nothing of the patient."""
    begun = time.perf_counter()
    with _tracer.start_as_current_span(f"pipelines.{name}") as span:
        span.set_attribute("dicom.study_uid", study_uid)
        if job_id:
            span.set_attribute("ennead.job_id", job_id)
        try:
            yield
        finally:
            STAGE_SECONDS.labels(name).observe(time.perf_counter() - begun)


def record_stage(name: str, study_uid: str, job_id: str, duration_s: float) -> None:
    """A stage that was timed elsewhere and has just ended."""
    end = time.time_ns()
    span = _tracer.start_span(f"pipelines.{name}", start_time=end - int(duration_s * 1e9))
    span.set_attribute("dicom.study_uid", study_uid)
    span.set_attribute("ennead.job_id", job_id)
    span.end(end_time=end)
    STAGE_SECONDS.labels(name).observe(duration_s)
