"""Options that several commands share, and how a command opens the instance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ennead.settings import Settings

Home = Annotated[
    Path,
    typer.Option("--home", envvar="ENNEAD_HOME", help="Directory that holds the instance."),
]
HTTPPort = Annotated[
    int | None,
    typer.Option(
        "--http-port", min=0, max=65535, help="Port of portal and API; 0 takes a free one."
    ),
]
DICOMPort = Annotated[
    int | None,
    typer.Option("--dicom-port", min=0, max=65535, help="Port of DIMSE; 0 takes a free one."),
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")]
AcceptAnyAE = Annotated[
    bool,
    typer.Option(
        "--accept-any-ae",
        help="Accept unknown calling AE titles (demonstrations and benchmarks only).",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Name of a process to run (web, dimse, worker); may be repeated."),
]

DEFAULT_HOME = Path("ennead-home")


def load_settings(
    home: Path,
    *,
    host: str | None = None,
    http_port: int | None = None,
    dicom_port: int | None = None,
    accept_any_ae: bool = False,
    **more: Any,
) -> Settings:
    """Settings of the home, with the options that were given on top."""
    http = {k: v for k, v in (("host", host), ("port", http_port)) if v is not None}
    dicom: dict[str, Any] = {} if dicom_port is None else {"port": dicom_port}
    if accept_any_ae:
        dicom["accept_any_ae"] = True
    groups = {"http": http, "dicom": dicom, **more}
    return Settings.load(home, **{name: group for name, group in groups.items() if group})


@contextmanager
def opened(home: Path) -> Iterator[tuple[Settings, Any]]:
    """Settings and a migrated :class:`ennead.database.Database`; quiet but for warnings.

    Works beside a running server and before the first start.
    """
    from ennead import telemetry
    from ennead.database import Database, migrate

    settings = Settings.load(home)
    quiet = settings.telemetry.model_copy(update={"log_level": "WARNING"})
    telemetry.configure(settings.model_copy(update={"telemetry": quiet}), "cli")
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate.upgrade(settings)
    database = Database(settings.database_url)
    try:
        yield settings, database
    finally:
        database.close()
