"""What a run hands back to the worker process: objects, and everything that people are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ennead.contracts import Volume
from ennead.findings import Finding, Refusal, Result, Segment
from ennead.identifiers import InstanceUID
from ennead_pipelines.encode import EncodedResults
from ennead_pipelines.run.requests import (
    FindingSummary,
    JobOutput,
    MeasureRequest,
    SegmentSummary,
)


def job_output(
    request: MeasureRequest,
    results: Sequence[Result],
    encoded: EncodedResults,
    volumes: Mapping[str, Volume],
    durations_s: Mapping[str, float],
) -> JobOutput:
    """The results as rows and as bytes; an ``encoded`` without bytes gives the rows alone."""
    segments = {r.id: r for r in results if isinstance(r, Segment)}
    found = [r for r in results if isinstance(r, Finding)]
    return JobOutput(
        seg=encoded.seg,
        seg_instance_uid=encoded.seg_instance_uid or "",
        seg_series_uid=encoded.seg_series_uid or "",
        sr=encoded.sr,
        sr_instance_uid=encoded.sr_instance_uid or "",
        sr_series_uid=encoded.sr_series_uid or "",
        content_digest=encoded.content_digest,
        findings=tuple(_summary(f, encoded, segments, volumes) for f in found),
        segments=tuple(
            SegmentSummary(s.id, s.label, encoded.segment_numbers[s.id], s.colour_rgb, s.series_uid)
            for s in segments.values()
        ),
        refusals=tuple(r for r in results if isinstance(r, Refusal)),
        slices=sum(volume.grid.shape[0] for volume in volumes.values()),
        shared=request.shared,
        durations_s=dict(durations_s),
    )


def _summary(
    finding: Finding,
    encoded: EncodedResults,
    segments: Mapping[str, Segment],
    volumes: Mapping[str, Volume],
) -> FindingSummary:
    volume = next(v for v in volumes.values() if v.series_uid == finding.series_uid)
    segment = next((segments[s] for s in finding.segment_ids if s in segments), None)
    key = encoded.key_images.get(finding.id) or finding.key_instance_uid
    uids = volume.instance_uids
    slice_index = uids.index(key) if key in uids else len(uids) // 2
    return FindingSummary(
        finding,
        encoded.tracking_uids[finding.id],
        InstanceUID(uids[slice_index]),
        _point(volume, segment, slice_index),
        volume.grid.frame_of_reference_uid,
    )


def _point(volume: Volume, segment: Segment | None, slice_index: int) -> tuple[float, float, float]:
    """LPS mm to jump to: the segment's centre on its key slice, else the slice's centre."""
    rows, columns = volume.grid.shape[1:]
    index = np.array([slice_index, (rows - 1) / 2, (columns - 1) / 2])
    if segment is not None and segment.mask[slice_index].any():
        inside = np.argwhere(segment.mask[slice_index])
        centre = inside.mean(axis=0)
        # The voxel of the region nearest to its centre: a hollow region has none in the middle.
        nearest = inside[np.argmin(((inside - centre) ** 2).sum(axis=1))]
        index = np.array([slice_index, *nearest])
    point = volume.grid.to_patient(index)
    return (float(point[0]), float(point[1]), float(point[2]))
