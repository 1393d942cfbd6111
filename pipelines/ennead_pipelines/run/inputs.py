"""From a job's chosen series to what Ray needs, or why it cannot run now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ennead import headers
from ennead.contracts import Archive, JSONAttributes
from ennead.errors import NotFound
from ennead.geometry import Grid
from ennead.identifiers import InstanceUID, StudyUID
from ennead.plugins import Manifest
from ennead_pipelines.jobs import Job, input_digest
from ennead_pipelines.run.requests import LoadRequest
from ennead_pipelines.select import Candidate, Stack, stack_of

SLOPE, INTERCEPT = "00281053", "00281052"


class InputsChanged(Exception):
    """The series are no longer those the job was made for; the next settling makes another job."""


@dataclass(frozen=True, slots=True)
class JobInput:
    """One input of a job: the cache key of its volume and the request that makes it."""

    name: str
    key: str
    request: LoadRequest


def read_inputs(
    archive: Archive, job: Job, manifest: Manifest, decode_limit_bytes: int
) -> list[JobInput]:
    """The inputs in the manifest's order.

    Raises
    ------
    InputsChanged
        An instance was added, or is gone.
    """
    records = {record.series_uid: record for record in archive.series(job.study_uid)}
    candidates: dict[str, Candidate] = {}
    for name, series_uid in job.inputs.items():
        if series_uid not in records:
            raise InputsChanged(f"series {series_uid} is gone")
        candidates[name] = Candidate(
            records[series_uid], archive.instances(series_uid), archive.metadata(series_uid)
        )
    if input_digest(candidates) != job.identity.input_digest:
        raise InputsChanged("instances were added or removed")
    found = []
    for rule in manifest.input:
        if rule.name not in candidates:
            continue
        candidate = candidates[rule.name]
        stack = stack_of(candidate.headers) if rule.volumetric else None
        if isinstance(stack, list):
            raise InputsChanged(f"the series is no stack any more: {stack[0].code}")
        try:
            paths = archive.paths(candidate.record.series_uid)
            request = load_request(job.study_uid, candidate, stack, paths, decode_limit_bytes)
        except NotFound as error:
            raise InputsChanged(str(error)) from error
        found.append(JobInput(rule.name, input_digest({"series": candidate}), request))
    return found


def load_request(
    study_uid: StudyUID,
    candidate: Candidate,
    stack: Stack | None,
    paths: Mapping[InstanceUID, Path],
    decode_limit_bytes: int,
) -> LoadRequest:
    """What decoding a chosen series needs; without a stack, its first image alone.

    Raises
    ------
    NotFound
        An image of the series has no file among ``paths``.
    """
    answer = stack or _picture(candidate.headers[0])
    uids = tuple(candidate.instances[k].instance_uid for k in answer.order)
    slices = [candidate.headers[k] for k in answer.order]
    absent = [uid for uid in uids if uid not in paths]
    if absent:
        raise NotFound(f"Image {absent[0]} of the series is gone.")
    return LoadRequest(
        study_uid=study_uid,
        series_uid=candidate.record.series_uid,
        modality=candidate.record.modality,
        grid=answer.grid,
        instance_uids=uids,
        paths=tuple(str(paths[uid]) for uid in uids),
        rescale=tuple(_rescale(each) for each in slices),
        attributes=slices[0],
        decode_limit_bytes=decode_limit_bytes,
    )


def _rescale(header: Mapping[str, object]) -> tuple[float, float]:
    slope, intercept = headers.number(header, SLOPE), headers.number(header, INTERCEPT)
    return (1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def _picture(header: JSONAttributes) -> Stack:
    """A single projection image: a plane of its own, in pixels where the spacing is unknown."""
    spacing = headers.numbers(header, "00280030") or headers.numbers(header, "00181164")
    rows, columns = headers.number(header, "00280010"), headers.number(header, "00280011")
    grid = Grid(
        shape=(1, int(rows or 1), int(columns or 1)),
        origin_mm=(0.0, 0.0, 0.0),
        axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
        spacing_mm=(1.0, *(spacing if len(spacing) == 2 else (1.0, 1.0))),
        frame_of_reference_uid=headers.text(header, "00200052"),
    )
    return Stack(grid, (0,))
