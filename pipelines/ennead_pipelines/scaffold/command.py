"""Begin a package of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

new = typer.Typer(help="Begin a package of your own.", no_args_is_help=True, rich_markup_mode=None)


@new.callback()
def _new() -> None:
    """Begin a package of your own."""


@new.command("package")
def package(
    package_id: Annotated[
        str, typer.Argument(metavar="ID", help="Small letters, digits and underscores.")
    ],
    modality: Annotated[str, typer.Option(help="CT or MR.")] = "CT",
    body_part: Annotated[
        list[str] | None,
        typer.Option(help="BodyPartExamined that fits; may be repeated; without it any fits."),
    ] = None,
    title_en: Annotated[str, typer.Option(help="Title in English; the id when absent.")] = "",
    title_vi: Annotated[
        str, typer.Option(help="Title in Vietnamese; the English one when absent.")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Where to write it; a new folder named by the id.")
    ] = None,
) -> None:
    """Write a complete package: manifest, pipeline, one measurement, texts, README, tests.

    It passes `ennead packages check` at bronze as it is; docs/tutorial/add-a-package.md goes on.

    Try:

      ennead new package nodules --modality CT --body-part CHEST

      ennead new package liver_fat --modality MR --title-vi "Mỡ gan" --title-en "Liver fat"
    """
    from ennead_pipelines.scaffold.write import NewPackage, write_package

    target = folder or Path(package_id)
    wanted = NewPackage(package_id, modality.upper(), body_part or (), title_vi, title_en)
    for file in write_package(wanted, target):
        typer.echo(file)
    typer.echo(f"next: pip install ./{target} && ennead packages check {package_id}")
