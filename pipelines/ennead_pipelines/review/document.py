"""The successor document of a review (results-encoding §5; PS3.3 §C.17.2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DatasetSequence
from pydicom.uid import ExplicitVRLittleEndian

from ennead.codes import Code, private
from ennead.errors import EncodedResultInvalid, InputError, NotFound
from ennead.identifiers import InstanceUID, TrackingUID, derive_uid
from ennead.security import Principal
from ennead.texts import translate
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.check import check_document, measurement_groups
from ennead_pipelines.encode.codes import code_dataset
from ennead_pipelines.encode.header import local_time, part10, set_dates, set_file_meta
from ennead_pipelines.encode.items import as_dataset, reference
from ennead_pipelines.encode.tree import child_of, is_concept
from ennead_pipelines.review.decisions import Decision, latest
from ennead_pipelines.review.groups import Observer, is_same_decision, reviewed_group
from ennead_pipelines.review.reading import open_report, tracking_uid_of

USER_SCHEME = "99ENNEADUSER"
_LONG_STRING = 64


@dataclass(frozen=True, slots=True)
class EncodedReview:
    """A successor report, checked and ready to store.

    Parameters
    ----------
    is_complete : bool
        Every finding of the first document has been decided.
    """

    sr: bytes
    sr_instance_uid: InstanceUID
    is_complete: bool


def encode_review(
    original_sr: bytes,
    decisions: Sequence[Decision],
    *,
    previous_sr: bytes | None = None,
    reader: Principal,
    organisation: str,
    at: dt.datetime,
) -> EncodedReview:
    """The verified successor that holds every finding decided so far.

    Parameters
    ----------
    original_sr : bytes
        The first document of the chain, as :func:`ennead_pipelines.encode.encode` wrote it.
    decisions : sequence of Decision
        All decisions on its findings so far, oldest first; the last on a finding counts.
    previous_sr : bytes, optional
        The latest successor; None for the first review.
    reader : Principal
        Who made the newest decision. Groups that ``previous_sr`` already states keep theirs.
    at : datetime
        When; the same ``at`` gives the same bytes. The UID does not depend on it.

    Raises
    ------
    InputError
        No decision was given.
    NotFound
        A decision names a tracking UID that the first document does not have.
    UndeclaredOutput
        An edit names a measurement that the finding does not have.
    MalformedObject, UnusableObject
        A document is not a report of ours.
    """
    if not decisions:
        raise InputError("A review needs at least one decision.")
    dataset = open_report(original_sr)
    previous = open_report(previous_sr) if previous_sr is not None else None
    predecessor = dataset if previous is None else previous
    chosen = latest(decisions)
    proposed = measurement_groups(dataset)
    known = [tracking_uid_of(g) for g in proposed]
    unknown = set(chosen) - set(known)
    if unknown:
        raise NotFound(f"The report has no finding with tracking UID {', '.join(sorted(unknown))}.")

    observer = Observer(_person_name(reader), organisation[:_LONG_STRING], _language(dataset))
    instance_uid = InstanceUID(
        derive_uid(
            "instance.sr.review",
            str(dataset.SOPInstanceUID),
            str(predecessor.SOPInstanceUID),
            reader.name,
            [d.canonical() for d in chosen.values()],
        )
    )
    decided = {tracking_uid_of(g): g for g in measurement_groups(previous)} if previous else {}
    groups = [
        _group(group, chosen[uid], decided.get(uid), observer)
        for uid, group in zip(known, proposed, strict=True)
        if uid in chosen
    ]
    predecessors = [_predecessor(predecessor)]
    verifiers = _verifiers(predecessor, reader, observer, local_time(dataset, at))
    number = int(predecessor.InstanceNumber or 1) + 1
    is_complete = set(known) <= set(chosen)

    dataset.SOPInstanceUID = instance_uid
    dataset.InstanceNumber = number
    dataset.PredecessorDocumentsSequence = predecessors
    dataset.VerifyingObserverSequence = verifiers
    dataset.VerificationFlag = "VERIFIED"
    dataset.PreliminaryFlag = "FINAL"
    # VERIFIED is only permitted of a COMPLETE document (PS3.3 §C.17.2): it completely states the
    # findings decided so far, and the description says how many those are.
    dataset.CompletionFlag = "COMPLETE"
    dataset.CompletionFlagDescription = translate(
        "encode.reviewed", observer.language, {"decided": len(chosen), "all": len(known)}
    )
    set_dates(dataset, at)
    set_file_meta(dataset, ExplicitVRLittleEndian)
    _replace_content(dataset, groups, observer)
    written = part10(dataset)
    _check(written, chosen)
    return EncodedReview(written, instance_uid, is_complete)


def _group(
    proposed: Dataset, decision: Decision, stated: Dataset | None, observer: Observer
) -> Dataset:
    if stated is not None and is_same_decision(stated, decision):
        return stated
    return reviewed_group(proposed, decision, observer)


def _replace_content(dataset: Dataset, groups: list[Dataset], observer: Observer) -> None:
    """Reader before device among the observers, decided groups only, no "unverified" remark."""
    items = [i for i in dataset.ContentSequence if not is_concept(i, private("remark"))]
    first_observer = next(
        (n for n, i in enumerate(items) if is_concept(i, codes.OBSERVER_TYPE)), len(items)
    )
    items[first_observer:first_observer] = map(as_dataset, observer.items())
    dataset.ContentSequence = DatasetSequence(items)
    measurements = child_of(dataset, codes.IMAGING_MEASUREMENTS, "CONTAINER")
    if measurements is None:
        raise EncodedResultInvalid("The first document has no Imaging Measurements container.")
    measurements.ContentSequence = DatasetSequence(groups)


def _predecessor(document: Dataset) -> Dataset:
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID = str(document.SeriesInstanceUID)
    series.ReferencedSOPSequence = [
        as_dataset(reference(str(document.SOPClassUID), str(document.SOPInstanceUID)))
    ]
    study.StudyInstanceUID = str(document.StudyInstanceUID)
    study.ReferencedSeriesSequence = [series]
    return study


def _verifiers(
    predecessor: Dataset, reader: Principal, observer: Observer, at: dt.datetime
) -> list[Dataset]:
    """Everyone who verified a part of it; the reader last and anew."""
    item = Dataset()
    item.VerifyingObserverName = observer.person_name
    item.VerifyingOrganization = observer.organisation or "Ennead"
    item.VerificationDateTime = at.strftime("%Y%m%d%H%M%S%z")
    item.VerifyingObserverIdentificationCodeSequence = [
        code_dataset(Code(reader.name, USER_SCHEME, reader.display_name or reader.name))
    ]
    others = [
        v
        for v in predecessor.get("VerifyingObserverSequence") or ()
        if str(v.VerifyingObserverName) != observer.person_name
    ]
    return [*others, item]


def _person_name(reader: Principal) -> str:
    """Display name as a PN value: what delimits its parts gives way (PS3.5 §6.2)."""
    name = reader.display_name or reader.name
    for delimiter in "\\=":
        name = name.replace(delimiter, " ")
    return " ".join(name.split())[:_LONG_STRING]


def _language(dataset: Dataset) -> str:
    item = child_of(dataset, codes.LANGUAGE, "CODE")
    value = "" if item is None else codes.read_code(item.ConceptCodeSequence[0]).value
    return value[:2] if value[:2] in codes.LANGUAGES else "en"


def _check(written: bytes, chosen: dict[TrackingUID, Decision]) -> None:
    """Read back: every group is a decided one and says so."""
    dataset = open_report(written)
    check_document(dataset)
    groups = {tracking_uid_of(g): g for g in measurement_groups(dataset)}
    if set(groups) != set(chosen):
        raise EncodedResultInvalid("A review was written with other groups than were decided.")
    for uid, group in groups.items():
        if not is_same_decision(group, chosen[uid]):
            raise EncodedResultInvalid(
                f"The review of {chosen[uid].finding_id!r} did not survive being read back."
            )
