"""Read back what was written and compare it with what was meant (results-encoding §10).

Nothing is stored that did not survive this. The decoder of the label map (pylibjpeg-rle) shares
no code with its writer (:mod:`ennead_pipelines.encode.rle`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError

from ennead.codes import Code
from ennead.errors import EncodedResultInvalid
from ennead.findings import Finding, Segment
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.codes import read_code
from ennead_pipelines.encode.groups import GroupReferences
from ennead_pipelines.encode.labels import Labels
from ennead_pipelines.encode.seg import LABELMAP_CLASS
from ennead_pipelines.encode.sources import SourceSeries
from ennead_pipelines.encode.tree import (
    Key,
    by_concept,
    child_of,
    children_of,
    concept,
    in_containers,
    is_concept,
    value_of,
)

POSITION_TOLERANCE_MM = 1e-3


def check_seg(
    part10: bytes, segments: Sequence[Segment], labels: Labels | None, source: SourceSeries
) -> None:
    """Compare a written segmentation with its segments and source.

    Raises
    ------
    EncodedResultInvalid
        A voxel, a frame's position, a reference or a code differs; says which.
    """
    dataset = _read(part10)
    is_labelmap = dataset.SOPClassUID == LABELMAP_CLASS
    slices = len(source.datasets)
    _require(
        dataset.NumberOfFrames == slices * (1 if is_labelmap else len(segments)),
        f"{dataset.NumberOfFrames} frames were written for {slices} slices",
    )
    _check_frames(dataset, source)
    _check_segment_items(dataset, segments)
    if is_labelmap:
        if labels is None:
            raise EncodedResultInvalid("A label map was written for segments that overlap.")
        _check_labelmap(dataset, labels)
    else:
        _check_binary(dataset, segments)


def _check_frames(dataset: Dataset, source: SourceSeries) -> None:
    groups = dataset.PerFrameFunctionalGroupsSequence
    positions = np.array([g.PlanePositionSequence[0].ImagePositionPatient for g in groups], float)
    expected = source.positions_mm()
    repeats = len(groups) // len(expected)
    gap = np.abs(positions - np.tile(expected, (repeats, 1))).max()
    _require(
        bool(gap <= POSITION_TOLERANCE_MM),
        f"a frame lies {gap:.4f} mm from its source slice (limit {POSITION_TOLERANCE_MM} mm)",
    )
    uids = [
        str(g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        for g in groups
    ]
    _require(uids == source.instance_uids() * repeats, "a frame names another source image")


def _check_segment_items(dataset: Dataset, segments: Sequence[Segment]) -> None:
    items = [item for item in dataset.SegmentSequence if item.SegmentNumber != 0]
    _require(
        [int(i.SegmentNumber) for i in items] == list(range(1, len(segments) + 1)),
        "segment numbers do not run from 1",
    )
    tracked = [str(i.TrackingUID) for i in items]
    _require(len(set(tracked)) == len(tracked), "two segments have one Tracking UID")
    for item, segment in zip(items, segments, strict=True):
        _same_code(read_code(item.SegmentedPropertyCategoryCodeSequence[0]), segment.category)
        _same_code(read_code(item.SegmentedPropertyTypeCodeSequence[0]), segment.type)
        _require(str(item.SegmentLabel) == segment.label, f"the label of {segment.id!r} differs")


def _check_labelmap(dataset: Dataset, labels: Labels) -> None:
    from rle.rle import decode_frame

    rows, columns, bits = dataset.Rows, dataset.Columns, dataset.BitsAllocated
    dtype = np.dtype("<u1" if bits == 8 else "<u2")
    count = 0
    frames = generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames)
    for k, frame in enumerate(frames):
        found = np.frombuffer(decode_frame(frame, rows * columns, bits, "<"), dtype=dtype)
        _require(
            np.array_equal(found, labels.values[k].reshape(-1)),
            f"frame {k + 1} decodes to other labels",
        )
        count += 1
    _require(count == len(labels.values), f"{count} frames decode")


def _check_binary(dataset: Dataset, segments: Sequence[Segment]) -> None:
    voxels = segments[0].mask.size
    packed = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    for n, segment in enumerate(segments):
        first, last = n * voxels, (n + 1) * voxels
        bits = np.unpackbits(packed[first // 8 : -(-last // 8)], bitorder="little")
        found = bits[first % 8 : first % 8 + voxels].view(np.bool_)
        _require(
            np.array_equal(found, segment.mask.reshape(-1)),
            f"segment {segment.id!r} decodes to other voxels",
        )


def check_sr(
    part10: bytes,
    findings: Sequence[Finding],
    references: Mapping[str, GroupReferences],
) -> None:
    """Compare a written report with its findings.

    Raises
    ------
    EncodedResultInvalid
        A code, value, unit, tracking identifier or reference differs or is absent.
    """
    dataset = _read(part10)
    groups = check_document(dataset)
    _require(len(groups) == len(findings), f"{len(groups)} groups for {len(findings)} findings")
    for group, finding in zip(groups, findings, strict=True):
        _check_group(group, finding, references[finding.id])


def check_document(dataset: Dataset) -> list[Dataset]:
    """The rules every report of ours keeps, first versions and reviewed ones alike.

    Root title and containers, unit and method of every number in a group, tracking identifiers
    first and unique, every image covered by the evidence.

    Returns
    -------
    list of Dataset
        The measurement groups, in order.

    Raises
    ------
    EncodedResultInvalid
        Names the rule that is broken.
    """
    _require(is_concept(dataset, codes.IMAGING_MEASUREMENT_REPORT), "the root title is not 126000")
    for name in (codes.IMAGE_LIBRARY, codes.IMAGING_MEASUREMENTS):
        _require(child_of(dataset, name, "CONTAINER") is not None, f"{name.meaning} is missing")
    groups = measurement_groups(dataset)
    tracked: list[str] = []
    for group in groups:
        first, second = group.ContentSequence[:2]
        _require(
            is_concept(first, codes.TRACKING_ID) and is_concept(second, codes.TRACKING_UID),
            "a group does not begin with its tracking identifiers",
        )
        tracked.append(str(second.UID))
        _require(child_of(group, codes.ALGORITHM_NAME) is not None, "a group names no algorithm")
        for item in children_of(group, value_type="NUM"):
            _check_number(item)
    _require(len(set(tracked)) == len(tracked), "two groups have one Tracking UID")
    evidence = evidence_uids(dataset)
    for item in in_containers(dataset):
        if item.ValueType == "IMAGE":
            uid = str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            _require(uid in evidence, f"image {uid} is referenced but not in the evidence")
    return groups


def measurement_groups(dataset: Dataset) -> list[Dataset]:
    """Measurement groups of a TID 1500 document, in order."""
    measurements = child_of(dataset, codes.IMAGING_MEASUREMENTS, "CONTAINER")
    return children_of(measurements, codes.MEASUREMENT_GROUP) if measurements else []


def evidence_uids(dataset: Dataset) -> set[str]:
    """SOP Instance UIDs of both evidence sequences."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        )
        for study in dataset.get(keyword) or ()
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def _check_number(item: Dataset) -> None:
    measured = item.MeasuredValueSequence[0]
    children = by_concept(item)
    if not measured.get("MeasurementUnitsCodeSequence"):
        _require(False, f"{concept(item).meaning} has no unit")
    if _key(codes.MEASUREMENT_METHOD) not in children and _key(codes.DERIVATION) not in children:
        _require(False, f"{concept(item).meaning} has neither method nor derivation")


def _check_group(group: Dataset, finding: Finding, references: GroupReferences) -> None:
    what = f"finding {finding.id!r}"
    children = by_concept(group)
    _require(str(group.ContentSequence[1].UID) == references.tracking_uid, f"{what}: tracking UID")
    for name, expected in (
        (codes.FINDING, finding.finding),
        (codes.FINDING_CATEGORY, finding.category),
        (codes.FINDING_SITE, finding.site),
    ):
        items = children.get(_key(name), [])
        _require(
            len(items) == (expected is not None), f"{what}: {name.meaning} is missing or repeated"
        )
        if expected is not None:
            _same_code(read_code(items[0].ConceptCodeSequence[0]), expected)
    numbers = children_of(group, value_type="NUM")
    _require(len(numbers) == len(finding.measurements), f"{what}: number of measurements")
    for item, measurement in zip(numbers, finding.measurements, strict=True):
        _same_code(concept(item), measurement.concept)
        unit = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
        _same_code(read_code(unit), measurement.unit)
        _require(value_of(item) == float(measurement.value), f"{what}: {measurement.id} differs")
    _check_segments(children.get(_key(codes.REFERENCED_SEGMENT), []), references, what)


def _check_segments(items: list[Dataset], references: GroupReferences, what: str) -> None:
    if references.seg is None or not references.segment_numbers:
        _require(not items, f"{what}: a segment is referenced that was not returned")
        return
    _require(len(items) == 1, f"{what}: {len(items)} Referenced Segment items")
    referenced = items[0].ReferencedSOPSequence[0]
    numbers = referenced.ReferencedSegmentNumber
    found = (numbers,) if isinstance(numbers, int) else tuple(numbers)
    _require(
        str(referenced.ReferencedSOPInstanceUID) == references.seg.instance_uid
        and tuple(map(int, found)) == references.segment_numbers,
        f"{what}: Referenced Segment does not resolve",
    )


def _key(name: Code) -> Key:
    return (name.value, name.scheme)


def _same_code(found: Code, expected: Code) -> None:
    _require(
        (found.value, found.scheme) == (expected.value, expected.scheme),
        f"code {expected.scheme}:{expected.value} was written as {found.scheme}:{found.value}",
    )


def _read(part10: bytes) -> Dataset:
    try:
        return dcmread(io.BytesIO(part10))
    except (InvalidDicomError, OSError, ValueError) as error:
        raise EncodedResultInvalid(f"The written object cannot be read: {error}") from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise EncodedResultInvalid(
            f"A written result did not survive being read back: {message}. It is not stored; "
            "report it with the job's identifier."
        )
