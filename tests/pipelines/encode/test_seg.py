"""Segmentations read back with highdicom and with geometry written out here."""

import io
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from ennead.codes import RIGHT, sct
from ennead.errors import (
    EncodedResultInvalid,
    GeometryMissing,
    GridMismatch,
    OverlappingSegments,
)
from ennead.findings import Segment
from ennead.geometry import Grid, stack_grid
from ennead.testing.results import (
    GRIDS,
    SERIES_UID,
    GridName,
    corner_mask,
    example_manifest,
    example_results,
    finding,
    make_grid,
    rotation,
    segment,
    small_grid,
    source_headers,
)
from ennead_pipelines.encode import SourceSeries, encode
from ennead_pipelines.encode.check import check_seg
from ennead_pipelines.encode.labels import combine


def patient_points(dataset: Dataset, number: int) -> npt.NDArray[np.float64]:
    """LPS mm of every voxel of a segment, by the formula of PS3.3 §C.7.6.2.1.1 alone."""
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    row_mm, column_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    points = []
    for frame, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if dataset.SegmentationType == "BINARY":
            item = group.SegmentIdentificationSequence[0]
            mask = (frame > 0) & (item.ReferencedSegmentNumber == number)
        else:
            mask = frame == number
        i, j = np.nonzero(mask)
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        along_row = np.outer(j * column_mm, directions[:3])
        points.append(origin + along_row + np.outer(i * row_mm, directions[3:]))
    return np.concatenate(points)


def as_sorted(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return points[np.lexsort(np.round(points, 3).T)]


@pytest.mark.parametrize("encoding", ["labelmap", "binary"])
@pytest.mark.parametrize("name", GRIDS)
def test_masks_return_to_their_place_in_the_patient(
    encoded: Any, name: GridName, encoding: str
) -> None:
    grid = small_grid(name)
    dataset = dcmread(io.BytesIO(encoded(grid, encoding=encoding).seg))
    for number, result in enumerate(example_results(grid)[:2], 1):
        assert isinstance(result, Segment)
        expected = grid.to_patient(np.argwhere(result.mask))
        found = patient_points(dataset, number)
        assert len(found) == len(expected)
        np.testing.assert_allclose(as_sorted(found), as_sorted(expected), atol=1e-3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    flips=st.tuples(*[st.sampled_from([1.0, -1.0])] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    origin=st.tuples(*[st.floats(-900.0, 900.0)] * 3),
    shape=st.tuples(st.integers(1, 4), st.integers(4, 9), st.integers(4, 9)),
)
def test_any_orientation(
    angles: tuple[float, float, float],
    flips: tuple[float, float, float],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    shape: tuple[int, int, int],
) -> None:
    from ennead.testing.results import STUDY_UID
    from ennead_pipelines.encode import ResultIdentity

    turn = rotation(*angles)
    axes = tuple(f * turn[:, a] for f, a in zip(flips, (2, 1, 0), strict=True))
    grid = make_grid(axes, spacing, shape, origin)
    mask = corner_mask(grid, (1, 2, 3))
    encoded = encode(
        [segment("right_lung", mask, grid)],
        manifest=example_manifest(),
        identity=ResultIdentity(STUDY_UID, "lung", "1.2.3", "m", "i", "p"),
        sources={SERIES_UID: SourceSeries(source_headers(grid), grid)},
        organisation="",
        seg_encoding="labelmap",
        parameters={},
    )
    assert encoded.seg is not None
    found = patient_points(dcmread(io.BytesIO(encoded.seg)), 1)
    expected = grid.to_patient(np.argwhere(mask))
    # Decimal strings of directions hold 16 characters, so 9 voxels away they still agree.
    np.testing.assert_allclose(as_sorted(found), as_sorted(expected), atol=1e-3)


@pytest.mark.parametrize("name", GRIDS)
def test_highdicom_reads_the_labels_of_each_source_image(encoded: Any, name: GridName) -> None:
    grid = small_grid(name)
    results = encoded(grid)
    read = hd.seg.segread(io.BytesIO(results.seg))
    assert read.segment_numbers == [1, 2]
    assert read.get_segment_description(2).segment_label == "Left lung"
    uids = [str(d.SOPInstanceUID) for d in source_headers(grid)]
    found = read.get_pixels_by_source_instance(uids, combine_segments=True)
    segments = [r for r in example_results(grid) if isinstance(r, Segment)]
    np.testing.assert_array_equal(found, combine(segments).values)


def test_frames_follow_the_source_series(encoded: Any) -> None:
    grid = small_grid("axial")
    dataset = dcmread(io.BytesIO(encoded(grid).seg))
    frames = dataset.PerFrameFunctionalGroupsSequence
    positions = [
        [float(v) for v in f.PlanePositionSequence[0].ImagePositionPatient] for f in frames
    ]
    expected = [list(map(float, d.ImagePositionPatient)) for d in source_headers(grid)]
    assert positions == expected
    assert dataset.SeriesNumber == 9200
    assert dataset.SeriesDescription == "AI Lung densitometry 1.2.3 UNVERIFIED"
    assert dataset.DimensionOrganizationType == "3D"
    assert [s.SegmentNumber for s in dataset.SegmentSequence] == [0, 1, 2]


def test_a_segment_says_what_it_is_and_who_made_it(encoded: Any) -> None:
    results = encoded(small_grid("axial"))
    item = dcmread(io.BytesIO(results.seg)).SegmentSequence[1]
    assert item.SegmentLabel == "Right lung"
    assert item.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"
    region = item.AnatomicRegionSequence[0]
    assert region.AnatomicRegionModifierSequence[0].CodeValue == RIGHT.value
    assert item.TrackingUID == results.tracking_uids["right-lung"]
    algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "1.2.3"
    assert "threshold_hu=-950" in algorithm.AlgorithmParameters
    assert len(item.RecommendedDisplayCIELabValue) == 3


@pytest.mark.parametrize("name", GRIDS)
def test_labelmap_and_binary_hold_the_same_voxels(encoded: Any, name: GridName) -> None:
    grid = small_grid(name)
    labelmap, binary = encoded(grid), encoded(grid, encoding="binary")
    assert labelmap.content_digest == binary.content_digest
    one, other = (dcmread(io.BytesIO(e.seg)) for e in (labelmap, binary))
    per_segment = other.pixel_array.reshape(2, *grid.shape)
    for number in (1, 2):
        np.testing.assert_array_equal(
            one.pixel_array.reshape(grid.shape) == number, per_segment[number - 1] == 1
        )


def test_overlap_is_an_error_as_label_map_and_kept_as_binary(encoded: Any) -> None:
    grid = small_grid("axial")
    one, other = corner_mask(grid, (2, 5, 3)), corner_mask(grid, (3, 2, 2))
    results = [segment("one", one, grid), segment("other", other, grid), finding("f", "one")]
    with pytest.raises(OverlappingSegments, match="share 8 voxels"):
        encoded(grid, results)
    dataset = dcmread(io.BytesIO(encoded(grid, results, encoding="binary").seg))
    assert dataset.SegmentsOverlap == "YES"
    found = dataset.pixel_array.reshape(2, *grid.shape)
    np.testing.assert_array_equal(found[0], one)
    np.testing.assert_array_equal(found[1], other)


def test_more_than_255_segments_need_two_bytes(encoded: Any) -> None:
    grid = small_grid("axial")
    segments = []
    for n in range(300):
        mask = np.zeros(grid.shape, dtype=np.bool_)
        mask.reshape(-1)[5 * n : 5 * n + 2] = True
        segments.append(segment(f"s{n}", mask, grid))
    dataset = dcmread(io.BytesIO(encoded(grid, segments).seg))
    assert dataset.BitsAllocated == 16
    np.testing.assert_array_equal(dataset.pixel_array, combine(segments).values)


def test_missing_frame_of_reference_is_refused(encoded: Any) -> None:
    with pytest.raises(GeometryMissing, match="FrameOfReferenceUID"):
        encoded(small_grid("axial"), headers={"FrameOfReferenceUID": None})


def test_headers_in_another_order_are_refused() -> None:
    grid = small_grid("axial")
    with pytest.raises(GridMismatch, match="grid order"):
        SourceSeries(source_headers(grid)[::-1], grid).require_geometry()


def test_a_grid_made_of_the_headers_matches_them() -> None:
    for name in ("axial", "oblique", "flipped", "single"):
        headers = source_headers(small_grid(name))
        grid, order = stack_grid(
            [d.ImagePositionPatient for d in headers],
            headers[0].ImageOrientationPatient,
            headers[0].PixelSpacing,
            headers[0].Rows,
            headers[0].Columns,
            headers[0].FrameOfReferenceUID,
        )
        SourceSeries(tuple(headers[i] for i in order), grid).require_geometry()


def test_a_segment_on_another_grid_is_refused(encoded: Any) -> None:
    grid, other = small_grid("axial"), small_grid("anisotropic")
    with pytest.raises(GridMismatch, match="right_lung"):
        encoded(grid, [segment("right_lung", corner_mask(other, (1, 1, 1)), other)])


def test_a_long_label_is_refused(encoded: Any) -> None:
    grid = small_grid("axial")
    long = segment("x" * 65, corner_mask(grid, (1, 1, 1)), grid)
    with pytest.raises(EncodedResultInvalid, match="64 characters"):
        encoded(grid, [long])


@pytest.mark.parametrize("encoding", ["labelmap", "binary"])
def test_the_check_sees_a_changed_voxel(encoded: Any, encoding: str) -> None:
    grid = small_grid("axial")
    written = encoded(grid, encoding=encoding).seg
    segments = [r for r in example_results(grid) if isinstance(r, Segment)]
    source = SourceSeries(source_headers(grid), grid)
    check_seg(written, segments, combine(segments), source)
    moved = [segment(s.id, np.roll(s.mask, 1, axis=2), grid, s.laterality) for s in segments]
    with pytest.raises(EncodedResultInvalid, match="decodes to other"):
        check_seg(written, moved, combine(moved), source)


def test_the_check_sees_a_shifted_position_and_another_code(encoded: Any) -> None:
    grid = small_grid("axial")
    written = encoded(grid).seg
    segments = [r for r in example_results(grid) if isinstance(r, Segment)]
    headers = source_headers(grid)
    headers[2].ImagePositionPatient[2] += 0.0011
    with pytest.raises(EncodedResultInvalid, match="from its source slice"):
        check_seg(written, segments, combine(segments), SourceSeries(headers, grid))
    liver = Segment(
        id="right_lung",
        label="Right lung",
        mask=segments[0].mask,
        grid=grid,
        series_uid=SERIES_UID,
        category=segments[0].category,
        type=sct("10200004", "Liver"),
    )
    with pytest.raises(EncodedResultInvalid, match="10200004"):
        changed = [liver, segments[1]]
        source = SourceSeries(source_headers(grid), grid)
        check_seg(written, changed, combine(changed), source)


def test_the_patient_is_that_of_the_source(encoded: Any) -> None:
    grid: Grid = small_grid("axial")
    results = encoded(grid, headers={"PatientSex": "", "PatientAge": "055Y"})
    for written in (results.seg, results.sr):
        dataset = dcmread(io.BytesIO(written))
        assert str(dataset.PatientName) == "Trần^Thử Nghiệm"
        assert (dataset.PatientID, dataset.PatientAge, dataset.PatientSex) == ("TEST-1", "055Y", "")
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
