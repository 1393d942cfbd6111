"""Packages: list, enable, disable, and check against their reference cases."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened

if TYPE_CHECKING:
    from ennead.plugins import DiscoveredPackage
    from ennead_pipelines.reference import Comparison

packages = typer.Typer(
    help="Packages: list, enable, disable, and check against their reference cases.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PackageName = Annotated[str, typer.Argument(help="Id of the package, as `list` shows it.")]


@packages.command("list")
def list_packages(home: Home = DEFAULT_HOME) -> None:
    """Every installed package, whether it is enabled, and what is wrong with a broken one.

    Try:

      ennead packages list
    """
    from ennead.plugins import discover_packages
    from ennead_pipelines.packages import introduce, states

    found = discover_packages()
    with opened(home) as (_, database):
        with database.begin() as connection:
            introduce(connection, found)
        with database.read() as connection:
            known = states(connection, found)
    for each in known:
        package = each.package
        version = package.manifest.version if package.manifest else "–"
        state = "broken" if package.error else "enabled" if each.enabled else "disabled"
        typer.echo(f"{package.id:<16} {version:<10} {state:<9} {package.distribution}")
        if package.error:
            typer.echo(f"    {package.error}")


@packages.command("enable")
def enable(package: PackageName, home: Home = DEFAULT_HOME) -> None:
    """Run a package on studies that arrive from now on, once its reference cases reproduce.

    Try:

      ennead packages enable lung
    """
    from ennead.errors import Conflict

    found = _installed(package)
    if found.manifest is not None and found.usable and not _check(found, home):
        raise Conflict(
            f"Package {package!r} does not reproduce its reference cases; it is not enabled."
        )
    _switch(package, home, enabled=True)


@packages.command("disable")
def disable(package: PackageName, home: Home = DEFAULT_HOME) -> None:
    """Leave a package out from now on; its results stay.

    Try:

      ennead packages disable lung
    """
    _switch(package, home, enabled=False)


@packages.command("check")
def check(package: PackageName, home: Home = DEFAULT_HOME) -> None:
    """Check a package rule by rule: its reference cases, and what its quality.toml claims.

    Ends with status 1 when a case does not reproduce or the claimed level is not reached.

    Try:

      ennead packages check lung
    """
    from ennead.settings import Settings
    from ennead_pipelines.quality import check_quality
    from ennead_pipelines.sandbox.plan import plan_for

    found = _installed(package)
    settings = Settings.load(home)
    report = check_quality(found, plan_for(settings, found), settings.pipelines.anatomy)
    reproduced = _tell(report.comparisons)
    for verdict in report.verdicts:
        typer.echo(f"{verdict.outcome:<8}{verdict.level:<8}{verdict.rule:<30}{verdict.detail}")
    if report.error:
        typer.echo(f"FAIL    {report.error}")
    reached = report.reached or "no level"
    typer.echo(f"{package} claims {report.claimed} and reaches {reached}")
    if not (reproduced and report.good):
        raise typer.Exit(1)


@packages.command("schema")
def schema() -> None:
    """Print the JSON Schema of package.toml; editors check and complete a manifest with it.

    Try:

      ennead packages schema > package.schema.json
    """
    from ennead.plugins.schema import schema_text

    typer.echo(schema_text(), nl=False)


@packages.command("environment")
def environment(
    package: PackageName,
    home: Home = DEFAULT_HOME,
    wheels: Annotated[
        Path | None,
        typer.Option(help="Folder of wheels to install from; no index is asked then."),
    ] = None,
) -> None:
    """Make a package's own interpreter and libraries, from its requirements; again replaces it.

    For packages with environment = "venv" in their package.toml.

    Try:

      ennead packages environment example_body

      ennead packages environment example_body --wheels /media/usb/wheels
    """
    from ennead_pipelines.sandbox.environments import make_environment

    found = _installed(package)
    with opened(home) as (settings, _):
        interpreter = make_environment(settings.home, found, wheels=wheels)
    typer.echo(f"{package} runs with {interpreter}")


def _installed(package_id: str) -> DiscoveredPackage:
    from ennead.errors import ContractError, NotFound
    from ennead.plugins import discover_packages

    found = {package.id: package for package in discover_packages()}
    if package_id not in found:
        known = ", ".join(found) or "none"
        raise NotFound(f"No package {package_id!r} is installed here; installed are: {known}.")
    package = found[package_id]
    if package.error:
        raise ContractError(f"Package {package_id!r} is broken: {package.error}")
    return package


def _check(package: DiscoveredPackage, home: Path) -> bool:
    from ennead.settings import Settings
    from ennead_pipelines.reference import reproduce
    from ennead_pipelines.sandbox.plan import plan_for

    settings = Settings.load(home)
    assert package.manifest is not None
    if not package.manifest.test:
        typer.echo(f"{package.id} declares no reference case: nothing here shows that it works")
        return True
    plan = plan_for(settings, package)
    return _tell(reproduce(package.manifest, plan, settings.pipelines.anatomy))


def _tell(comparisons: Iterable[Comparison]) -> bool:
    """Print expected numbers beside what came; whether all of them reproduce."""
    good = True
    for value in comparisons:
        good = good and value.passed
        got = "nothing" if value.got is None else f"{value.got:.6g}"
        mark = "ok  " if value.passed else "FAIL"
        expected = f"{value.expected:.6g} ± {value.tolerance:.3g}"
        typer.echo(f"{mark}  {value.case}  {value.output:<16} {got}  (expected {expected})")
    return good


def _switch(package_id: str, home: Home, *, enabled: bool) -> None:
    from ennead.plugins import discover_packages
    from ennead.security import SYSTEM
    from ennead_pipelines.packages import introduce, switch

    found = discover_packages()
    with opened(home) as (_, database), database.begin() as connection:
        introduce(connection, found)
        switch(connection, found, package_id, SYSTEM, enabled=enabled)
    typer.echo(f"{package_id} is {'enabled' if enabled else 'disabled'}")
