"""Measurement groups of a TID 1500 report as plain values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from ennead.codes import PRIVATE_SCHEME, Code, private
from ennead.errors import MalformedObject, UnusableObject
from ennead.identifiers import InstanceUID, TrackingUID
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.check import measurement_groups
from ennead_pipelines.encode.sr import COMPREHENSIVE_3D_SR
from ennead_pipelines.encode.tree import (
    child_of,
    children_of,
    concept,
    is_concept,
    value_of,
)


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A number of a group.

    Parameters
    ----------
    output_id : str
        Manifest output it is; empty in reports that are not Ennead's.
    method : Code or None
        Coded method; ``citation`` names formula and publication.
    ai_value : float or None
        What the package had measured, where a reader has replaced it.
    """

    output_id: str
    concept: Code
    value: float
    unit: Code
    method: Code | None
    derivation: Code | None
    citation: str
    ai_value: float | None


@dataclass(frozen=True, slots=True)
class MeasurementGroup:
    """A finding as a report states it.

    Parameters
    ----------
    decision : str
        ``accepted``, ``edited``, ``rejected``; empty while proposed.
    reason : Code or None
        Why it was rejected.
    observer : str
        Who decided, as written in the document.
    """

    template: str
    tracking_id: str
    tracking_uid: TrackingUID
    finding: Code
    category: Code | None
    site: Code | None
    laterality: Code | None
    values: tuple[MeasuredValue, ...]
    qualifiers: tuple[Code, ...]
    seg_instance_uid: InstanceUID | None
    segment_numbers: tuple[int, ...]
    key_image_uid: InstanceUID | None
    decision: str
    reason: Code | None
    comment: str
    observer: str

    def value(self, output_id: str) -> MeasuredValue:
        """The value of a manifest output; raises KeyError."""
        for measured in self.values:
            if measured.output_id == output_id:
                return measured
        raise KeyError(output_id)


def open_report(part10: bytes) -> Dataset:
    """The report's dataset.

    Raises
    ------
    MalformedObject
        It is no Part 10 file.
    UnusableObject
        It is no Comprehensive 3D SR with root title 126000.
    """
    try:
        dataset = dcmread(io.BytesIO(part10))
    except (InvalidDicomError, OSError, ValueError) as error:
        raise MalformedObject(f"A report must be a DICOM Part 10 file; got {error}.") from error
    is_report = dataset.get("SOPClassUID") == COMPREHENSIVE_3D_SR
    if not is_report or not is_concept(dataset, codes.IMAGING_MEASUREMENT_REPORT):
        raise UnusableObject(
            "A report must be a Comprehensive 3D SR titled Imaging Measurement Report (126000); "
            f"got SOP class {dataset.get('SOPClassUID')}."
        )
    return dataset


def read_measurements(part10: bytes) -> tuple[MeasurementGroup, ...]:
    """Every measurement group of a report, in its order.

    Raises
    ------
    MalformedObject, UnusableObject
        See :func:`open_report`.
    """
    return tuple(read_group(g) for g in measurement_groups(open_report(part10)))


def read_group(group: Dataset) -> MeasurementGroup:
    """One measurement group as values."""
    site = child_of(group, codes.FINDING_SITE, "CODE")
    segment = child_of(group, codes.REFERENCED_SEGMENT, "IMAGE")
    key = child_of(group, codes.SOURCE_OF_MEASUREMENT, "IMAGE")
    templates = group.get("ContentTemplateSequence")
    decision = _coded(child_of(group, private("decision"), "CODE"))
    numbers: tuple[int, ...] = ()
    if segment is not None:
        found = segment.ReferencedSOPSequence[0].ReferencedSegmentNumber
        numbers = (int(found),) if isinstance(found, int) else tuple(int(n) for n in found)
    finding = _coded(child_of(group, codes.FINDING, "CODE"))
    return MeasurementGroup(
        template=str(templates[0].TemplateIdentifier) if templates else "",
        tracking_id=_text(child_of(group, codes.TRACKING_ID)),
        tracking_uid=tracking_uid_of(group),
        finding=finding or Code("", "", ""),
        category=_coded(child_of(group, codes.FINDING_CATEGORY, "CODE")),
        site=_coded(site),
        laterality=_coded(child_of(site if site is not None else group, codes.LATERALITY)),
        values=tuple(_read_number(item) for item in children_of(group, value_type="NUM")),
        qualifiers=tuple(
            code
            for name in (codes.PRESENCE, private("remark"))
            for item in children_of(group, name, "CODE")
            if (code := _coded(item)) is not None
        ),
        seg_instance_uid=_referenced(segment),
        segment_numbers=numbers,
        key_image_uid=_referenced(key),
        decision=decision.value if decision and decision.scheme == PRIVATE_SCHEME else "",
        reason=_coded(child_of(group, private("decision-reason"), "CODE")),
        comment=_text(child_of(group, codes.COMMENT, "TEXT")),
        observer=_person(child_of(group, codes.PERSON_NAME, "PNAME")),
    )


def tracking_uid_of(group: Dataset) -> TrackingUID:
    """Tracking Unique Identifier of a group; empty when it has none."""
    item = child_of(group, codes.TRACKING_UID, "UIDREF")
    return TrackingUID("" if item is None else str(item.UID))


def output_id_of(number: Dataset) -> str:
    """Manifest output of a NUM."""
    return _text(child_of(number, private("output"), "TEXT"))


def reader_values(group: MeasurementGroup) -> Mapping[str, float]:
    """The values a reader put in place of the package's."""
    return {m.output_id: m.value for m in group.values if m.ai_value is not None}


def _read_number(item: Dataset) -> MeasuredValue:
    measured = item.MeasuredValueSequence[0]
    before = child_of(item, private("value-before-review"), "NUM")
    return MeasuredValue(
        output_id=output_id_of(item),
        concept=concept(item),
        value=value_of(item),
        unit=codes.read_code(measured.MeasurementUnitsCodeSequence[0]),
        method=_coded(child_of(item, codes.MEASUREMENT_METHOD, "CODE")),
        derivation=_coded(child_of(item, codes.DERIVATION, "CODE")),
        citation=_text(child_of(item, codes.METHOD_CITATION, "TEXT")),
        ai_value=None if before is None else value_of(before),
    )


def _coded(item: Dataset | None) -> Code | None:
    return None if item is None else codes.read_code(item.ConceptCodeSequence[0])


def _text(item: Dataset | None) -> str:
    return "" if item is None else str(item.TextValue)


def _person(item: Dataset | None) -> str:
    return "" if item is None else str(item.PersonName)


def _referenced(item: Dataset | None) -> InstanceUID | None:
    if item is None:
        return None
    return InstanceUID(str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
