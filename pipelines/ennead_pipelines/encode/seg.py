"""Segmentations: label map (66.7) and BINARY (66.4), on the grid of their source series.

The frame headers are written here rather than by highdicom's ``Segmentation``, whose frames run
against the stack normal and whose dimension UIDs are random: readers that place frames by their
index must find those of the source series in its order, and equal runs must give equal bytes.
The objects are read back with highdicom in ``tests/conformance``. Results-encoding §2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from ennead.codes import ANATOMICAL_STRUCTURE, Code, dcm
from ennead.errors import EncodedResultInvalid
from ennead.findings import Segment
from ennead.identifiers import TrackingUID
from ennead_pipelines.encode.codes import SEGMENTATION, SOURCE_IMAGE, code_dataset, coded
from ennead_pipelines.encode.header import MANUFACTURER, Run, new_object
from ennead_pipelines.encode.items import (
    Element,
    add,
    code_sequence,
    element,
    item,
    reference_elements,
    sequence,
    string,
)
from ennead_pipelines.encode.labels import Labels
from ennead_pipelines.encode.rle import encode_frames
from ennead_pipelines.encode.sources import (
    SourceSeries,
    decimals,
    identity_of,
    references,
)

LABELMAP_CLASS: Final = "1.2.840.10008.5.1.4.1.1.66.7"
BINARY_CLASS: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_BACKGROUND: Final = dcm("125040", "Background")
_BASIC_OFFSET_LIMIT = 2**32 - 2**20
_LABEL_LIMIT = 64
_PER_FRAME_GROUPS = 0x52009230


@dataclass(frozen=True, slots=True)
class SegmentTracking:
    """How a segment is named across objects, and where in the body it lies."""

    tracking_id: str
    tracking_uid: TrackingUID
    site: Code | None


def require_writable(segments: Sequence[Segment], source: SourceSeries) -> None:
    """Refuse what no segmentation can say.

    Raises
    ------
    GeometryMissing, GridMismatch
        The source has no usable geometry, or a segment lies on another grid.
    EncodedResultInvalid
        A label is longer than 64 characters, or ids repeat.
    """
    source.require_geometry()
    ids = [s.id for s in segments]
    if len(ids) != len(set(ids)):
        raise EncodedResultInvalid(f"Segment ids of one run must differ; got {ids}.")
    for segment in segments:
        source.grid.require_same(segment.grid, f"Segment {segment.id!r}")
        if len(segment.label) > _LABEL_LIMIT:
            raise EncodedResultInvalid(
                f"A segment label has at most {_LABEL_LIMIT} characters (LO); that of "
                f"{segment.id!r} has {len(segment.label)}."
            )


def build_seg(
    run: Run,
    segments: Sequence[Segment],
    labels: Labels | None,
    tracking: Mapping[str, SegmentTracking],
    source: SourceSeries,
    *,
    encoding: str,
) -> Dataset:
    """The segmentation of a run, ready to write.

    Parameters
    ----------
    segments : sequence of Segment
        Passed by :func:`require_writable`.
    labels : Labels or None
        Of the segments; None when they overlap, which only ``binary`` can write.
    encoding : str
        ``labelmap`` or ``binary``.
    """
    is_labelmap = encoding == "labelmap"
    dataset = new_object(
        run,
        identity_of(source.datasets[0]),
        sop_class_uid=LABELMAP_CLASS if is_labelmap else BINARY_CLASS,
        instance_uid=run.identity.instance_uid("seg"),
        series_uid=run.identity.series_uid("seg"),
        modality="SEG",
        series_offset=0,
        transfer_syntax_uid=RLELossless if is_labelmap else ExplicitVRLittleEndian,
    )
    _image_modules(dataset, run, source, is_labelmap)
    dataset.SegmentsOverlap = "YES" if labels is None else "NO"
    items = [_segment_item(run, n, s, tracking[s.id]) for n, s in enumerate(segments, 1)]
    dataset.SegmentSequence = [_background(run), *items] if is_labelmap else items
    _frames(dataset, run, source, 0 if is_labelmap else len(segments))
    if labels is not None and is_labelmap:
        _labelmap_pixels(dataset, labels)
    else:
        _binary_pixels(dataset, segments)
    return dataset


def _image_modules(dataset: Dataset, run: Run, source: SourceSeries, is_labelmap: bool) -> None:
    """General Image, Image Pixel, Segmentation Image, references (PS3.3 §C.8.20)."""
    first = source.datasets[0]
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.FrameOfReferenceUID = str(first.FrameOfReferenceUID)
    dataset.PositionReferenceIndicator = str(first.get("PositionReferenceIndicator") or "")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.Rows, dataset.Columns = source.grid.shape[1:]
    dataset.LossyImageCompression = str(first.get("LossyImageCompression") or "00")
    if dataset.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in first:
                dataset[keyword] = first[keyword]
    dataset.SegmentationType = "LABELMAP" if is_labelmap else "BINARY"
    dataset.ContentLabel = f"ENNEAD_{run.manifest.id.upper()}"[:16]
    dataset.ContentDescription = run.series_description()
    dataset.ContentCreatorName = ""
    series = item(
        sequence(0x0008114A, references(source.datasets)),
        string(0x0020000E, "UI", source.series_uid),
    )
    add(dataset, sequence(0x00081115, [series]))


def _segment_item(run: Run, number: int, segment: Segment, tracking: SegmentTracking) -> Dataset:
    algorithm = AlgorithmIdentificationSequence(
        name=f"{MANUFACTURER} {run.manifest.id}",
        family=coded(run.manifest.algorithm_family.code),
        version=run.manifest.version,
        source=MANUFACTURER,
    )
    algorithm[0].AlgorithmParameters = "; ".join(run.parameters)
    item = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.type),
        algorithm_type=run.algorithm_type,
        algorithm_identification=algorithm,
        tracking_uid=tracking.tracking_uid,
        tracking_id=tracking.tracking_id,
        display_color=CIELabColor.from_rgb(*segment.colour_rgb),
    )
    site = tracking.site
    if site is None and segment.category.value == ANATOMICAL_STRUCTURE.value:
        site = segment.type
    if segment.laterality is not None:
        item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            code_dataset(segment.laterality)
        ]
    if site is not None:
        region = code_dataset(site)
        if segment.laterality is not None:
            region.AnatomicRegionModifierSequence = [code_dataset(segment.laterality)]
        item.AnatomicRegionSequence = [region]
    return item


def _background(run: Run) -> Dataset:
    """Label 0; readers must not report it as a finding."""
    item = Dataset()
    item.SegmentNumber = 0
    item.SegmentLabel = "Background"
    item.SegmentedPropertyCategoryCodeSequence = [code_dataset(_BACKGROUND)]
    item.SegmentedPropertyTypeCodeSequence = [code_dataset(_BACKGROUND)]
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = f"{MANUFACTURER} {run.manifest.id}"
    item.RecommendedDisplayCIELabValue = list(CIELabColor(0.0, 0.0, 0.0).value)
    return item


def _frames(dataset: Dataset, run: Run, source: SourceSeries, segments: int) -> None:
    """Functional groups and dimensions: every source slice, once per segment when BINARY."""
    first, slices = source.datasets[0], source.datasets
    organisation = Dataset()
    organisation.DimensionOrganizationUID = run.identity.dimension_uid()
    dataset.DimensionOrganizationSequence = [organisation]
    # Segment Identification (PS3.3 §C.8.20.3.1) first, then Plane Position.
    pointers = [(0x0062000B, 0x0062000A)] if segments else []
    pointers.append((0x00200032, 0x00209113))
    dataset.DimensionIndexSequence = [_dimension(run, *p) for p in pointers]
    if len(slices) > 1 and segments < 2:
        dataset.DimensionOrganizationType = "3D"

    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = decimals(first.PixelSpacing)
    thickness = first.get("SliceThickness") or source.grid.spacing_mm[0]
    measures.SliceThickness = decimals([thickness])[0]
    if len(slices) > 1:
        measures.SpacingBetweenSlices = decimals([source.grid.spacing_mm[0]])[0]
    orientation.ImageOrientationPatient = decimals(first.ImageOrientationPatient)
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]

    places = [_place(d) for d in slices]
    groups = [
        item(
            derivation,
            _frame_content([segment, k] if segments else [k]),
            position,
            *((_identification(segment),) if segments else ()),
        )
        for segment in range(1, max(segments, 1) + 1)
        for k, (position, derivation) in enumerate(places, 1)
    ]
    add(dataset, sequence(_PER_FRAME_GROUPS, groups))
    dataset.NumberOfFrames = len(groups)


def _frame_content(index: list[int]) -> Element:
    values = struct.pack(f"<{len(index)}L", *index)
    return sequence(0x00209111, [item(element(0x00209157, "UL", values))])


def _identification(segment: int) -> Element:
    return sequence(0x0062000A, [item(element(0x0062000B, "US", struct.pack("<H", segment)))])


def _dimension(run: Run, index: int, group: int) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = run.identity.dimension_uid()
    item.DimensionIndexPointer = index
    item.FunctionalGroupPointer = group
    item.DimensionDescriptionLabel = "Segment" if index == 0x0062000B else "Position"
    return item


def _place(slice_header: Dataset) -> tuple[Element, Element]:
    """Plane position and derivation of one source slice."""
    at = "\\".join(str(value) for value in decimals(slice_header.ImagePositionPatient))
    position = sequence(0x00209113, [item(string(0x00200032, "DS", at))])
    image = item(
        *reference_elements(str(slice_header.SOPClassUID), str(slice_header.SOPInstanceUID)),
        string(0x0028135A, "CS", "YES"),
        code_sequence(0x0040A170, SOURCE_IMAGE),
    )
    derivation = item(sequence(0x00082112, [image]), code_sequence(0x00089215, SEGMENTATION))
    return position, sequence(0x00089124, [derivation])


def _labelmap_pixels(dataset: Dataset, labels: Labels) -> None:
    bits = labels.values.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.add_new(0x00280120, "US", 0)  # Pixel Padding Value
    frames = encode_frames(labels.values)
    if sum(map(len, frames)) + 8 * len(frames) < _BASIC_OFFSET_LIMIT:
        dataset.PixelData = encapsulate(frames)
    else:
        pixels, offsets, lengths = encapsulate_extended(frames)
        dataset.PixelData = pixels
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _binary_pixels(dataset: Dataset, segments: Sequence[Segment]) -> None:
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    voxels = segments[0].mask.size
    if voxels % 8 == 0:
        data = b"".join(
            np.packbits(s.mask, axis=None, bitorder="little").tobytes() for s in segments
        )
    else:  # frames are bit-packed without padding between them (PS3.5 §8.2)
        flat = np.concatenate([s.mask.reshape(-1) for s in segments])
        data = np.packbits(flat, bitorder="little").tobytes()
    dataset.PixelData = data + b"\x00" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
