"""The command ``ennead``. Only the command that is used is imported.

Commands of this package are listed in ``OWN``; other rooms add theirs by the entry-point group
``ennead.commands`` (value ``module:function`` or ``module:typer_app``). A room above adds to the
command of a room below by a dotted name: ``models.rerun`` is ``ennead models rerun``. The one-line
help of a command that is not used is read from its source text.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import typer

from ennead import __version__
from ennead.errors import EnneadError

GROUP: Final = "ennead.commands"
OWN: Final = {
    "serve": "ennead.cli.serve:serve",
    "worker": "ennead.cli.serve:worker",
    "demo": "ennead.cli.demo:demo",
    "migrate": "ennead.cli.migrate:migrate",
    "token": "ennead.cli.token:token",
    "users": "ennead.cli.users:users",
    "check": "ennead.cli.check:check",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; errors are one line, not a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = next((a for a in given if not a.startswith("-")), "")
    try:
        build(wanted)(args=given, prog_name="ennead")
    except EnneadError as error:
        typer.echo(f"ennead: {error}", err=True)
        sys.exit(1)


def commands() -> dict[str, str]:
    """Every command and its target: our own, then those of other rooms by name."""
    others = {name: target for name, target in _offered().items() if "." not in name}
    return OWN | {name: value for name, value in others.items() if name not in OWN}


def additions(command: str) -> dict[str, str]:
    """What other rooms add to a command that has subcommands: name and target."""
    mark = f"{command}."
    return {n.removeprefix(mark): t for n, t in _offered().items() if n.startswith(mark)}


def _offered() -> dict[str, str]:
    return {e.name: e.value for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def build(wanted: str) -> typer.Typer:
    """The application with ``wanted`` loaded and every other command as a line of help."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_ennead)
    for name, target in commands().items():
        if name != wanted:
            app.command(name, help=summary(target))(_not_loaded)
            continue
        loaded = load(name, target)
        if isinstance(loaded, typer.Typer):
            known = {command.name for command in loaded.registered_commands}
            for added, where in additions(name).items():
                if added not in known:
                    loaded.command(added)(load(f"{name} {added}", where))
            app.add_typer(loaded, name=name)
        else:
            app.command(name)(loaded)
    return app


def load(name: str, target: str) -> typer.Typer | Callable[..., Any]:
    """Import the command.

    Raises
    ------
    EnneadError
        It is not there or broken; the message says which module.
    """
    module, _, attribute = target.partition(":")
    try:
        loaded: typer.Typer | Callable[..., Any] = getattr(
            importlib.import_module(module), attribute
        )
    except (ImportError, AttributeError) as error:
        raise EnneadError(
            f"The command {name!r} ({target}) cannot be loaded: {error}. Reinstall the "
            "distribution that brings it."
        ) from error
    return loaded


def summary(target: str) -> str:
    """First line of the command's docstring, from its source, without importing it."""
    module, _, attribute = target.partition(":")
    source = _source(module)
    if source is None:
        return "(not installed)"
    tree = ast.parse(source.read_bytes())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _source(module: str) -> Path | None:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations)), *rest)
    found = [p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()]
    return found[0] if found else None


def _not_loaded() -> None:
    raise EnneadError("This command was not loaded; name it first: ennead COMMAND …")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ennead {__version__}")
        raise typer.Exit


def _ennead(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
) -> None:
    """Ennead: RIS-PACS with specialty imaging packages.

    Start a server:  ennead serve --home my-home

    Try it with sample studies:  ennead demo --home my-demo

    Help on one command:  ennead serve --help
    """
