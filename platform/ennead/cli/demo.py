"""A running instance with sample studies, from nothing, in one command."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ennead.cli.options import (
    DEFAULT_HOME,
    AcceptAnyAE,
    DICOMPort,
    Home,
    Host,
    HTTPPort,
    load_settings,
)

if TYPE_CHECKING:
    from ennead.app.launcher import Started, Supervisor
    from ennead.cli.demo_home import DemoHome


def demo(
    home: Home = DEFAULT_HOME,
    http_port: HTTPPort = None,
    dicom_port: DICOMPort = None,
    host: Host = None,
    accept_any_ae: AcceptAnyAE = False,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples", exists=True, file_okay=False, help="Folder of DICOM files to bring in."
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="End when the findings are in: status 0, or 1 on a failure."),
    ] = False,
) -> None:
    """Start an instance with sample studies and show their way to findings.

    Makes accounts (shown at the end), brings in phantom studies and those of --samples, waits
    until every package has measured or refused them, then keeps serving until Ctrl-C.

    Try:

      ennead demo --home my-demo

      ennead demo --home my-demo --samples ~/dicom --http-port 8051

      ennead demo --home /tmp/d --http-port 0 --dicom-port 0 --once
    """
    from ennead.app.launcher import Supervisor
    from ennead.cli.demo_home import logs_to_file, open_demo_home
    from ennead.cli.serve import configure_logs

    settings = load_settings(
        home, host=host, http_port=http_port, dicom_port=dicom_port, accept_any_ae=accept_any_ae
    )
    known = open_demo_home(settings)
    supervisor = Supervisor(settings, admin_password=known.passwords["admin"])
    failed = threading.Event()
    with logs_to_file(settings):
        configure_logs(settings)

        def begin(started: Started) -> None:
            threading.Thread(
                target=_drive,
                args=(supervisor, started, known, samples, once, failed),
                daemon=True,
                name="demo",
            ).start()

        supervisor.run(on_ready=begin)
    if failed.is_set():
        raise typer.Exit(1)


def _drive(
    supervisor: Supervisor,
    started: Started,
    known: DemoHome,
    samples: Path | None,
    once: bool,
    failed: threading.Event,
) -> None:
    """Runs beside the supervisor: accounts, studies, progress, the last words."""
    import structlog

    from ennead.cli.demo_run import DemoRun

    run = DemoRun(started, known)
    try:
        good = run.studies(samples)
        run.last_words(good, serving=not once)
    except Exception as error:  # the thread's boundary: the server goes on, the reason is shown
        structlog.get_logger(__name__).exception("demo failed")
        run.console.print(f"{type(error).__name__}: {error}", style="red", markup=False)
        good = False
    if not good:
        failed.set()
    if once:
        supervisor.stop()
