"""A model on a labelled set of this place: case by case, then one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ennead.database import Database
from ennead.errors import InputError, NotFound
from ennead.security import Principal
from ennead_models.predict import Prediction
from ennead_models.records import InstalledModel, installed_version
from ennead_models.registry import add_report
from ennead_models.validation.outcome import CaseOutcome, judge_labels
from ennead_models.validation.report import build_report, digest_of, to_bytes
from ennead_pipelines.jobs.states import now
from ennead_pipelines.jobs.terms import OFF_PEAK
from ennead_pipelines.networks.answer import ask
from ennead_pipelines.networks.labelled import (
    LabelledCase,
    case_truth,
    case_volume,
    read_set,
    set_digest,
)
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.tables import validations

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


def judge(source: ModelSource, case: LabelledCase, thresholds: Mapping[str, float]) -> CaseOutcome:
    """Ask the model about one case and compare; runs in a Ray worker or on the command line.

    Raises
    ------
    InputError
        The case cannot be read.
    ModelError
        The model cannot be opened or run.
    """
    manifest = source.manifest
    volume = case_volume(case)
    answer = ask(source, volume, thresholds, _silent, priority=OFF_PEAK)
    told = {
        "case": case.name,
        "scanner": case.scanner,
        "sex": case.sex,
        "age_years": case.age_years,
    }
    if case.classes is not None:
        truth = {label.id: label.id in case.classes for label in manifest.label}
        return CaseOutcome(**told, scores=dict(answer.scores), truth=truth)  # type: ignore[arg-type]
    truth_map = case_truth(case, volume.grid)
    found = Prediction(labels=answer.labels)
    labels = judge_labels(manifest, found, truth_map, volume.grid)
    return CaseOutcome(**told, labels=labels)  # type: ignore[arg-type]


def validate(
    source: ModelSource,
    folder: Path,
    name: str,
    *,
    told: Callable[[int, int], None] = lambda done, cases: None,
    run: Callable[[ModelSource, LabelledCase, Mapping[str, float]], CaseOutcome] = judge,
) -> dict[str, Any]:
    """The report of a model on a labelled set, at the manifest's thresholds.

    Parameters
    ----------
    told : callable
        Given how many cases are done, and of how many.
    run : callable
        How one case is judged: here, or in a Ray worker.

    Raises
    ------
    InputError, ModelError
        As :func:`judge`; or the set is broken.
    """
    manifest = source.manifest
    cases = read_set(folder, manifest)
    limits = {label.id: label.threshold.default for label in manifest.label if label.threshold}
    told(0, len(cases))
    outcomes = []
    for done, case in enumerate(cases, 1):
        outcomes.append(run(source, case, limits))
        told(done, len(cases))
    return build_report(
        manifest,
        source.digest,
        outcomes,
        set_name=name,
        set_digest=set_digest(folder),
        thresholds=limits,
    )


def ask_validation(
    connection: Connection,
    model: InstalledModel,
    set_name: str,
    principal: Principal,
    *,
    claimed: bool = False,
) -> int:
    """Write a validation down; returns its number.

    Parameters
    ----------
    claimed : bool
        The caller runs it; else a worker does.
    """
    number: int = connection.execute(
        insert(validations)
        .values(
            model=model.model,
            version=model.version,
            digest=model.digest,
            set_name=set_name,
            state=RUNNING if claimed else WAITING,
            requested_by=principal.name,
            created_at=now(),
            touched_at=now(),
        )
        .returning(validations.c.id)
    ).scalar_one()
    return number


def keep_report(
    database: Database, number: int, report: Mapping[str, Any], principal: Principal
) -> str:
    """End a validation with its report, and write it into the model's history."""
    data = to_bytes(report)
    digest = digest_of(data)
    with database.begin() as connection:
        connection.execute(
            update(validations)
            .where(validations.c.id == number)
            .values(
                state=DONE,
                done=report["set"]["cases"],
                cases=report["set"]["cases"],
                report_digest=digest,
                report=data.decode(),
                finished_at=now(),
            )
        )
        detail = {"set": report["set"]["name"], "cases": report["set"]["cases"]}
        add_report(connection, report["model"], report["version"], principal, digest, detail)
    return digest


def fail(database: Database, number: int, why: str) -> None:
    """End a validation that could not be done."""
    with database.begin() as connection:
        connection.execute(
            update(validations)
            .where(validations.c.id == number)
            .values(state=FAILED, error=why[:2000], finished_at=now())
        )


def sets_in(root: Path | None) -> list[dict[str, Any]]:
    """The labelled sets of a directory: name and number of cases."""
    if root is None or not root.is_dir():
        return []
    found = []
    for folder in sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".")):
        cases = [f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")]
        if cases:
            found.append({"name": folder.name, "cases": len(cases)})
    return found


def set_folder(root: Path | None, name: str) -> Path:
    """The folder of a named set; a name never leaves the directory.

    Raises
    ------
    InputError
        No directory is set, or it holds no such set.
    """
    if root is None:
        raise InputError(
            "No labelled sets: set models.validation_dir (docs/reference/settings.md)."
        )
    known = [each["name"] for each in sets_in(root)]
    if name not in known:
        raise InputError(
            f"There is no labelled set {name[:60]!r}; there are: {', '.join(known) or 'none'}."
        )
    return root / name


def validation_row(connection: Connection, model: str, version: str, number: int) -> Row[Any]:
    """One validation.

    Raises
    ------
    NotFound
    """
    row = connection.execute(
        select(validations).where(
            validations.c.id == number,
            validations.c.model == model,
            validations.c.version == version,
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"{model[:40]} {version[:20]} has no validation {number}.")
    return row


def reports_of(connection: Connection, model: str, version: str = "") -> Sequence[Row[Any]]:
    """Finished validations of a model (of one version), newest first."""
    query = select(validations).where(validations.c.model == model, validations.c.state == DONE)
    if version:
        installed_version(connection, model, version)
        query = query.where(validations.c.version == version)
    return connection.execute(query.order_by(validations.c.id.desc())).all()


def _silent(fraction: float, text_key: str) -> None:
    del fraction, text_key
