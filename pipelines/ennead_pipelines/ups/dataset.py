"""A workitem as a dataset of the DICOM JSON Model (PS3.4 Table CC.2.5-3, PS3.18 §F.2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from ennead.codes import Code, dcm, private
from ennead_pacs.index import list_instances
from ennead_pacs.index.tables import instances
from ennead_pipelines.render import render, title
from ennead_pipelines.ups.identity import UPS_PUSH, workitem_uid
from ennead_pipelines.ups.states import UPSState, discontinuation, priority_of
from ennead_pipelines.ups.workitem import Workitem

Dataset = dict[str, dict[str, Any]]

#: CID 9231 "General Purpose Workitem Definition".
WORKITEM_CODE: Final = dcm("110001", "Image Processing")
WORKLIST: Final = "Ennead"
#: Concepts of Scheduled Processing Parameters, scheme 99ENNEAD.
PACKAGE, VERSION, JOB = "package", "package-version", "job"


def element(vr: str, *values: Any) -> dict[str, Any]:
    """An element; without a value it is empty, as type 2 allows."""
    kept = [v for v in values if v not in (None, "")]
    return {"vr": vr, "Value": kept} if kept else {"vr": vr}


def sequence(*items: Dataset) -> dict[str, Any]:
    """A sequence."""
    return {"vr": "SQ", "Value": list(items)} if items else {"vr": "SQ"}


def code_item(code: Code) -> Dataset:
    """An item of a code sequence."""
    return {
        "00080100": element("SH", code.value),
        "00080102": element("SH", code.scheme),
        "00080104": element("LO", code.meaning[:64]),
    }


def moment(value: dt.datetime | None) -> str:
    """A DT value in UTC; "" for none."""
    return value.astimezone(dt.UTC).strftime("%Y%m%d%H%M%S.%f+0000") if value else ""


def dataset(
    connection: Connection, workitem: Workitem, language: str, *, whole: bool = True
) -> Dataset:
    """The workitem's attributes.

    Parameters
    ----------
    whole : bool
        With the instances of its input series; without for a search.
    """
    job, study = workitem.job, workitem.study
    label = f"{title(job.title, 'en', job.package)} {job.version}"
    found: Dataset = {
        "00080005": element("CS", "ISO_IR 192"),
        "00080016": element("UI", UPS_PUSH),
        "00080018": element("UI", workitem.uid),
        "00100010": element("PN", _name(study.patient_name) if study else None),
        "00100020": element("LO", study.patient_id if study else ""),
        "00100030": element("DA", study.patient_birth_date if study else ""),
        "00100040": element("CS", study.patient_sex if study else ""),
        "00380010": element("LO"),
        "00380014": sequence(),
        "0040A370": sequence(_request_item(workitem)),
        "00404005": element("DT", moment(job.not_before)),
        "00404010": element("DT", moment(job.updated_at)),
        "00404018": sequence(code_item(WORKITEM_CODE)),
        "00404021": sequence(*_inputs(connection, workitem, whole=whole)),
        "00404025": sequence(),
        "00404041": element("CS", "READY"),
        "00741000": element("CS", str(workitem.state)),
        "00741002": sequence(*_progress(workitem, language)),
        "00741200": element("CS", priority_of(job.priority)),
        "00741202": element("LO", WORKLIST),
        "00741204": element("LO", label[:64]),
        "00741210": sequence(*_parameters(workitem)),
        "00741216": sequence(*_performed(connection, workitem)),
    }
    if workitem.generation:
        replaced = workitem_uid(job.id, workitem.generation - 1)
        found["00741224"] = sequence(_reference(UPS_PUSH, replaced))
    return {tag: found[tag] for tag in sorted(found)} | _requested(workitem)


def progress_item(workitem: Workitem, language: str) -> Dataset:
    """How far it is, and why it was cancelled (item of 0074,1002)."""
    job = workitem.job
    item: Dataset = {"00741004": element("DS", f"{100 * job.fraction:.0f}")}
    step = render(job.step, language, {})
    if step:
        item["00741006"] = element("ST", step)
    if workitem.state is UPSState.CANCELED:
        reason = render(job.reason_key, language, job.reason_values)
        coded = discontinuation(job.state, workitem.refusal_code)
        item["00404052"] = element("DT", moment(job.finished_at or job.updated_at))
        item["00741238"] = element("LT", reason or coded.meaning)
        item["0074100E"] = sequence(code_item(coded))
    return item


def _name(stored: str) -> dict[str, str] | None:
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), stored.split("="), strict=False))
    return {k: v for k, v in groups.items() if v} or None


def _request_item(workitem: Workitem) -> Dataset:
    """Of the request that the study belongs to; most of it is unknown here."""
    study = workitem.study
    return {
        "00080050": element("SH", study.accession_number if study else ""),
        "0020000D": element("UI", workitem.job.study_uid),
        "00401001": element("SH"),
        "00321060": element("LO"),
    }


def _inputs(connection: Connection, workitem: Workitem, *, whole: bool) -> list[Dataset]:
    items = []
    for series_uid in sorted(set(workitem.job.inputs.values())):
        item: Dataset = {
            "0020000D": element("UI", workitem.job.study_uid),
            "0020000E": element("UI", series_uid),
            "0040E020": element("CS", "DICOM"),
            "0040E025": sequence({"00081190": element("UR", _url(workitem, series_uid))}),
        }
        if whole:
            records = list_instances(connection, series_uid)
            pairs = [_reference(r.sop_class_uid, r.instance_uid) for r in records]
            item["00081199"] = sequence(*pairs)
        items.append({tag: item[tag] for tag in sorted(item)})
    return items


def _url(workitem: Workitem, series_uid: str) -> str:
    return f"/dicom-web/studies/{workitem.job.study_uid}/series/{series_uid}"


def _progress(workitem: Workitem, language: str) -> list[Dataset]:
    if workitem.state is UPSState.SCHEDULED:
        return []
    return [progress_item(workitem, language) | _said(workitem, "00741002")]


def _parameters(workitem: Workitem) -> list[Dataset]:
    job = workitem.job
    values = {PACKAGE: job.package, VERSION: job.version, JOB: job.id}
    return [
        {
            "0040A040": element("CS", "TEXT"),
            "0040A043": sequence(code_item(private(name))),
            "0040A160": element("UT", value),
        }
        for name, value in values.items()
    ]


def _performed(connection: Connection, workitem: Workitem) -> list[Dataset]:
    job = workitem.job
    if workitem.state in (UPSState.SCHEDULED, UPSState.CANCELED) and job.started_at is None:
        return []
    item: Dataset = {
        "00404019": sequence(code_item(WORKITEM_CODE)),
        "00404028": sequence(),
        "00404033": sequence(*_outputs(connection, workitem)),
        "00404050": element("DT", moment(job.started_at)),
        "00404051": element("DT", moment(job.finished_at)),
    }
    said = _said(workitem, "00741216")
    return [{tag: {**item, **said}[tag] for tag in sorted({**item, **said})}]


def _outputs(connection: Connection, workitem: Workitem) -> list[Dataset]:
    """SEG and SR of a completed workitem; a held result is not in the archive and not here."""
    job = workitem.job
    if workitem.state is not UPSState.COMPLETED or job.lane != "active":
        return []
    pairs = (
        (job.seg_series_uid, job.seg_instance_uid),
        (job.sr_series_uid, job.sr_instance_uid),
    )
    items = []
    for series_uid, instance_uid in pairs:
        sop_class = connection.execute(
            select(instances.c.sop_class_uid).where(instances.c.instance_uid == instance_uid)
        ).scalar_one_or_none()
        if sop_class is not None:
            items.append(
                {
                    "0020000D": element("UI", job.study_uid),
                    "0020000E": element("UI", series_uid),
                    "00081199": sequence(_reference(sop_class, instance_uid)),
                    "0040E020": element("CS", "DICOM"),
                    "0040E025": sequence({"00081190": element("UR", _url(workitem, series_uid))}),
                }
            )
    return [{tag: item[tag] for tag in sorted(item)} for item in items]


def _said(workitem: Workitem, tag: str) -> Dataset:
    """What the performer of a claimed workitem has said: the first item of a sequence."""
    document = workitem.claim.document if workitem.claim else {}
    items: Sequence[Dataset] = document.get(tag, {}).get("Value", [])
    return dict(items[0]) if items else {}


def _requested(workitem: Workitem) -> Dataset:
    """Labels that the requester chose."""
    document = workitem.request.document if workitem.request else {}
    return {tag: document[tag] for tag in ("00741202", "00741204") if document.get(tag)}


def _reference(sop_class_uid: str, instance_uid: str) -> Dataset:
    return {
        "00081150": element("UI", sop_class_uid),
        "00081155": element("UI", instance_uid),
    }
