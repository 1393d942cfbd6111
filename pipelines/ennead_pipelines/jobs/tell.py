"""A selection on the study's timeline: chosen series, declined outputs, or why there is no run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from ennead.findings import Refusal, RefusalCode
from ennead.plugins import Manifest
from ennead_pipelines.jobs.identity import JobIdentity
from ennead_pipelines.notes import note
from ennead_pipelines.select import Candidate, Choice, Selection

#: A study of more series than this lists its refused ones on the jobs route only.
_LISTED: Final = 30


def tell_selection(
    connection: Connection, identity: JobIdentity, manifest: Manifest, selection: Selection
) -> None:
    """Write the selection's notes, in the caller's transaction."""
    title = dict(manifest.title)
    write = partial(
        note, connection, identity.study_uid, package=manifest.id, job_id=identity.job_id
    )
    if not selection.runnable and selection.refusals[0].code is RefusalCode.SITE_RULE:
        values = {"package": title, "reason": _reason(selection.refusals[0])}
        write("refused", "rules.timeline.skipped", values, state="refused")
        return
    for choice in selection.choices[:_LISTED]:
        _tell_choice(write, title, choice, selection.runnable)
    if selection.runnable:
        _tell_declined(write, manifest, selection.refusals)
        write("queued", "timeline.queued", {"package": title, "version": manifest.version})
        return
    values = {"package": title, "reason": _reason(selection.refusals[0])}
    write("refused", "timeline.declined", values, state="refused")


def series_name(candidate: Candidate) -> str:
    """Number and description, as people know a series."""
    record = candidate.record
    number = "" if record.number is None else f"{record.number} "
    return f"{number}{record.description}".strip() or record.modality or "?"


def _tell_choice(
    write: Callable[..., None], title: dict[str, str], choice: Choice, runnable: bool
) -> None:
    values: dict[str, Any] = {
        "package": title,
        "input": choice.input,
        "series": series_name(choice.candidate),
    }
    if choice.state == "refused":
        first = choice.reasons[0]
        values["reason"] = {"key": first.text_key, "values": dict(first.values)}
        write("selected", "timeline.series_refused", values, state="refused")
    else:
        chosen = choice.state == "chosen" and runnable
        write("selected", "timeline.chosen" if chosen else "timeline.eligible", values)


def _tell_declined(
    write: Callable[..., None], manifest: Manifest, refusals: tuple[Refusal, ...]
) -> None:
    grouped: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        grouped.setdefault(refusal.text_key, []).append(refusal)
    for group in grouped.values():
        rules = [manifest.output_rule(refusal.subject) for refusal in group]
        values: dict[str, Any] = {
            "package": dict(manifest.title),
            "outputs": {"titles": [dict(rule.title) for rule in rules if rule]},
            "reason": _reason(group[0]),
        }
        write("selected", "timeline.outputs_declined", values, state="refused")


def _reason(refusal: Refusal) -> dict[str, Any]:
    return {"key": refusal.text_key, "values": dict(refusal.values)}
