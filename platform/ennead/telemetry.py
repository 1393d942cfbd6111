"""Logs, metrics and traces of every process.

Logs are structlog events on standard error, one JSON object a line. Metrics are prometheus-client
ones; under the launcher every process writes them to memory-mapped files in ``run/metrics`` of the
home, and ``/metrics`` adds them up. Spans go to the OpenTelemetry collector that the settings name;
without one :func:`span` costs next to nothing.

Nothing here may carry a patient's name, birth date or accession number: bind UIDs and job ids.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

    from ennead.settings import Settings

#: prometheus-client reads this variable when it is first imported; ``ennead.app.child`` sets it.
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
# Below these levels they log element values; they set their own levels when imported.
_QUIET: Final = {"pydicom": logging.CRITICAL, "pynetdicom": logging.ERROR}
# They log each step of ordinary work.
_CALM: Final = ("alembic", "uvicorn.error", "uvicorn.access", "asyncio", "multipart")


class _StandardError:
    """``sys.stderr`` as it is when a line is written: loggers outlive a redirection."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STANDARD_ERROR: Any = _StandardError()


def configure(settings: Settings, part: str) -> None:
    """Set up logging and tracing of this process; ``part`` is bound to every line.

    Called once, at the entry point of a process.
    """
    shared: list[Any] = [
        _naming(part),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.telemetry.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    # Tracebacks without the values of local variables, which may identify a patient.
    ending: list[Any] = (
        [structlog.processors.format_exc_info] if settings.telemetry.log_format == "json" else []
    )
    level = logging.getLevelName(settings.telemetry.log_level)
    structlog.configure(
        processors=[*shared, *ending, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=_STANDARD_ERROR),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_STANDARD_ERROR)
    handler.addFilter(_names_nobody)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *ending,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    for name in _CALM:
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.simplefilter("ignore")  # pydicom's warnings quote element values
    if settings.telemetry.otlp_endpoint:
        _export_spans(settings.telemetry.otlp_endpoint, part)


def _names_nobody(record: logging.LogRecord) -> bool:
    return record.levelno >= _QUIET.get(record.name.partition(".")[0], logging.NOTSET)


def _naming(part: str) -> structlog.typing.Processor:
    """Add ``part`` to every line; context variables would not reach other threads."""

    def add(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("part", part)
        return event

    return add


def _export_spans(endpoint: str, part: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "ennead", "service.instance.id": part})
    provider = TracerProvider(resource=resource)
    address = endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[Span]:
    """One step of work as a trace span; usable whether or not anything collects spans.

    An exception marks the span as failed by its type; its text is not copied.

    Examples
    --------
    >>> with span("settle", study_uid="1.2.3"):
    ...     pass
    """
    from opentelemetry import trace

    tracer = trace.get_tracer("ennead")
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def metrics_text() -> bytes:
    """All ``ennead_…`` metrics of this node in Prometheus' text format."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

    folder = os.environ.get(METRICS_VARIABLE)
    if not folder:
        return generate_latest(REGISTRY)
    from prometheus_client.multiprocess import MultiProcessCollector

    every = MultiProcessCollector(CollectorRegistry(), path=folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(_Own(every))
    return generate_latest(registry)


class _Own:
    """Ours among the metrics of the folder: libraries in our processes write theirs there too."""

    def __init__(self, every: Collector) -> None:
        self._every = every

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in self._every.collect() if metric.name.startswith("ennead_"))
