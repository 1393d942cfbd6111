"""Models: add, list, fetch, install, check, promote, roll back, retire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened
from ennead_models.add import add
from ennead_models.lifecycle import ModelState
from ennead_models.scaffold import new

if TYPE_CHECKING:
    from ennead_models.folders import DiscoveredModel
    from ennead_models.records import InstalledModel

models = typer.Typer(
    help="Models: add, list, fetch, install, check, promote, roll back, retire.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
models.command("add")(add)
models.command("new")(new)

ModelName = Annotated[str, typer.Argument(help="Id of the model, as `list` shows it.")]
Version = Annotated[str, typer.Option("--version", help="Version; the newest when left out.")]
OfVersion = Annotated[str, typer.Argument(help="Version, as `list` shows it.")]
Device = Annotated[str, typer.Option("--device", help="Where to run it: cpu or cuda:0.")]
AcceptCode = Annotated[
    bool,
    typer.Option("--accept-code", help="Agree to run the code that a MONAI bundle holds."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history and the audit.")]


@models.command("list")
def list_models(home: Home = DEFAULT_HOME) -> None:
    """Every model found or installed here, its state, and what is wrong with a broken one.

    Try:

      ennead models list
    """
    from ennead_models.folders import discover_models
    from ennead_models.records import installed

    with opened(home) as (settings, database), database.read() as connection:
        rows = {(m.model, m.version): m for m in installed(connection)}
        found = discover_models(settings)
    for model in found:
        row = rows.pop((model.id, model.version), None)
        state = "broken" if model.error else str(row.state) if row else "not installed"
        runner = model.manifest.runner if model.manifest else ""
        typer.echo(f"{model.id:<28} {model.version:<10} {state:<14} {runner:<13} {model.source}")
        if model.error:
            typer.echo(f"    {model.error}")
    for row in rows.values():
        typer.echo(
            f"{row.model:<28} {row.version:<10} {row.state:<14} folder is gone: {row.folder}"
        )


@models.command("show")
def show(model: ModelName, version: Version = "", home: Home = DEFAULT_HOME) -> None:
    """What a model is for, its licence in full, its weights, its state and history.

    Try:

      ennead models show head_structures
    """
    from ennead_models.folders import find_model
    from ennead_models.install import licence_text, weights_store
    from ennead_models.records import events_of, installed

    with opened(home) as (settings, database), database.read() as connection:
        found = find_model(settings, model, version)
        rows = [m for m in installed(connection, model) if m.version == found.version]
        history = events_of(connection, model, limit=20)
        here = weights_store(settings)
        assert found.manifest is not None
        manifest = found.manifest
        present = "here" if here.has(manifest.weights.sha256) else "not fetched"
    use = manifest.intended_use
    lines = [
        f"{manifest.title['en']} ({manifest.title['vi']})",
        f"{manifest.id} {manifest.version}, {manifest.runner}, {found.digest}",
        f"state: {rows[0].state if rows else 'not installed'}",
        f"{use.status}: {use.text['en']}",
        f"trained on: {use.trained_on or 'not stated'}",
        f"labels: {', '.join(f'{label.value} {label.id}' for label in manifest.label)}",
        f"weights: {manifest.weights.sha256} ({manifest.weights.size_bytes} bytes), {present}",
        f"folder: {found.folder}",
        "licence:",
        *(f"    {line}" for line in licence_text(found).splitlines()),
    ]
    if history:
        lines.append("history:")
    for event in history:
        moved = f"{event.from_state or '–'} → {event.to_state}"
        lines.append(
            f"    {event.at:%Y-%m-%d %H:%M} {event.version} {event.action} {moved} "
            f"by {event.by} {event.reason}".rstrip()
        )
    typer.echo("\n".join(lines))


@models.command("fetch")
def fetch(
    model: ModelName,
    source: Annotated[
        str, typer.Option("--from", help="File, file:// or http(s):// instead of the model's URL.")
    ] = "",
    version: Version = "",
    home: Home = DEFAULT_HOME,
) -> None:
    """Bring a model's weights here and check them; a broken-off fetch goes on where it stopped.

    Try:

      ennead models fetch head_structures

      ennead models fetch ct_lobes --from /media/usb/lobes.onnx
    """
    from ennead_models.folders import find_model
    from ennead_models.install import weights_store
    from ennead_models.weights import fetch_weights

    with opened(home) as (settings, _):
        found = find_model(settings, model, version)
        assert found.manifest is not None
        weights, inside = found.manifest.weights, found.folder / found.manifest.weights.file
        if not source and not weights.url and weights.file:
            source = str(inside)
        with typer.progressbar(length=weights.size_bytes, label=f"weights of {model}") as bar:
            path = fetch_weights(
                weights_store(settings),
                weights,
                source,
                timeout_s=settings.models.fetch_timeout_s,
                progress=lambda done, _total: bar.update(done - bar.pos),
            )
    typer.echo(f"{path} verified ({weights.sha256})")


@models.command("install")
def install(
    model: ModelName,
    version: Version = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and accept it.")
    ] = False,
    accept_code: AcceptCode = False,
    device: Device = "cpu",
    home: Home = DEFAULT_HOME,
) -> None:
    """Show the licence, check weights and reference case, and register the model.

    Try:

      ennead models install head_structures

      ennead models install head_structures --accept-licence
    """
    from ennead.security import SYSTEM
    from ennead_models.folders import find_model
    from ennead_models.install import install as installing

    with opened(home) as (settings, database):
        found = find_model(settings, model, version)
        accepted = accept_licence or _agreed(found)
        row = installing(
            settings,
            database,
            found,
            SYSTEM,
            licence_accepted=accepted,
            code_accepted=accept_code,
            device=device,
            told=typer.echo,
        )
    typer.echo(f"{row.model} {row.version} is {row.state}")


@models.command("check")
def check(
    model: ModelName,
    version: Version = "",
    accept_code: AcceptCode = False,
    device: Device = "cpu",
    home: Home = DEFAULT_HOME,
) -> None:
    """Run a model's reference case here; ends with status 1 when it does not reproduce.

    For an installed model the numbers are kept in its history. Run it after each upgrade of the
    libraries that run models.

    Try:

      ennead models check head_structures
    """
    from ennead.security import SYSTEM
    from ennead_models.folders import find_model
    from ennead_models.install import check as checking
    from ennead_models.records import installed
    from ennead_models.reference import as_document
    from ennead_models.registry import note_checked

    with opened(home) as (settings, database):
        found = find_model(settings, model, version)
        with database.read() as connection:
            rows = [m for m in installed(connection, model) if m.version == found.version]
        agreed = accept_code or any(row.code_accepted for row in rows)
        comparisons = checking(settings, found, device=device, code_accepted=agreed)
        if rows:
            with database.begin() as connection:
                numbers = as_document(comparisons)
                note_checked(connection, model, found.version, SYSTEM, numbers)
    for each in comparisons:
        typer.echo(str(each))
    if not comparisons or not all(each.passed for each in comparisons):
        raise typer.Exit(1)


@models.command("promote")
def promote(
    model: ModelName,
    version: OfVersion,
    to: Annotated[ModelState, typer.Option("--to", help="The state it goes to.")],
    reason: Reason = "",
    report: Annotated[
        str, typer.Option("--report", help="Identifier of a validation report on local data.")
    ] = "",
    reader: Annotated[
        list[str] | None, typer.Option("--reader", help="pilot: login name; may be repeated.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="pilot: AE title it is limited to; may be repeated."),
    ] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Bring a version into another state; one version is active, promoting another retires it.

    Try:

      ennead models promote bright 1.0.0 --to shadow

      ennead models promote bright 1.0.0 --to pilot --reader bs.an --reason "agreed by the board"

      ennead models promote bright 1.1.0 --to active --report sha256:…
    """
    from ennead_models.records import Pilot

    pilot = Pilot(tuple(reader or ()), tuple(source or ())) if reader or source else None
    row = _move(home, model, version, to, reason, report, pilot)
    typer.echo(f"{row.model} {row.version} is {row.state}")
    if row.state is ModelState.ACTIVE and row.previous:
        typer.echo(f"{row.previous} is retired; ennead models rollback {model} brings it back")


@models.command("retire")
def retire(
    model: ModelName, version: OfVersion, reason: Reason = "", home: Home = DEFAULT_HOME
) -> None:
    """Stop a version; its results stay.

    Try:

      ennead models retire bright 1.0.0 --reason "replaced"
    """
    row = _move(home, model, version, ModelState.RETIRED, reason, "", None)
    typer.echo(f"{row.model} {row.version} is {row.state}")


@models.command("rollback")
def rollback(model: ModelName, reason: Reason = "", home: Home = DEFAULT_HOME) -> None:
    """Retire the active version and make the one active again that it replaced.

    Try:

      ennead models rollback bright --reason "false positives since Monday"
    """
    from ennead.security import SYSTEM
    from ennead_models.registry import rollback as rolling_back

    with opened(home) as (_, database), database.begin() as connection:
        row = rolling_back(connection, model, SYSTEM, reason=reason)
    typer.echo(f"{row.model} {row.version} is {row.state} again")


def _move(
    home: Path,
    model: str,
    version: str,
    to: ModelState,
    reason: str,
    report: str,
    pilot: object,
) -> InstalledModel:
    from ennead.security import SYSTEM
    from ennead_models.records import Pilot
    from ennead_models.registry import move

    given = pilot if isinstance(pilot, Pilot) else None
    with opened(home) as (_, database), database.begin() as connection:
        return move(
            connection, model, version, to, SYSTEM, reason=reason, report=report, pilot=given
        )


def _agreed(model: DiscoveredModel) -> bool:
    """Show the licence, and ask where somebody is there to answer."""
    import sys

    from ennead_models.install import licence_text

    if model.manifest is None or not sys.stdin.isatty():
        return False
    typer.echo(licence_text(model))
    return typer.confirm("Do you accept this licence?")
