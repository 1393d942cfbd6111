"""The worker process's loop over running jobs: submit, watch, time out, finish.

Reads the queue and the archive. Writes through :class:`~ennead_pipelines.run.finish.Finisher`.
Refuses nothing by itself; whatever a package raises ends here as a retry or a failed job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ray
import structlog

from ennead.contracts import Archive
from ennead.findings import Refusal, RefusalCode
from ennead.plugins import DiscoveredPackage, Manifest
from ennead.settings import Settings
from ennead_gpu.ray import NodeRoom
from ennead_pipelines.foresee import Foreseen
from ennead_pipelines.jobs import Job, JobQueue
from ennead_pipelines.jobs.reads import created_at, declined_outputs
from ennead_pipelines.networks.dispatch import network_of, sources_of
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.run.anatomies import AnatomyCache
from ennead_pipelines.run.faults import Fault, JobTimeout, classify
from ennead_pipelines.run.features import features_of
from ennead_pipelines.run.finish import Finisher
from ennead_pipelines.run.inputs import JobInput, read_inputs
from ennead_pipelines.run.leases import LeaseKeeper
from ennead_pipelines.run.limits import Overrun
from ennead_pipelines.run.probing import probe_requests
from ennead_pipelines.run.requests import JobOutput, MeasureRequest, Probed
from ennead_pipelines.run.tasks import (
    BoardActor,
    measure_task,
    place_tasks,
    placed,
    probe_task,
    warm_task,
)
from ennead_pipelines.run.volumes import VolumeCache
from ennead_pipelines.sandbox.plan import plan_for

log = structlog.get_logger(__name__)

#: What waiting for a processor and decoding may take; then the package's own limit counts.
LOAD_SECONDS: Final = 3600.0
#: So many times the attempts of a job may end with its machine before the job is suspected.
LOST_ATTEMPTS: Final = 5


@dataclass(slots=True)
class _Running:
    job: Job
    package: DiscoveredPackage
    manifest: Manifest
    inputs: list[JobInput]
    reference: Any
    deadline: float
    measuring: bool = False
    probing: bool = False


class Dispatcher:
    """Jobs of this worker on Ray.

    Parameters
    ----------
    cpus : float
        Of the cluster; as many jobs run at once.
    room : NodeRoom, optional
        Of the largest node: no task may ask for more. Without it, ``cpus`` and no memory.
    foreseen : Foreseen, optional
        Series to decode before their jobs are made.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        queue: JobQueue,
        catalogue: PackageCatalogue,
        leases: LeaseKeeper,
        cpus: float,
        room: NodeRoom | None = None,
        foreseen: Foreseen | None = None,
    ) -> None:
        self._foreseen = foreseen
        self._settings = settings
        self._archive = archive
        self._queue = queue
        self._catalogue = catalogue
        self._leases = leases
        self._cpus = max(1, int(cpus))
        self._room = room or NodeRoom(float(self._cpus))
        self._finisher = Finisher(queue.database, archive, queue)
        self._running: dict[str, _Running] = {}
        #: Decoded series, shared with the interactive functions of this worker.
        self.volumes = VolumeCache(settings.ray.object_store_bytes // 2)
        #: What was found in them.
        self.anatomies = AnatomyCache(settings.ray.object_store_bytes // 8)
        self._board: Any = BoardActor.remote()
        self._taking: Any = None
        self._taken_at = 0.0
        self._warming = [warm_task.remote() for _ in range(self._cpus)]

    def step(self, wait_s: float) -> bool:
        """One round; True when a job began or ended. Returns within about ``wait_s`` when idle."""
        for each in self._foreseen.take() if self._foreseen else ():
            volume = self.volumes.ahead(each.input)
            if volume is not None:
                self.anatomies.ahead(each.input, each.anatomy, volume)
        begun = self._begin()
        ended = self._end(wait_s)
        self._progress()
        self._give_up_late()
        self._drop_lost()
        return begun or ended

    def resize(self, cpus: float, room: NodeRoom) -> None:
        """Nodes have come or gone."""
        self._cpus, self._room = max(1, int(cpus)), room
        place_tasks(room.placement())

    def drain(self) -> None:
        """Stop what runs and give it back; the results were not stored yet."""
        for each in list(self._running.values()):
            self._cancel(each)
            self._remove(each)
            self._queue.give_back(each.job, 0.0, fault=False, reason={})

    def abandon(self) -> None:
        """Ray is gone: give every job back at once."""
        for each in list(self._running.values()):
            self._queue.give_back(each.job, 0.0, fault=False, reason={})

    def _begin(self) -> bool:
        free = self._cpus - len(self._running)
        claimed = self._queue.claim(free)
        for job in claimed:
            self._leases.hold(job.id)
            try:
                self._submit(job)
            except Exception as error:  # the worker boundary: nothing may stop the loop
                self._handle(job, None, error)
        return bool(claimed)

    def _submit(self, job: Job) -> None:
        digest = job.identity.manifest_digest
        package = self._catalogue.get(job.package, digest)
        if package is None or package.manifest is None or package.digest != digest:
            values: dict[str, str | int | float] = {"version": job.identity.version}
            refusal = Refusal(RefusalCode.FAILED, "", "jobs.reason.removed", values)
            self._finisher.fail(job, None, refusal, "timeline.declined")
            self._leases.release(job.id)
            return
        manifest = package.manifest
        limit = self._settings.dicom.decode_limit_bytes
        inputs = read_inputs(self._archive, job, manifest, limit)
        deadline = time.monotonic() + LOAD_SECONDS + manifest.runtime.timeout_s
        running = _Running(job, package, manifest, inputs, None, deadline)
        wanted = probe_requests(manifest, inputs)
        if wanted:
            running.probing, running.reference = True, placed(probe_task).remote(wanted)
        else:
            self._measure(running, ())
        self._running[job.id] = running
        self._finisher.tell_started(job, features_of(inputs))
        log.info("job started", job_id=job.id, study_uid=job.study_uid, package=job.package)

    def _measure(self, running: _Running, refusals: Sequence[Refusal]) -> None:
        """Submit the measuring of a job whose probes, if any, refused no more than outputs."""
        job, package, manifest, inputs = (
            running.job,
            running.package,
            running.manifest,
            running.inputs,
        )
        with self._queue.database.read() as connection:
            at = created_at(connection, job.id)
            declined = declined_outputs(connection, job.id)
        found = [self.volumes.get(each) for each in inputs]
        by_input = {
            each.name: reference for each, (reference, _) in zip(inputs, found, strict=True)
        }
        anatomy, anatomy_references = self.anatomies.parts(job.given, inputs, by_input)
        request = MeasureRequest(
            job_id=job.id,
            study_uid=job.study_uid,
            manifest=manifest,
            manifest_digest=job.identity.manifest_digest,
            input_digest=job.identity.input_digest,
            parameters_digest=job.identity.parameters_digest,
            inputs=tuple(each.name for each in inputs),
            shared=all(shared for _, shared in found),
            declined=tuple(sorted({*declined, *(r.subject for r in refusals)})),
            thresholds={t.id: job.thresholds.get(t.id, t.default) for t in manifest.threshold},
            organisation=self._settings.portal.site_name,
            seg_encoding=self._settings.pipelines.seg_encoding,
            at=at,
            network=network_of(package, self._settings),
            models=sources_of(job.models, self._catalogue, self._settings),
            sandbox=plan_for(self._settings, package),
            given=job.given,
            anatomy=anatomy,
            priority=job.priority,
        )
        running.reference = measure_task.options(
            **self._room.options(manifest.runtime.cpu, manifest.runtime.ram_mib)
        ).remote(request, self._board, *by_input.values(), *anatomy_references)
        running.probing = False

    def _probed(self, running: _Running, probed: Probed) -> None:
        """Go on after the probes, or end the job by what they showed."""
        job, manifest = running.job, running.manifest
        if any(not refusal.subject for refusal in probed.refusals):
            whole = [refusal for refusal in probed.refusals if not refusal.subject]
            self._finisher.refuse(job, manifest, whole, "probe")
            log.info("job refused by a probe", job_id=job.id, code=str(whole[0].code))
            self._remove(running)
            return
        self._finisher.decline(job, manifest, probed.refusals)
        self._measure(running, probed.refusals)

    def _end(self, wait_s: float) -> bool:
        if not self._running:
            time.sleep(wait_s)
            return False
        by_reference = {each.reference: each for each in self._running.values()}
        ready, _ = ray.wait(list(by_reference), num_returns=1, timeout=wait_s)
        for reference in ready:
            each = by_reference[reference]
            try:
                if each.probing:
                    self._probed(each, ray.get(reference))
                    continue
                output: JobOutput = ray.get(reference)
                self._queue.progress({each.job.id: (1.0, "jobs.step.storing")})
                state = self._finisher.complete(each.job, each.manifest, output)
                log.info("job ended", job_id=each.job.id, state=str(state))
                self._remove(each)
            except Exception as error:  # the worker boundary
                self._handle(each.job, each, error)
        return bool(ready)

    def _handle(self, job: Job, running: _Running | None, error: Exception) -> None:
        fault = self._overrun(job, error) or classify(error)
        manifest = running.manifest if running else None
        logger = log.bind(job_id=job.id, study_uid=job.study_uid, package=job.package)
        if fault.kind in ("wait", "lost"):
            logger.info("job put back", why=str(error)[:500])
        else:
            logger.error("job failed", fault=fault.kind, exc_info=error)
        if running:
            for each in running.inputs:
                self.volumes.forget(each.key)
                self.anatomies.forget(each.key)
        self._settle_fault(job, manifest, fault)
        if running:
            self._remove(running)
        self._leases.release(job.id)

    def _overrun(self, job: Job, error: Exception) -> Fault | None:
        """Whether the job's process ended itself because a limit was passed."""
        if not isinstance(error, ray.exceptions.WorkerCrashedError):
            return None
        try:
            passed: Overrun | None = ray.get(self._board.take_overrun.remote(job.id), timeout=5)
        except ray.exceptions.RayError:  # the board may be starting again
            return None
        return Fault("fail", passed.key, passed.values) if passed else None

    def _settle_fault(self, job: Job, manifest: Manifest | None, fault: Fault) -> None:
        limit = self._settings.pipelines.attempts
        failures = job.failures + (1 if fault.kind == "retry" else 0)
        values = {**fault.values, "job": job.id, "attempts": failures}
        if fault.kind == "refuse" and manifest is not None:
            refusal = Refusal(RefusalCode.UNDECODABLE, "", fault.detail_key, dict(fault.values))
            self._finisher.refuse(job, manifest, [refusal])
        elif fault.kind == "fail":
            reason_key, step_key = fault.end_keys
            refusal = Refusal(RefusalCode.FAILED, "", reason_key, values)
            self._finisher.fail(job, manifest, refusal, step_key)
        elif fault.kind == "wait":
            delay = max(1.0, self._settings.pipelines.quiet_s)
            self._queue.give_back(job, delay, fault=False, reason={})
        elif fault.kind == "lost" and job.attempt < limit * LOST_ATTEMPTS:
            self._queue.give_back(job, 0.0, fault=False, reason={})
        elif failures >= limit or fault.kind == "lost":
            shown = {**values, "detail": fault.detail_key}
            refusal = Refusal(RefusalCode.FAILED, "", "jobs.reason.failed", shown)
            self._finisher.fail(job, manifest, refusal, "timeline.failed")
        else:
            self._finisher.retry(job, fault, failures, limit)

    def _progress(self) -> None:
        if not self._running or time.monotonic() - self._taken_at < 0.25:
            return
        if self._taking is None:
            self._taking = self._board.take.remote()
        ready, _ = ray.wait([self._taking], timeout=0)
        if not ready:
            return
        self._taken_at = time.monotonic()
        try:
            reports = ray.get(self._taking)
        except ray.exceptions.RayError:
            reports = {}  # the board is starting again
        self._taking = None
        for job_id in reports:
            running = self._running.get(job_id)
            if running and not running.measuring:
                running.measuring = True
                running.deadline = time.monotonic() + running.manifest.runtime.timeout_s
        self._queue.progress({k: v for k, v in reports.items() if k in self._running})

    def _give_up_late(self) -> None:
        for each in list(self._running.values()):
            if time.monotonic() > each.deadline:
                self._cancel(each)
                limit = each.manifest.runtime.timeout_s
                self._handle(each.job, each, JobTimeout(limit))

    def _drop_lost(self) -> None:
        """Jobs that were superseded, or taken over by another worker: their work is not needed."""
        for job_id in self._leases.lost():
            each = self._running.get(job_id)
            if each:
                log.info("job is no longer ours", job_id=job_id)
                self._cancel(each)
                self._remove(each)

    def _cancel(self, each: _Running) -> None:
        try:
            ray.cancel(each.reference, force=True)
        except Exception:  # Ray may be gone; the job is given back all the same
            log.warning("task not cancelled", job_id=each.job.id)

    def _remove(self, each: _Running) -> None:
        self._running.pop(each.job.id, None)
        self._leases.release(each.job.id)
