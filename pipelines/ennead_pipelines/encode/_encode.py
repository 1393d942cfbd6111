"""The one way from a package's results to stored objects."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead.errors import EncodedResultInvalid, UndeclaredOutput
from ennead.findings import Finding, Map, Result, Segment
from ennead.identifiers import InstanceUID, SeriesUID, SOPClassUID, TrackingUID
from ennead.plugins.manifest import Manifest
from ennead_pipelines.encode.check import check_seg, check_sr
from ennead_pipelines.encode.digest import content_digest
from ennead_pipelines.encode.groups import (
    GroupReferences,
    ObjectReference,
    build_group,
    tracking_identifier,
)
from ennead_pipelines.encode.header import AlgorithmType, Run, part10
from ennead_pipelines.encode.identity import ResultIdentity
from ennead_pipelines.encode.labels import Labels, join, slice_areas
from ennead_pipelines.encode.seg import (
    BINARY_CLASS,
    LABELMAP_CLASS,
    SegmentTracking,
    build_seg,
    require_writable,
)
from ennead_pipelines.encode.sources import SourceSeries, as_received
from ennead_pipelines.encode.sr import build_sr


@dataclass(frozen=True, slots=True)
class EncodedResults:
    """A run's objects, checked and ready to store.

    Parameters
    ----------
    seg : bytes or None
        Part 10 file; None when no segment was returned.
    sr : bytes or None
        Part 10 file; None only when every output was refused.
    tracking_uids : mapping
        Finding id → Tracking UID.
    segment_numbers : mapping
        Segment id → number in the segmentation.
    key_images : mapping
        Finding id → the image a viewer jumps to.
    content_digest : str
        ``sha256:…`` of labels, codes and values; dates do not enter.
    """

    seg: bytes | None
    seg_instance_uid: InstanceUID | None
    seg_series_uid: SeriesUID | None
    sr: bytes | None
    sr_instance_uid: InstanceUID | None
    sr_series_uid: SeriesUID | None
    tracking_uids: Mapping[str, TrackingUID]
    segment_numbers: Mapping[str, int]
    key_images: Mapping[str, InstanceUID]
    content_digest: str


def encode(
    results: Sequence[Result],
    *,
    manifest: Manifest,
    identity: ResultIdentity,
    sources: Mapping[SeriesUID, SourceSeries],
    organisation: str,
    seg_encoding: str,
    parameters: Mapping[str, str],
    language: str = "en",
    at: dt.datetime | None = None,
    algorithm_type: AlgorithmType = "AUTOMATIC",
) -> EncodedResults:
    """Turn results into a segmentation and a report, read both back, and return them.

    Parameters
    ----------
    sources : mapping
        Every series that was read.
    seg_encoding : str
        ``labelmap`` or ``binary``.
    parameters : mapping
        What the run was set to (thresholds, runtime …); written sorted as ``key=value``.
    at : datetime, optional
        Content date, now by default. The same ``at`` gives the same bytes.
    algorithm_type : str
        Segment Algorithm Type: ``SEMIAUTOMATIC`` where a reader took part (PS3.3 §C.8.20.4).

    Raises
    ------
    OverlappingSegments
        Segments share voxels and a label map was asked for.
    UndeclaredOutput
        A measurement or segment the manifest does not declare.
    GeometryMissing, GridMismatch
        A segment's source has no usable geometry or is on another grid.
    EncodedResultInvalid
        The results contradict each other, or did not survive being read back.
    """
    run = Run(
        manifest,
        identity,
        organisation,
        _parameters(manifest, identity, parameters),
        at or dt.datetime.now(dt.UTC),
        language,
        algorithm_type,
    )
    with as_received():
        return _encode(run, results, sources, seg_encoding)


def _encode(
    run: Run,
    results: Sequence[Result],
    sources: Mapping[SeriesUID, SourceSeries],
    seg_encoding: str,
) -> EncodedResults:
    identity = run.identity
    findings = [r for r in results if isinstance(r, Finding)]
    segments = [r for r in results if isinstance(r, Segment)]
    _require_consistent(results, findings, segments, run, sources)
    if not findings and not segments:
        return _nothing()

    owners = _owners(findings)
    segment_numbers = {s.id: n for n, s in enumerate(segments, 1)}
    seg: bytes | None = None
    labels: Labels | None = None
    areas: dict[str, npt.NDArray[np.int64]] = {}
    reference: ObjectReference | None = None
    if segments:
        source = sources[segments[0].series_uid]
        require_writable(segments, source)
        areas = {s.id: slice_areas(s) for s in segments}
        labels = join(segments, areas, seg_encoding)
        tracking = {s.id: _segment_tracking(run, s, owners.get(s.id)) for s in segments}
        seg = part10(build_seg(run, segments, labels, tracking, source, encoding=seg_encoding))
        check_seg(seg, segments, labels, source)
        reference = ObjectReference(
            SOPClassUID(LABELMAP_CLASS if seg_encoding == "labelmap" else BINARY_CLASS),
            identity.instance_uid("seg"),
        )
    links = {
        f.id: GroupReferences(
            tracking_identifier(run, f.id),
            tracking_uid(run.identity, f),
            reference if f.segment_ids else None,
            tuple(segment_numbers[s] for s in f.segment_ids),
            _key_image(f, areas, sources),
        )
        for f in findings
    }
    sr = part10(
        build_sr(run, [build_group(run, f, links[f.id]) for f in findings], sources, reference)
    )
    check_sr(sr, findings, links)
    return EncodedResults(
        seg=seg,
        seg_instance_uid=identity.instance_uid("seg") if seg else None,
        seg_series_uid=identity.series_uid("seg") if seg else None,
        sr=sr,
        sr_instance_uid=identity.instance_uid("sr"),
        sr_series_uid=identity.series_uid("sr"),
        tracking_uids={f.id: links[f.id].tracking_uid for f in findings},
        segment_numbers=segment_numbers,
        key_images={
            f.id: key.instance_uid for f in findings if (key := links[f.id].key_image) is not None
        },
        content_digest=content_digest(findings, segments, labels, run.parameters),
    )


def _nothing() -> EncodedResults:
    digest = "sha256:" + hashlib.sha256(json.dumps([]).encode()).hexdigest()
    return EncodedResults(None, None, None, None, None, None, {}, {}, {}, digest)


def _parameters(
    manifest: Manifest, identity: ResultIdentity, parameters: Mapping[str, str]
) -> tuple[str, ...]:
    every = {
        **parameters,
        "manifest": identity.manifest_digest,
        "input": identity.input_digest,
        "deterministic": str(manifest.runtime.deterministic).lower(),
    }
    return tuple(f"{key}={every[key]}" for key in sorted(every))


def _require_consistent(
    results: Sequence[Result],
    findings: Sequence[Finding],
    segments: Sequence[Segment],
    run: Run,
    sources: Mapping[SeriesUID, SourceSeries],
) -> None:
    maps = [r.id for r in results if isinstance(r, Map)]
    if maps:
        raise EncodedResultInvalid(
            f"Maps cannot be written as DICOM yet; got {maps}. Return measurements or segments."
        )
    if not sources:
        raise EncodedResultInvalid("Results need the series they were computed from; got none.")
    study_uid = run.identity.study_uid
    if all(source.study_uid != study_uid for source in sources.values()):
        raise EncodedResultInvalid(f"No source lies in study {study_uid}, whose result this is.")
    series = {s.series_uid for s in segments}
    if len(series) > 1:
        raise EncodedResultInvalid(
            f"The segments of one run lie on one series; got {len(series)}. Map them to the first."
        )
    unknown = (series | {f.series_uid for f in findings}) - set(sources)
    if unknown:
        raise EncodedResultInvalid(f"Results name series that were not read: {sorted(unknown)}.")
    ids = [f.id for f in findings]
    if len(ids) != len(set(ids)):
        raise EncodedResultInvalid(f"Finding ids of one run must differ; got {ids}.")
    known = {s.id for s in segments}
    for finding in findings:
        missing = set(finding.segment_ids) - known
        if missing:
            raise EncodedResultInvalid(
                f"Finding {finding.id!r} rests on segments that were not returned: "
                f"{sorted(missing)}."
            )
        if finding.segment_ids and finding.series_uid not in series:
            raise EncodedResultInvalid(
                f"Finding {finding.id!r} names another series than the segments it rests on."
            )
        for measurement in finding.measurements:
            if run.manifest.output_rule(measurement.id) is None:
                raise UndeclaredOutput(
                    f"Measurement {measurement.id!r} is not an output of package.toml; declare it."
                )


def tracking_uid(identity: ResultIdentity, finding: Finding) -> TrackingUID:
    """The one that the finding carries on, else a new one of this run."""
    return finding.tracking_uid or identity.finding_tracking_uid(finding.id)


def _owners(findings: Sequence[Finding]) -> dict[str, Finding]:
    """Findings that are exactly one segment, by segment: the two share a Tracking UID."""
    claims: dict[str, list[Finding]] = {}
    for finding in findings:
        if len(finding.segment_ids) == 1:
            claims.setdefault(finding.segment_ids[0], []).append(finding)
    return {segment_id: found[0] for segment_id, found in claims.items() if len(found) == 1}


def _segment_tracking(run: Run, segment: Segment, owner: Finding | None) -> SegmentTracking:
    if owner is not None:
        uid = tracking_uid(run.identity, owner)
        return SegmentTracking(tracking_identifier(run, owner.id), uid, owner.site)
    uid = run.identity.segment_tracking_uid(segment.id)
    return SegmentTracking(tracking_identifier(run, segment.id), uid, None)


def _key_image(
    finding: Finding,
    areas: Mapping[str, npt.NDArray[np.int64]],
    sources: Mapping[SeriesUID, SourceSeries],
) -> ObjectReference:
    """The finding's own key image, its first segment's largest slice, or the middle of the series.

    Raises
    ------
    EncodedResultInvalid
        The finding names an image that is not in its series.
    """
    source = sources[finding.series_uid]
    headers = {str(d.SOPInstanceUID): d for d in source.datasets}
    if finding.key_instance_uid is not None:
        header = headers.get(finding.key_instance_uid)
        if header is None:
            raise EncodedResultInvalid(
                f"Finding {finding.id!r} names key image {finding.key_instance_uid}, which is not "
                "in its series."
            )
    else:
        index = len(source.datasets) // 2
        if finding.segment_ids:
            index = int(np.argmax(areas[finding.segment_ids[0]]))
        header = source.datasets[index]
    return ObjectReference(
        SOPClassUID(str(header.SOPClassUID)), InstanceUID(str(header.SOPInstanceUID))
    )
