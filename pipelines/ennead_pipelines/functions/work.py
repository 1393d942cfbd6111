"""From a claimed call to what the actor needs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import UnusableObject
from ennead.identifiers import InstanceUID, SeriesUID
from ennead.plugins import DiscoveredPackage, FunctionRule, Manifest
from ennead.settings import Settings
from ennead_pipelines.functions.prepare import Wanted
from ennead_pipelines.functions.requests import CallRequest
from ennead_pipelines.functions.series import ReadSeries, SeriesReader
from ennead_pipelines.jobs import Job, input_digest
from ennead_pipelines.jobs.reads import created_at, declined_outputs
from ennead_pipelines.jobs.terms import INTERACTIVE
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.run.inputs import InputsChanged, JobInput, load_request
from ennead_pipelines.run.requests import MeasureRequest
from ennead_pipelines.sandbox.plan import plan_for

#: Series whose decoding requests are kept.
KEPT: Final = 16


class CallInputs:
    """Series of calls, read from the archive once while they stay the same."""

    def __init__(self, archive: Archive, decode_limit_bytes: int) -> None:
        self._archive = archive
        self._limit = decode_limit_bytes
        self._reader = SeriesReader(archive)
        self._kept: OrderedDict[tuple[str, str], JobInput] = OrderedDict()
        self._lock = threading.Lock()

    def of_series(self, manifest: Manifest, manifest_digest: str, wanted: Wanted) -> JobInput:
        """A series as an input of a package reads it.

        Raises
        ------
        InputsChanged
            It no longer meets the rules.
        """
        read = self._reader.one(wanted.study_uid, wanted.series_uid)
        return self._of(read, manifest, manifest_digest, wanted.input)

    def of_job(self, job: Job, manifest: Manifest, rule: FunctionRule) -> JobInput:
        """The series of a call.

        Raises
        ------
        InputsChanged
            An instance was added, or is gone.
        """
        kept = self._find((job.identity.input_digest, rule.series))
        if kept is not None:
            return kept
        read = self._reader.one(job.study_uid, SeriesUID(job.inputs[rule.series]))
        if input_digest({rule.series: read.candidate}) != job.identity.input_digest:
            raise InputsChanged("instances were added or removed")
        return self._of(read, manifest, job.identity.manifest_digest, rule.series)

    def segmentation(self, instance_uid: InstanceUID, series_uid: SeriesUID) -> str:
        """File of a segmentation over a series.

        Raises
        ------
        NotFound, UnusableObject
        """
        from ennead_pipelines.encode.read_seg import referenced_series

        path = self._archive.path(instance_uid)
        if referenced_series(path) != series_uid:
            raise UnusableObject(
                f"Segmentation {instance_uid} lies over another series than {series_uid}; choose "
                "a finding of the series you see."
            )
        return str(path)

    def _of(
        self, read: ReadSeries, manifest: Manifest, manifest_digest: str, name: str
    ) -> JobInput:
        rule = manifest.input_rule(name)
        verdict = read.judged(manifest_digest, rule) if rule else None
        if verdict is None or verdict.refused or verdict.stack is None:
            raise InputsChanged("the series does not meet the rules any more")
        key = (input_digest({name: read.candidate}), name)
        kept = self._find(key)
        if kept is None:
            request = load_request(
                read.candidate.record.study_uid,
                read.candidate,
                verdict.stack,
                self._archive.paths(read.candidate.record.series_uid),
                self._limit,
            )
            kept = JobInput(name, read.digest, request)
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return kept

    def _find(self, key: tuple[str, str]) -> JobInput | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept


def call_request(
    job: Job,
    package: DiscoveredPackage,
    rule: FunctionRule,
    settings: Settings,
    database: Database,
    inputs: CallInputs,
    *,
    shared: bool,
    models: tuple[ModelSource, ...] = (),
) -> CallRequest:
    """What the actor needs to measure and, later, to encode.

    Raises
    ------
    NotFound, UnusableObject
        A segmentation to edit is not there, or lies over another series.
    """
    manifest = package.manifest
    assert manifest is not None
    with database.read() as connection:
        at = created_at(connection, job.id)
        declined = declined_outputs(connection, job.id)
    given: Mapping[str, Any] = job.call.get("inputs", {})
    series_uid = SeriesUID(job.inputs[rule.series])
    edited = [
        given[i.name]["seg_instance_uid"]
        for i in rule.input
        if i.kind == "mask" and i.name in given
    ]
    return CallRequest(
        measure=MeasureRequest(
            job_id=job.id,
            study_uid=job.study_uid,
            manifest=manifest,
            manifest_digest=job.identity.manifest_digest,
            input_digest=job.identity.input_digest,
            parameters_digest=job.identity.parameters_digest,
            inputs=(rule.series,),
            shared=shared,
            declined=declined,
            thresholds=dict(job.thresholds),
            organisation=settings.portal.site_name,
            seg_encoding=settings.pipelines.seg_encoding,
            at=at,
            sandbox=plan_for(settings, package),
            models=models,
            priority=INTERACTIVE,
        ),
        function=rule.id,
        inputs=given,
        segmentations={
            uid: inputs.segmentation(InstanceUID(uid), series_uid) for uid in sorted(set(edited))
        },
    )


def algorithm_parameters(request: CallRequest) -> dict[str, str]:
    """Function and inputs as TID 4019 parameters; places are short, drawings are counted."""
    found = {"function": request.function}
    for name, value in request.inputs.items():
        found[f"input.{name}"] = _said(value)
    return found


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} points"
    if not isinstance(value, dict):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if "position_mm" in value:
        return _place(value["position_mm"])
    if "start_mm" in value:
        return f"{_place(value['start_mm'])} to {_place(value['end_mm'])}"
    if "shape" in value:
        places = " ".join(_place(point) for point in value["points_mm"])
        return f"{value['shape']} {places}"
    if "points_mm" in value:
        return f"contour of {len(value['points_mm'])} points"
    changed = "replaced, " if value.get("replacement") is not None else ""
    number, strokes = value["segment_number"], len(value["strokes"])
    return f"segment {number} of {value['seg_instance_uid']}, {changed}{strokes} strokes"


def _place(point: list[float]) -> str:
    return "(" + ",".join(f"{v:g}" for v in point) + ")"
