"""What went wrong with a run, in terms of what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import ray.exceptions

from ennead.errors import (
    ArchiveError,
    ContractError,
    DeviceBusy,
    EncodedResultInvalid,
    InputError,
    ModelError,
    NonReproducibleResult,
)
from ennead_pipelines.run.anatomies import AnatomyChanged
from ennead_pipelines.run.inputs import InputsChanged
from ennead_pipelines.sandbox.faults import FINAL, Stopped


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed run.

    Parameters
    ----------
    kind : str
        ``refuse`` (the images cannot be used), ``fail`` (trying again is no use), ``retry``
        (counted), ``wait`` (not counted, later), ``lost`` (the machine went, not counted).
    detail_key : str
        Key of a text that people read.
    """

    kind: str
    detail_key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def end_keys(self) -> tuple[str, str]:
        """Text keys of the reason and of the timeline, for a job that fails for this."""
        room, _, name = self.detail_key.rpartition(".")
        if not room:
            return f"jobs.reason.{name}", f"timeline.{name}"
        return f"{room}.reason.{name}", f"{room}.timeline.{name}"


class JobTimeout(Exception):
    """A package ran longer than its manifest's ``timeout_s`` and was stopped."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"ran longer than {timeout_s} s")
        self.timeout_s = timeout_s


def classify(error: BaseException) -> Fault:
    """What to do about ``error``, which a run raised here or in a Ray worker."""
    cause = error
    if isinstance(error, ray.exceptions.RayTaskError) and error.cause is not None:
        cause = error.cause
    if isinstance(cause, Stopped):
        return _stopped(cause)
    if isinstance(cause, AnatomyChanged):
        values = {"provider": f"{cause.plan.provider} {cause.plan.version}"}
        return Fault("fail", "given.anatomy_changed", values)
    if isinstance(cause, NonReproducibleResult):
        return Fault("fail", "not_reproducible")
    if isinstance(cause, InputsChanged):
        return Fault("wait", "jobs.detail.archive")
    if isinstance(cause, EncodedResultInvalid):
        return Fault("retry", "jobs.detail.encoding")
    if isinstance(cause, ContractError):
        return Fault("retry", "jobs.detail.contract")
    if isinstance(cause, DeviceBusy):
        return Fault("wait", "networks.model", {"message": cause.message})
    if isinstance(cause, ModelError):
        return Fault("fail", "networks.model", {"message": cause.message})
    if isinstance(cause, InputError):
        return Fault("refuse", "refusal.undecodable", {"detail": cause.message})
    if isinstance(cause, ArchiveError):
        return Fault("retry", "jobs.detail.archive")
    if isinstance(cause, JobTimeout):
        return Fault("retry", "jobs.detail.timeout", {"timeout_s": cause.timeout_s})
    if isinstance(error, _NODE_LOST):
        return Fault("lost", "jobs.detail.worker_lost")
    if isinstance(error, _LOST):
        return Fault("retry", "jobs.detail.worker_lost")
    return Fault("retry", "jobs.detail.error")


def _stopped(stopped: Stopped) -> Fault:
    if stopped.kind in FINAL:
        return Fault("fail", f"sandbox.{stopped.kind}", stopped.values)
    name = {"lost": "worker_lost"}.get(stopped.kind, stopped.kind)
    return Fault("retry", f"jobs.detail.{name}", stopped.values)


#: A node died, or took an object with it: not the package's doing.
_NODE_LOST = (
    ray.exceptions.NodeDiedError,
    ray.exceptions.ObjectLostError,
    ray.exceptions.ObjectFetchTimedOutError,
    ray.exceptions.LocalRayletDiedError,
)
_LOST = (
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.RaySystemError,
)
