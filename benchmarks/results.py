"""CPU seconds to write a segmentation and a report, beside highdicom's on the same content.

    python benchmarks/results.py [--segments 103] [--slices 300] [--size 512] [--repeat 3]

One process, one run, medians. Both start from the label array; Ennead's figures include reading
everything back and comparing it. Joining the masks that packages return into the label array comes
on top and is given separately. Sources are headers without pixels. Our report always has an image
library, which states geometry once a series; highdicom's states it anew for every image, so its
report is timed with and without.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept

from ennead.findings import Finding, Segment
from ennead.geometry import Grid
from ennead.identifiers import SOPClassUID
from ennead.testing.results import (
    LUNG,
    SERIES_UID,
    STUDY_UID,
    example_manifest,
    finding,
    segment,
    source_headers,
)
from ennead_pipelines.encode import ResultIdentity, SourceSeries
from ennead_pipelines.encode.check import check_seg, check_sr
from ennead_pipelines.encode.groups import GroupReferences, ObjectReference, build_group
from ennead_pipelines.encode.header import Run, part10
from ennead_pipelines.encode.labels import Labels, combine, slice_areas
from ennead_pipelines.encode.rle import encode_frames
from ennead_pipelines.encode.seg import LABELMAP_CLASS, SegmentTracking, build_seg
from ennead_pipelines.encode.sr import build_sr

RLE = "1.2.840.10008.1.2.5"
CATEGORY = CodedConcept("91723000", "SCT", "Anatomical Structure")
TYPE = CodedConcept(LUNG.value, LUNG.scheme, LUNG.meaning)


def balls(grid: Grid, count: int, radius: int = 18) -> list[Segment]:
    """Disjoint balls on a lattice."""
    z, y, x = np.ogrid[-radius:radius, -radius:radius, -radius:radius]
    ball = z**2 + y**2 + x**2 < radius**2
    steps = [range(radius, n - radius + 1, 2 * radius) for n in grid.shape]
    centres = [(a, b, c) for a in steps[0] for b in steps[1] for c in steps[2]]
    if len(centres) < count:
        raise SystemExit(f"Only {len(centres)} balls fit; ask for fewer segments.")
    chosen = np.random.default_rng(0).permutation(len(centres))[:count]
    found = []
    for number, index in enumerate(chosen):
        mask = np.zeros(grid.shape, dtype=np.bool_)
        block = tuple(slice(c - radius, c + radius) for c in centres[index])
        mask[block] = ball
        found.append(segment(f"segment{number}", mask, grid))
    return found


def seconds(work: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Median CPU seconds of ``work`` and its last value."""
    taken, value = [], None
    for _ in range(repeat):
        begun = time.process_time()
        value = work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken), value


def example_run() -> Run:
    """A run of the example package."""
    identity = ResultIdentity(STUDY_UID, "lung", "1.2.3", "m", "i", "p")
    at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    return Run(example_manifest(), identity, "", ("threshold=-950",), at, "en")


def ennead_seg(segments: list[Segment], labels: Labels, source: SourceSeries) -> bytes:
    """Segmentation, written and read back."""
    run = example_run()
    tracking = {
        s.id: SegmentTracking(s.id, run.identity.segment_tracking_uid(s.id), LUNG) for s in segments
    }
    written = part10(build_seg(run, segments, labels, tracking, source, encoding="labelmap"))
    check_seg(written, segments, labels, source)
    return written


def ennead_sr(findings: list[Finding], source: SourceSeries) -> bytes:
    """Report over that segmentation, written and read back."""
    run = example_run()
    seg = ObjectReference(SOPClassUID(LABELMAP_CLASS), run.identity.instance_uid("seg"))
    key = source.datasets[0]
    image = ObjectReference(key.SOPClassUID, key.SOPInstanceUID)
    links = {
        f.id: GroupReferences(f.id, run.identity.finding_tracking_uid(f.id), seg, (n,), image)
        for n, f in enumerate(findings, 1)
    }
    groups = [build_group(run, f, links[f.id]) for f in findings]
    written = part10(build_sr(run, groups, {SERIES_UID: source}, seg))
    check_sr(written, findings, links)
    return written


def highdicom_seg(labels: Any, count: int, source: SourceSeries) -> hd.seg.Segmentation:
    """The same labels by highdicom: RLE, every frame, written to memory."""
    algorithm = hd.AlgorithmIdentificationSequence(
        "a", CodedConcept("123104", "DCM", "Morphological Operations"), "1"
    )
    described = [
        hd.seg.SegmentDescription(n, f"s{n}", CATEGORY, TYPE, "AUTOMATIC", algorithm)
        for n in range(1, count + 1)
    ]
    made = hd.seg.Segmentation(
        list(source.datasets),
        labels,
        "LABELMAP",
        described,
        hd.UID(),
        1,
        hd.UID(),
        1,
        "m",
        "m",
        "1",
        "1",
        omit_empty_frames=False,
        transfer_syntax_uid=RLE,
    )
    made.save_as(io.BytesIO())
    return made


def highdicom_sr(
    findings: list[Finding], seg: Any, source: SourceSeries, *, library: bool
) -> bytes:
    """The same groups by highdicom's templates, written to memory."""
    observer = hd.sr.ObserverContext(
        CodedConcept("121007", "DCM", "Device"),
        hd.sr.DeviceObserverIdentifyingAttributes(uid=hd.UID()),
    )
    groups = []
    for number, each in enumerate(findings, 1):
        measured = [
            hd.sr.Measurement(
                name=CodedConcept(m.concept.value, m.concept.scheme, m.concept.meaning),
                value=m.value,
                unit=CodedConcept(m.unit.value, m.unit.scheme, m.unit.meaning),
                method=CodedConcept("126030", "DCM", "Sum of segmented voxel volumes"),
            )
            for m in each.measurements
        ]
        groups.append(
            hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), each.id),
                referenced_segment=hd.sr.ReferencedSegment(
                    seg.SOPClassUID,
                    seg.SOPInstanceUID,
                    number,
                    source_series=hd.sr.SourceSeriesForSegmentation(SERIES_UID),
                ),
                finding_type=TYPE,
                finding_category=CATEGORY,
                finding_sites=[hd.sr.FindingSite(TYPE)],
                algorithm_id=hd.sr.AlgorithmIdentification(
                    "Ennead lung", "1.2.3", ["threshold=-950"]
                ),
                measurements=measured,
            )
        )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=CodedConcept("169069000", "SCT", "CT of chest"),
        imaging_measurements=groups,
        referenced_images=source.datasets if library else None,
    )
    made = hd.sr.Comprehensive3DSR(
        evidence=[*source.datasets, seg],
        content=report,
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="m",
    )
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=103)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()

    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    shape = (asked.slices, asked.size, asked.size)
    grid = Grid(shape, (-180.0, -180.0, -150.0), axes, (1.0, 0.7, 0.7), "1.2.9")
    source = SourceSeries(source_headers(grid), grid)
    segments = balls(grid, asked.segments)
    findings = [finding(s.id, s.id) for s in segments]

    areas_s, areas = seconds(lambda: {s.id: slice_areas(s) for s in segments}, asked.repeat)
    combine_s, labels = seconds(lambda: combine(segments, areas), asked.repeat)
    pixels_s, _ = seconds(lambda: encode_frames(labels.values), asked.repeat)
    seg_s, written = seconds(lambda: ennead_seg(segments, labels, source), asked.repeat)
    sr_s, report = seconds(lambda: ennead_sr(findings, source), asked.repeat)
    theirs_s, seg = seconds(
        lambda: highdicom_seg(labels.values, len(segments), source), asked.repeat
    )
    bare_s, _ = seconds(lambda: highdicom_sr(findings, seg, source, library=False), asked.repeat)
    with_library_s, _ = seconds(lambda: highdicom_sr(findings, seg, source, library=True), 1)
    print(
        json.dumps(
            {
                "segments": len(segments),
                "shape": shape,
                "seg_bytes": len(written),
                "sr_bytes": len(report),
                "ennead": {
                    "join_masks_s": round(areas_s + combine_s, 2),
                    "rle_of_all_frames_s": round(pixels_s, 3),
                    "seg_written_and_checked_s": round(seg_s, 2),
                    "sr_written_and_checked_s": round(sr_s, 2),
                },
                "highdicom": {
                    "seg_from_labels_s": round(theirs_s, 2),
                    "sr_without_image_library_s": round(bare_s, 2),
                    "sr_with_image_library_s": round(with_library_s, 2),
                },
                "ratio": {
                    "seg": round(seg_s / theirs_s, 2),
                    "sr": round(sr_s / bare_s, 2),
                    "sr_both_with_library": round(sr_s / with_library_s, 2),
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
