"""Comprehensive 3D SR following TID 1500 (results-encoding §3; PS3.3 §A.35.13)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from ennead.codes import MILLIMETRE, dcm, private
from ennead.identifiers import SeriesUID, StudyUID
from ennead.texts import translate
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.content import (
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    code,
    container,
    image,
    number,
    text,
    uidref,
)
from ennead_pipelines.encode.groups import ObjectReference
from ennead_pipelines.encode.header import MANUFACTURER, Run, new_object
from ennead_pipelines.encode.items import (
    Item,
    add,
    as_dataset,
    item,
    reference,
    sequence,
    string,
)
from ennead_pipelines.encode.sources import SourceSeries, identity_of, references

COMPREHENSIVE_3D_SR: Final = "1.2.840.10008.5.1.4.1.1.88.34"
_CURRENT_EVIDENCE, _OTHER_EVIDENCE = 0x0040A375, 0x0040A385


def build_sr(
    run: Run,
    groups: Sequence[Item],
    sources: Mapping[SeriesUID, SourceSeries],
    seg: ObjectReference | None,
) -> Dataset:
    """The report of a run: UNVERIFIED, PRELIMINARY, COMPLETE.

    Parameters
    ----------
    groups : sequence of Item
        Measurement groups of :func:`ennead_pipelines.encode.groups.build_group`.
    sources : mapping
        Every series that was read; each becomes an Image Library Group.
    seg : ObjectReference or None
        The run's segmentation.
    """
    first = next(s for s in sources.values() if s.study_uid == run.identity.study_uid)
    dataset = new_object(
        run,
        identity_of(first.datasets[0]),
        sop_class_uid=COMPREHENSIVE_3D_SR,
        instance_uid=run.identity.instance_uid("sr"),
        series_uid=run.identity.series_uid("sr"),
        modality="SR",
        series_offset=1,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    _evidence(dataset, run, sources, seg)
    root = container(
        codes.IMAGING_MEASUREMENT_REPORT,
        [
            code(codes.LANGUAGE, codes.LANGUAGES[run.language], HAS_CONCEPT_MOD),
            *_device_observer(run),
            code(codes.PROCEDURE_REPORTED, run.manifest.procedure.code, HAS_CONCEPT_MOD),
            container(codes.IMAGE_LIBRARY, map(_library_group, sources.values()), template="1600"),
            container(codes.IMAGING_MEASUREMENTS, groups),
            *_remarks(run),
        ],
        relationship="",
        template="1500",
    )
    dataset.update(as_dataset(root))
    return dataset


def _device_observer(run: Run) -> Iterable[Item]:
    """The package as observer (TID 1002, 1004)."""
    yield code(codes.OBSERVER_TYPE, codes.DEVICE, HAS_OBS_CONTEXT)
    yield uidref(codes.DEVICE_UID, run.identity.device_uid(), HAS_OBS_CONTEXT)
    yield text(codes.DEVICE_NAME, f"{MANUFACTURER} {run.manifest.id}", HAS_OBS_CONTEXT)
    yield text(codes.DEVICE_MANUFACTURER, MANUFACTURER, HAS_OBS_CONTEXT)
    yield text(codes.DEVICE_MODEL, run.title, HAS_OBS_CONTEXT)
    yield text(codes.DEVICE_SERIAL, run.identity.manifest_digest, HAS_OBS_CONTEXT)


def _library_group(source: SourceSeries) -> Item:
    """What the images of a series share, stated once, then one entry each (TID 1601–1604)."""
    first, grid = source.datasets[0], source.grid
    modality = str(first.get("Modality") or "OT")
    spacings = {
        codes.HORIZONTAL_SPACING: grid.spacing_mm[2],
        codes.VERTICAL_SPACING: grid.spacing_mm[1],
    }
    if grid.shape[0] > 1:
        spacings[codes.SPACING_BETWEEN_SLICES] = grid.spacing_mm[0]
    if first.get("SliceThickness"):
        spacings[codes.SLICE_THICKNESS] = float(first.SliceThickness)
    shared = [
        code(
            codes.MODALITY,
            codes.MODALITIES.get(modality, dcm("OT", "Other Modality")),
            HAS_ACQ_CONTEXT,
        )
    ]
    if grid.frame_of_reference_uid:
        shared.append(
            uidref(codes.FRAME_OF_REFERENCE, grid.frame_of_reference_uid, HAS_ACQ_CONTEXT)
        )
    shared += [number(name, mm, MILLIMETRE, HAS_ACQ_CONTEXT) for name, mm in spacings.items()]
    entries = [
        image(codes.SOURCE, str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in source.datasets
    ]
    return container(codes.IMAGE_LIBRARY_GROUP, [*shared, *entries])


def _remarks(run: Run) -> Iterable[Item]:
    """What the package is for, its status, and what it was trained on: said on every output."""
    use = run.manifest.intended_use
    yield text(codes.COMMENT, use.text.get(run.language) or use.text["en"])
    if use.trained_on:
        said = translate("encode.trained_on", run.language, {"material": use.trained_on})
        yield text(codes.COMMENT, said)
    # A review takes this one away.
    said = translate("encode.unverified", run.language, {"status": use.status})
    yield text(private("remark"), said)


def _evidence(
    dataset: Dataset,
    run: Run,
    sources: Mapping[SeriesUID, SourceSeries],
    seg: ObjectReference | None,
) -> None:
    """Every instance the report rests on (PS3.3 §C.17.2)."""
    by_study: dict[StudyUID, list[Item]] = {}
    for source in sources.values():
        by_study.setdefault(source.study_uid, []).append(
            _series_item(source.series_uid, references(source.datasets))
        )
    study_uid = StudyUID(str(dataset.StudyInstanceUID))
    if seg is not None:
        by_study.setdefault(study_uid, []).append(
            _series_item(
                run.identity.series_uid("seg"), [reference(seg.sop_class_uid, seg.instance_uid)]
            )
        )
    current = by_study.pop(study_uid)
    add(dataset, sequence(_CURRENT_EVIDENCE, [_study_item(study_uid, current)]))
    if by_study:
        others = [_study_item(*pair) for pair in by_study.items()]
        add(dataset, sequence(_OTHER_EVIDENCE, others))


def _series_item(series_uid: str, instances: list[Item]) -> Item:
    return item(sequence(0x00081199, instances), string(0x0020000E, "UI", series_uid))


def _study_item(study_uid: str, series: list[Item]) -> Item:
    return item(sequence(0x00081115, series), string(0x0020000D, "UI", study_uid))
