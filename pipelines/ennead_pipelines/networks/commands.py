"""``ennead models`` in use: re-runs, differences of versions, local validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened

ModelName = Annotated[str, typer.Argument(help="Id of the model, as `list` shows it.")]
OfVersion = Annotated[str, typer.Argument(help="Version, as `list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")]


def rerun(
    model: ModelName,
    version: OfVersion,
    study: Annotated[
        list[str] | None, typer.Option("--study", help="Study Instance UID; may be repeated.")
    ] = None,
    modality: Annotated[str, typer.Option("--modality", help="Studies with this modality.")] = "",
    date_from: Annotated[str, typer.Option("--from", help="First study date, 2025-01-31.")] = "",
    date_to: Annotated[str, typer.Option("--to", help="Last study date.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most studies, newest first.")] = 200,
    home: Home = DEFAULT_HOME,
) -> None:
    """Compute studies of the past with a version, in the shadow, while nothing else waits.

    A running server does the work. Studies that this version has computed already are left alone.

    Try:

      ennead models rerun bright 1.1.0 --modality CT --from 2025-01-01 --limit 100

      ennead models difference bright --from 1.0.0 --to 1.1.0
    """
    from ennead.security import SYSTEM
    from ennead_pipelines.networks.reruns import StudyFilter, ask

    chosen = None
    if not study:
        days = (date_from.replace("-", ""), date_to.replace("-", ""))
        chosen = StudyFilter(modality, *days, limit)
    with opened(home) as (_, database), database.begin() as connection:
        number = ask(connection, model, version, SYSTEM, study_uids=study or (), chosen=chosen)
    typer.echo(f"re-run {number} of {model} {version} waits for the server")


def difference(
    model: ModelName,
    before: Annotated[str, typer.Option("--from", help="The older version.")],
    after: Annotated[str, typer.Option("--to", help="The newer version.")],
    study: Annotated[str, typer.Option("--study", help="Only this study.")] = "",
    json: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """What two versions found in the studies that both have computed, finding by finding.

    Try:

      ennead models difference bright --from 1.0.0 --to 1.1.0
    """
    from ennead_pacs.archive import open_archive
    from ennead_pipelines.networks.difference import Differences

    with opened(home) as (settings, database):
        archive = open_archive(settings, database)
        try:
            found = Differences(database, archive).read(
                model, before, after, study_uid=study, limit=100_000, budget_s=float("inf")
            )
        finally:
            archive.close()
    if json:
        _print_json(found)
        return
    for each in found["studies"]:
        typer.echo(each["study_uid"])
        for finding in each["findings"]:
            dice = "" if finding["dice"] is None else f"  Dice {finding['dice']:.3f}"
            typer.echo(f"    {finding['change']:<10} {finding['label']}{dice}")
            for value in finding["values"]:
                typer.echo(
                    f"        {value['measurement']} {value['from']:.6g} → {value['to']:.6g} "
                    f"{value['unit']} ({value['difference']:+.6g})"
                )
    summary = found["summary"]
    typer.echo(
        f"{found['studies_compared']} studies: {summary['matched']} findings matched, "
        f"{summary['only_from']} only in {before}, {summary['only_to']} only in {after}; "
        f"Dice {_shown(summary['dice'])}"
    )


def validate(
    model: ModelName,
    folder: Annotated[
        Path, typer.Option("--set", help="Folder of labelled cases (docs: add-a-model).")
    ],
    version: Annotated[
        str, typer.Option("--version", help="Version; the newest installed when left out.")
    ] = "",
    json: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Judge an installed model on a labelled set, and keep the report in its history.

    A report is what brings a model from registered to validated: `ennead models promote MODEL
    VERSION --to validated`.

    Try:

      ennead models validate bright --set labelled/phantoms
    """
    from ennead.errors import NotFound
    from ennead.security import SYSTEM
    from ennead_models.records import installed
    from ennead_pipelines.networks import validate as work
    from ennead_pipelines.networks.source import ModelSource

    with opened(home) as (settings, database):
        with database.read() as connection:
            rows = [m for m in installed(connection, model) if version in ("", m.version)]
        if not rows:
            raise NotFound(f"Model {model!r} {version} is not installed; see ennead models list.")
        chosen = rows[-1]
        with database.begin() as connection:
            number = work.ask_validation(connection, chosen, folder.name, SYSTEM, claimed=True)
        try:
            report = work.validate(
                ModelSource.of(chosen, settings),
                folder,
                folder.name,
                told=lambda done, cases: typer.echo(f"{done} of {cases} cases", err=True),
            )
        except Exception as error:
            work.fail(database, number, str(error))
            raise
        digest = work.keep_report(database, number, report, SYSTEM)
    if json:
        _print_json(report)
        return
    for label in report["labels"]:
        typer.echo(
            f"{label['id']}: Dice {_shown(label['dice'])}, HD95 {_shown(label['hd95_mm'])} mm, "
            f"{label['missed']} missed, {label['false']} false"
        )
    for each in report["classes"]:
        area, at = each["auroc"], each["at_threshold"]
        shown = "–" if area["value"] is None else f"{area['value']:.3f}"
        typer.echo(
            f"{each['id']}: AUROC {shown}, sensitivity {_shown(at['sensitivity'])}, specificity "
            f"{_shown(at['specificity'])} at {at['threshold']:g}"
        )
    typer.echo(f"report {digest}")


def _print_json(document: Any) -> None:
    import json

    typer.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))


def _shown(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f} (n {estimate['n']})"
    inside = f"{estimate['low']:.3f}–{estimate['high']:.3f}"
    return f"{estimate['value']:.3f} ({inside}, n {estimate['n']})"
