"""Run a node: everything, or the services' processes only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ennead.cli.options import (
    DEFAULT_HOME,
    AcceptAnyAE,
    DICOMPort,
    Home,
    Host,
    HTTPPort,
    Only,
    load_settings,
)

if TYPE_CHECKING:
    from ennead.app.launcher import Started
    from ennead.settings import Settings


def serve(
    home: Home = DEFAULT_HOME,
    http_port: HTTPPort = None,
    dicom_port: DICOMPort = None,
    host: Host = None,
    accept_any_ae: AcceptAnyAE = False,
    only: Only = None,
    admin_password: Annotated[
        str,
        typer.Option(
            envvar="ENNEAD_ADMIN_PASSWORD",
            hidden=True,
            help="Password of the account admin on the very first start.",
        ),
    ] = "",
) -> None:
    """Run portal, API, DICOM and pipelines on this machine.

    On the first start the account "admin" is made and its password shown once (or taken from
    ENNEAD_ADMIN_PASSWORD). Stop with Ctrl-C or SIGTERM: work under way is finished first.

    Try:

      ennead serve

      ennead serve --home /srv/ennead --host 0.0.0.0 --http-port 8050 --dicom-port 11112

      ennead serve --home /tmp/try --http-port 0 --dicom-port 0 --accept-any-ae
    """
    from ennead.app.launcher import Supervisor

    settings = load_settings(
        home, host=host, http_port=http_port, dicom_port=dicom_port, accept_any_ae=accept_any_ae
    )
    configure_logs(settings)
    supervisor = Supervisor(settings, only=only or (), admin_password=admin_password)
    supervisor.run(show_start, show_ready)


def worker(
    home: Home = DEFAULT_HOME,
    dicom_port: DICOMPort = None,
    only: Only = None,
) -> None:
    """Run the services' processes without the web, against the same database.

    Point ENNEAD_DATABASE__URL and ENNEAD_STORAGE__URL at what the other nodes use.

    Try:

      ENNEAD_DATABASE__URL=postgresql://db/ennead ennead worker --home /srv/worker

      ennead worker --home /srv/worker --only worker
    """
    from ennead.app.launcher import Supervisor

    settings = load_settings(home, dicom_port=dicom_port)
    configure_logs(settings)
    Supervisor(settings, web=False, only=only or ()).run()


def configure_logs(settings: Settings) -> None:
    """Logging of the supervisor, and the warning that belongs into every log."""
    import structlog

    from ennead import telemetry
    from ennead.app.routes.health import warnings

    telemetry.configure(settings, "supervisor")
    for text in warnings(settings):
        structlog.get_logger(__name__).warning(text)


def show_start(started: Started) -> None:
    """The administrator's password, once."""
    if started.admin_password:
        typer.echo(
            "An administrator was made. The password is shown this once:\n"
            f"    user      admin\n    password  {started.admin_password}"
        )
    sys.stdout.flush()


def show_ready(started: Started) -> None:
    """Where to find everything."""
    dicom, http = started.settings.dicom, started.settings.http
    typer.echo(
        "Ennead is ready.\n"
        f"    portal    {started.base_url}/\n"
        f"    DICOM     {http.host}:{dicom.port}  AE title {dicom.ae_title}\n"
        f"    home      {started.settings.home}"
    )
    sys.stdout.flush()
