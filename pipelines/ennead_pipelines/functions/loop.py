"""The worker process's loop over interactive calls: a thread of its own, beside studies' jobs.

Reads the queue and the archive. Answers through ``jobs.answer``; stores through
:class:`~ennead_pipelines.run.finish.Finisher` like every other result. Whatever a function does
wrong ends here as a sentence for the reader, and the next call runs.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import ray
import structlog

from ennead.contracts import Archive
from ennead.plugins import FunctionRule, Manifest
from ennead.settings import Settings
from ennead_pipelines.functions.actors import CallSlot, ErrandActor
from ennead_pipelines.functions.answer import answer_document, leave_answer
from ennead_pipelines.functions.faults import (
    CallTimeout,
    VersionGone,
    process_is_lost,
    refusal_of,
    volume_is_suspect,
)
from ennead_pipelines.functions.prepare import Wanted, Watch
from ennead_pipelines.functions.requests import CallAnswer, CallRequest
from ennead_pipelines.functions.work import CallInputs, algorithm_parameters, call_request
from ennead_pipelines.jobs import Job, JobQueue
from ennead_pipelines.networks.dispatch import sources_of
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.run.finish import Finisher
from ennead_pipelines.run.leases import LeaseKeeper
from ennead_pipelines.run.volumes import VolumeCache
from ennead_pipelines.sandbox.plan import plan_for
from ennead_pipelines.telemetry import record_stage

log = structlog.get_logger(__name__)

#: Between two looks at the database: while a viewer has functions open, and else.
AWAKE_SECONDS: Final = 0.02
ASLEEP_SECONDS: Final = 0.25
#: How long a worker stays awake after a viewer was opened or a function called.
STAYS_AWAKE_SECONDS: Final = 900.0
#: What decoding a series, and what writing an answer, may take.
LOAD_SECONDS: Final = 120.0
ENCODE_SECONDS: Final = 300.0


@dataclass(slots=True)
class _Call:
    job: Job
    manifest: Manifest
    rule: FunctionRule
    key: str
    request: CallRequest
    volume: Any
    # load → call → encode
    stage: str
    reference: Any
    deadline: float
    slot: CallSlot | None = None
    answer: CallAnswer | None = None


class FunctionLoop:
    """Calls of this worker.

    Parameters
    ----------
    volumes : VolumeCache
        Shared with studies' jobs: a series is decoded once for all of them.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        queue: JobQueue,
        catalogue: PackageCatalogue,
        leases: LeaseKeeper,
        volumes: VolumeCache,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._catalogue = catalogue
        self._leases = leases
        self._volumes = volumes
        self._inputs = CallInputs(archive, settings.dicom.decode_limit_bytes)
        self._finisher = Finisher(queue.database, archive, queue)
        self._watch = Watch()
        self._calls: dict[str, _Call] = {}
        self._awake_until = 0.0
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="functions-store")
        self._errands: Any = ErrandActor.remote()
        self._warming = self._errands.warm.remote()
        self._slots = [CallSlot(self._modules) for _ in range(settings.pipelines.function_workers)]

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; what runs then is given back."""
        while not stop.is_set():
            try:
                self.step(stop)
            except Exception:  # the worker boundary: the database or Ray may be away for a moment
                log.exception("the function loop's round failed")
                stop.wait(1.0)
        self._storing.shutdown(wait=True)
        for each in list(self._calls.values()):
            self._queue.give_back(each.job, 0.0, fault=False, reason={})

    def step(self, stop: threading.Event) -> None:
        """One round; returns at once when a call moved on, else after a short rest."""
        with self._queue.database.read() as connection:
            waiting, wanted = self._watch.look(connection)
        if waiting or wanted or self._calls:
            self._awake_until = time.monotonic() + STAYS_AWAKE_SECONDS
        for each in wanted:
            self._prepare(each)
        if waiting:
            self._take()
        if not self._advance():
            awake = time.monotonic() < self._awake_until
            stop.wait(AWAKE_SECONDS if awake else ASLEEP_SECONDS)

    def _prepare(self, wanted: Wanted) -> None:
        package = self._catalogue.get(wanted.package)
        if package is None or package.manifest is None:
            return
        try:
            found = self._inputs.of_series(package.manifest, package.digest, wanted)
        except Exception:  # a convenience: the call itself will say what is wrong
            log.exception("series not prepared", series_uid=wanted.series_uid)
            return
        self._volumes.get(found, self._errands.load.remote)

    def _take(self) -> None:
        for job in self._queue.claim(self._free(), functions=True):
            self._leases.hold(job.id)
            try:
                self._begin(job)
            except Exception as error:  # the worker boundary: nothing may stop the loop
                self._fail(job, None, error)

    def _free(self) -> int:
        busy = sum(each.stage != "encode" for each in self._calls.values())
        return len(self._slots) - busy

    def _begin(self, job: Job) -> None:
        digest = job.identity.manifest_digest
        package = self._catalogue.get(job.package, digest)
        manifest = package.manifest if package else None
        rule = manifest.function_rule(job.function) if manifest else None
        if package is None or manifest is None or rule is None or package.digest != digest:
            raise VersionGone(job.identity.version)
        found = self._inputs.of_job(job, manifest, rule)
        volume, shared = self._volumes.get(found, self._errands.load.remote)
        request = call_request(
            job,
            package,
            rule,
            self._settings,
            self._queue.database,
            self._inputs,
            shared=shared,
            models=sources_of(job.models, self._catalogue, self._settings),
        )
        deadline = time.monotonic() + LOAD_SECONDS
        self._calls[job.id] = _Call(
            job, manifest, rule, found.key, request, volume, "load", volume, deadline
        )

    def _advance(self) -> bool:
        """Move every call on that can; True when one did."""
        moved = False
        for each in list(self._calls.values()):
            try:
                moved |= self._advance_one(each)
            except Exception as error:  # the worker boundary
                self._fail(each.job, each, error)
                moved = True
        return moved

    def _advance_one(self, each: _Call) -> bool:
        ready, _ = ray.wait([each.reference], timeout=0.002, fetch_local=False)
        slot = self._free_slot() if ready and each.stage == "load" else None
        if not ready or (each.stage == "load" and slot is None):
            if time.monotonic() > each.deadline:
                raise CallTimeout(self._limit(each))
            return False
        if slot is not None:
            each.slot, each.stage = slot, "call"
            each.reference = slot.call(each.request, each.volume)
            each.deadline = time.monotonic() + each.rule.timeout_s
        elif each.stage == "call":
            self._answered(each, ray.get(each.reference))
        else:
            output = ray.get(each.reference)
            self._calls.pop(each.job.id)
            self._storing.submit(self._store, each, output)
        return True

    def _free_slot(self) -> CallSlot | None:
        taken = {id(each.slot) for each in self._calls.values() if each.stage == "call"}
        return next((s for s in self._slots if id(s) not in taken and s.is_warm()), None)

    def _answered(self, each: _Call, answer: CallAnswer) -> None:
        each.answer = answer
        document = answer_document(each.job, each.manifest, answer.listed)
        if not leave_answer(self._queue.database, self._queue.owner, each.job, document):
            self._drop(each.job.id)
            return
        seconds = answer.listed.durations_s["measure"]
        record_stage("function", each.job.study_uid, each.job.id, seconds)
        if not (answer.listed.sr_instance_uid or answer.listed.seg_instance_uid):
            self._calls.pop(each.job.id)
            self._storing.submit(self._store, each, answer.listed)
            return
        each.stage = "encode"
        each.deadline = time.monotonic() + ENCODE_SECONDS
        each.reference = self._errands.encode.remote(
            each.request, answer, each.volume, algorithm_parameters(each.request)
        )

    def _store(self, each: _Call, output: Any) -> None:
        """In a thread of its own: the next call need not wait for the archive."""
        try:
            self._finisher.complete(each.job, each.manifest, output)
        except Exception as error:  # the worker boundary
            self._fail(each.job, each, error)
        finally:
            self._leases.release(each.job.id)

    def _fail(self, job: Job, each: _Call | None, error: BaseException) -> None:
        log.error(
            "call failed",
            job_id=job.id,
            study_uid=job.study_uid,
            package=job.package,
            function=job.function,
            exc_info=error,
        )
        if each is not None:
            self._recover(each, error)
        refusal = refusal_of(error, job.id)
        try:
            manifest = each.manifest if each else None
            self._finisher.fail(job, manifest, refusal, "functions.timeline.failed")
        finally:
            self._drop(job.id)

    def _recover(self, each: _Call, error: BaseException) -> None:
        """What the next call needs."""
        if volume_is_suspect(error):
            self._volumes.forget(each.key)
        if not process_is_lost(error):
            return
        if each.stage == "call" and each.slot is not None:
            each.slot.replace()
        elif isinstance(error, CallTimeout):
            ray.kill(self._errands, no_restart=False)

    def _limit(self, each: _Call) -> float:
        return {"load": LOAD_SECONDS, "call": each.rule.timeout_s}.get(each.stage, ENCODE_SECONDS)

    def _modules(self) -> list[str]:
        """Where the functions are of packages that do not run apart."""
        return sorted(
            {
                rule.call.partition(":")[0]
                for package in self._catalogue.all()
                if package.manifest and plan_for(self._settings, package) is None
                for rule in package.manifest.function
            }
        )

    def _drop(self, job_id: str) -> None:
        self._calls.pop(job_id, None)
        self._leases.release(job_id)
