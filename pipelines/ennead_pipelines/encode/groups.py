"""Measurement groups: one per finding (PS3.16 TID 1411, TID 1501; results-encoding §3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ennead.codes import Code, private
from ennead.findings import Finding, Measurement
from ennead.identifiers import InstanceUID, SOPClassUID, TrackingUID
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.content import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    code,
    container,
    image,
    number,
    text,
    uidref,
)
from ennead_pipelines.encode.header import MANUFACTURER, Run
from ennead_pipelines.encode.items import Item

VOLUMETRIC_TEMPLATE = "1411"
PLAIN_TEMPLATE = "1501"


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An instance by class and UID."""

    sop_class_uid: SOPClassUID
    instance_uid: InstanceUID


@dataclass(frozen=True, slots=True)
class GroupReferences:
    """What a group points at.

    Parameters
    ----------
    seg : ObjectReference or None
        The segmentation, when the finding has segments.
    segment_numbers : tuple of int
        Their numbers in it.
    key_image : ObjectReference or None
        The image to jump to.
    """

    tracking_id: str
    tracking_uid: TrackingUID
    seg: ObjectReference | None
    segment_numbers: tuple[int, ...]
    key_image: ObjectReference | None


def tracking_identifier(run: Run, finding_id: str) -> str:
    """``lung/right-lung``: readable, and unlike the identifiers by which viewers know their own."""
    return f"{run.manifest.id}/{finding_id}"


def build_group(run: Run, finding: Finding, references: GroupReferences) -> Item:
    """The measurement group of ``finding``: 1411 over segments, else 1501."""
    has_segments = references.seg is not None and bool(references.segment_numbers)
    items: list[Item] = [
        text(codes.TRACKING_ID, references.tracking_id, HAS_OBS_CONTEXT),
        uidref(codes.TRACKING_UID, references.tracking_uid, HAS_OBS_CONTEXT),
        code(codes.FINDING_CATEGORY, finding.category),
        code(codes.FINDING, finding.finding),
    ]
    if finding.site is not None:
        laterality = (
            [code(codes.LATERALITY, finding.laterality, HAS_CONCEPT_MOD)]
            if finding.laterality is not None
            else []
        )
        items.append(code(codes.FINDING_SITE, finding.site, HAS_CONCEPT_MOD, laterality))
    elif finding.laterality is not None:
        items.append(code(codes.LATERALITY, finding.laterality, HAS_CONCEPT_MOD))
    items += algorithm_items(run)
    items += [_measurement(run, m) for m in finding.measurements]
    items += [_qualifier(q) for q in finding.qualifiers]
    if has_segments and references.seg is not None:
        items.append(
            image(
                codes.REFERENCED_SEGMENT,
                references.seg.sop_class_uid,
                references.seg.instance_uid,
                segments=references.segment_numbers,
            )
        )
        items.append(uidref(codes.SOURCE_SERIES, finding.series_uid))
    if references.key_image is not None:
        key = references.key_image
        items.append(image(codes.SOURCE_OF_MEASUREMENT, key.sop_class_uid, key.instance_uid))
    template = VOLUMETRIC_TEMPLATE if has_segments else PLAIN_TEMPLATE
    return container(codes.MEASUREMENT_GROUP, items, template=template)


def algorithm_items(run: Run) -> Iterator[Item]:
    """Algorithm identification (TID 4019); parameters are repeated ``key=value`` texts."""
    manifest = run.manifest
    yield text(codes.ALGORITHM_NAME, f"{MANUFACTURER} {manifest.id}", HAS_CONCEPT_MOD)
    yield text(codes.ALGORITHM_VERSION, manifest.version, HAS_CONCEPT_MOD)
    for parameter in run.parameters:
        yield text(codes.ALGORITHM_PARAMETERS, parameter, HAS_CONCEPT_MOD)
    yield code(codes.ALGORITHM_FAMILY, manifest.algorithm_family.code, HAS_CONCEPT_MOD)


def _measurement(run: Run, measurement: Measurement) -> Item:
    """NUM (TID 300) with its method, derivation, definition and the output it is."""
    rule = run.manifest.output_rule(measurement.id)
    formula = measurement.formula or (rule.method if rule else "")
    cited = "; ".join(t for t in (formula, rule.reference if rule else "") if t)
    children: list[Item] = []
    if measurement.method is not None:
        children.append(code(codes.MEASUREMENT_METHOD, measurement.method, HAS_CONCEPT_MOD))
    elif formula:
        children.append(text(codes.MEASUREMENT_METHOD, formula, HAS_CONCEPT_MOD))
    if measurement.derivation is not None:
        children.append(code(codes.DERIVATION, measurement.derivation, HAS_CONCEPT_MOD))
    if cited:
        children.append(text(codes.METHOD_CITATION, cited, HAS_CONCEPT_MOD))
    children.append(text(private("output"), measurement.id, HAS_CONCEPT_MOD))
    return number(measurement.concept, measurement.value, measurement.unit, CONTAINS, children)


def _qualifier(qualifier: Code) -> Item:
    is_absence = qualifier == private("absent")
    return code(codes.PRESENCE if is_absence else private("remark"), qualifier)
