"""What went wrong with a call, in words for the reader who waits."""

from __future__ import annotations

import ray.exceptions

from ennead.errors import (
    ArchiveError,
    ContractError,
    EncodedResultInvalid,
    InputError,
    NonReproducibleResult,
)
from ennead.findings import Refusal, RefusalCode
from ennead_pipelines.run.inputs import InputsChanged
from ennead_pipelines.sandbox.faults import FINAL, Stopped


class CallTimeout(Exception):
    """A function ran longer than its ``timeout_s`` and its process was ended."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"ran longer than {timeout_s} s")
        self.timeout_s = timeout_s


class VersionGone(Exception):
    """The package was replaced or removed between asking and measuring."""

    def __init__(self, version: str) -> None:
        super().__init__(f"version {version} is not installed")
        self.version = version


def refusal_of(error: BaseException, job_id: str) -> Refusal:
    """The answer to give instead of a result; what the reader cannot mend names the job."""
    cause = _cause(error)
    values: dict[str, str | int | float] = {"job": job_id}
    key = "functions.failed.error"
    if isinstance(cause, CallTimeout):
        key, values = "functions.failed.timeout", {"timeout_s": cause.timeout_s}
    elif isinstance(cause, InputsChanged):
        key, values = "functions.failed.changed", {}
    elif isinstance(cause, VersionGone):
        key, values = "functions.failed.removed", {"version": cause.version}
    elif isinstance(cause, NonReproducibleResult | EncodedResultInvalid):
        key = "functions.failed.encoding"
        values |= {"detail": cause.code}
    elif isinstance(cause, Stopped) and cause.kind in FINAL:
        key, values = f"sandbox.reason.{cause.kind}", {**cause.values, "job": job_id}
    elif isinstance(cause, Stopped) and cause.kind == "timeout":
        key, values = "functions.failed.timeout", dict(cause.values)
    elif isinstance(cause, ContractError):
        key = "functions.failed.contract"
    elif isinstance(cause, InputError | ArchiveError):
        key, values = "functions.failed.input", {"detail": cause.message}
    elif isinstance(error, _LOST):
        key = "functions.failed.crash"
    return Refusal(RefusalCode.FAILED, "", key, values)


def process_is_lost(error: BaseException) -> bool:
    """Whether the process that measured has to be replaced."""
    return isinstance(error, CallTimeout | ray.exceptions.RayActorError)


def volume_is_suspect(error: BaseException) -> bool:
    """Whether the series should be decoded again before the next call."""
    return isinstance(_cause(error), InputError | ArchiveError) or isinstance(error, _LOST)


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, ray.exceptions.RayTaskError) and error.cause is not None:
        return error.cause
    return error


_LOST = (
    ray.exceptions.RayActorError,
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.ObjectLostError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.RaySystemError,
)
