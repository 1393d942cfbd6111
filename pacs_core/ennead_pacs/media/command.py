"""``ennead import PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened


def import_path(
    path: Annotated[
        Path,
        typer.Argument(exists=True, readable=True, help="A folder, a zip file or one DICOM file."),
    ],
    home: Home = DEFAULT_HOME,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write what happened to each file as JSON.")
    ] = None,
) -> None:
    """Bring DICOM objects from a folder or a zip file into the archive.

    Folders are searched through and through; what is not DICOM is passed over and listed. Works
    beside a running server and before its first start. Ends with 0; with 1 when nothing could be
    imported; with 2 when reading or storing failed.

    Try:

      ennead import /media/cdrom --home /srv/ennead

      ennead import studies.zip --report report.json
    """
    from ennead_pacs.ingest import Ingest
    from ennead_pacs.media.importer import import_tree
    from ennead_pacs.media.reporting import Display, operator, write_audit, write_report

    with opened(home) as (settings, database), Ingest(settings, database) as ingest:
        principal = operator()
        with Display(settings.portal.language) as display:
            result = import_tree(ingest, path, principal, display.note)
        write_audit(database, principal, result)
        if report is not None:
            write_report(report, result)
        display.summary(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
