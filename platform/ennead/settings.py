"""Every setting, in one frozen tree.

Sources, strongest first: arguments, ``ENNEAD_…`` environment variables (``__`` nests),
``ennead.toml`` in the home directory, the defaults below. Built once at the entry point and
passed down; nothing else reads the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class HTTPSettings(_Group):
    """Web server."""

    host: str = "127.0.0.1"
    """Address that HTTP and DIMSE listen on; ``0.0.0.0`` for all."""
    port: int = Field(8050, ge=0, le=65535)
    """TCP port of portal, viewer, DICOMweb and API."""
    processes: int = Field(0, ge=0, le=64)
    """Web processes that share the port; 0 takes one for every two cores, at most four."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of proxies whose ``X-Forwarded-For`` and ``-Proto`` are believed."""
    secure_cookies: bool = False
    """Set ``Secure`` on session cookies; turn on behind TLS."""
    session_hours: float = Field(12.0, gt=0, le=168)
    """Hours after which a login ends."""
    json_body_limit_bytes: int = 16 * 1024 * 1024
    """Largest JSON request body."""
    stow_body_limit_bytes: int = 16 * 1024**3
    """Largest STOW-RS request body; it is streamed, never held in memory."""
    stow_parts_limit: int = 50_000
    """Most parts in one STOW-RS request."""


class DICOMSettings(_Group):
    """DIMSE services and limits on what is received."""

    port: int = Field(11112, ge=0, le=65535)
    """TCP port of C-ECHO, C-STORE, C-FIND and C-GET."""
    ae_title: str = Field("ENNEAD", min_length=1, max_length=16)
    """Our application entity title."""
    accept_any_ae: bool = False
    """Accept unknown calling AE titles (demonstrations and benchmarks only)."""
    known_ae_titles: tuple[str, ...] = ()
    """Calling AE titles that may associate; empty refuses everyone unless ``accept_any_ae``."""
    acceptors: int = Field(0, ge=0, le=64)
    """Acceptor processes on the port; 0 chooses from the number of cores."""
    maximum_pdu_bytes: int = Field(262_144, ge=4096, le=4 * 1024 * 1024)
    """Announced maximum PDU length; a longer PDU is aborted."""
    associate_request_limit_bytes: int = 1024 * 1024
    """Largest A-ASSOCIATE-RQ."""
    request_deadline_s: float = Field(5.0, gt=0)
    """Seconds from TCP accept to a complete association request."""
    minimum_rate_bytes_s: int = 1024
    """An association slower than this over 30 s while sending is aborted."""
    pending_connections_per_ip: int = 16
    """Connections of one address that have not associated yet."""
    pending_connections: int = 256
    """Connections in all that have not associated yet."""
    associations: int = 256
    """Simultaneous associations."""
    associations_per_ae: int = 64
    """Simultaneous associations of one calling AE title."""
    idle_timeout_s: float = Field(120.0, gt=0)
    """An association without a message for this long is aborted."""
    query_timeout_s: float = Field(10.0, gt=0)
    """A C-FIND that the index has not answered after this long fails."""
    object_limit_bytes: int = 4 * 1024**3
    """Largest object."""
    sequence_depth_limit: int = 32
    """Deepest nesting of sequences."""
    decode_limit_bytes: int = 512 * 1024**2
    """Largest decoded pixel data in one request."""


class DatabaseSettings(_Group):
    """Index, jobs, users, audit."""

    url: str = ""
    """SQLAlchemy URL; empty means SQLite in the home directory."""


class StorageSettings(_Group):
    """Objects."""

    url: str = ""
    """Where objects lie; empty means ``objects/`` in the home directory."""
    quarantine_limit_bytes: int = Field(16 * 1024**3, ge=0)
    """Most bytes of refused objects kept in ``quarantine/``; 0 keeps none."""


class RaySettings(_Group):
    """Where pipelines run."""

    address: str = ""
    """Address of a Ray cluster (``host:port``); empty starts a local one."""
    token_file: Path | None = None
    """File with the cluster's authentication token; a local Ray makes its own."""
    cpus: int = Field(0, ge=0)
    """CPUs of the local Ray; 0 takes all."""
    object_store_bytes: int = Field(1024**3, ge=80 * 1024**2)
    """Shared memory for decoded volumes of the local Ray."""


class PipelineSettings(_Group):
    """How studies become jobs."""

    quiet_s: float = Field(8.0, ge=0.2)
    """Seconds without a new instance after which a study counts as complete."""
    lease_s: float = Field(30.0, ge=2)
    """A running job whose worker has not renewed its lease for this long is taken over."""
    attempts: int = Field(4, ge=1)
    """Runs of one job before it is given up as failed."""
    seg_encoding: str = Field("labelmap", pattern="^(labelmap|binary)$")
    """Segmentation form to write: ``labelmap`` (RLE) or ``binary``."""
    claim_s: float = Field(3600.0, ge=10)
    """Seconds without an update after which a job that another system claimed is ours again."""
    sandbox: Literal["required", "preferred", "off"] = "preferred"
    """Isolation of others' packages: ``required`` (all, or no run), ``preferred``, ``off``."""
    function_workers: int = Field(1, ge=1, le=16)
    """Calls of interactive functions measured side by side; each keeps a warm process."""
    anatomy: tuple[str, ...] = ("classical",)
    """Who finds anatomy, in order of preference: ``classical``, ``model:<id of a model>``."""


class ModelSettings(_Group):
    """Networks: where they are found and how they are brought in."""

    folders: tuple[Path, ...] = ()
    """Directories that hold model folders, besides ``models/`` of the home and those shipped."""
    upload_limit_bytes: int = Field(4 * 1024**3, gt=0)
    """Largest model file sent to the portal; it is streamed, never held in memory."""
    weights_limit_bytes: int = Field(16 * 1024**3, gt=0)
    """Largest weights file that is fetched, and most bytes of one when unpacked."""
    fetch_timeout_s: float = Field(60.0, gt=0)
    """Seconds without a byte after which fetching weights gives up; it resumes when repeated."""
    threads: int = Field(0, ge=0, le=256)
    """Threads of a network that runs on processors; 0 takes what the model's manifest asks for."""
    validation_dir: Path | None = None
    """Directory of labelled sets, one folder each, that the portal may validate models on."""


class TelemetrySettings(_Group):
    """Logs, metrics, traces."""

    log_format: str = Field("json", pattern="^(json|console)$")
    """``json`` for machines, ``console`` for people."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """Least severe level written."""
    otlp_endpoint: str = ""
    """OpenTelemetry collector; empty keeps spans in the process."""


class SecuritySettings(_Group):
    """Passwords and logins."""

    password_min_length: int = Field(10, ge=8, le=64)
    """Fewest characters of a new password."""
    login_failures: int = Field(5, ge=1, le=100)
    """Wrong passwords in a row after which a user must wait."""
    lockout_s: float = Field(60.0, gt=0)
    """Seconds of the first wait; each further wrong password doubles it, up to an hour."""
    login_failures_per_address: int = Field(30, ge=1)
    """Wrong passwords from one address within five minutes after which it must wait."""


class PortalSettings(_Group):
    """What people see."""

    language: str = Field("vi", pattern="^(vi|en)$")
    """Language before a person chooses one."""
    site_name: str = "Ennead"
    """Institution shown in the portal and written as the verifying organisation."""
    time_zone: str = "Asia/Ho_Chi_Minh"
    """IANA name of the site's time zone; hours and days in the site's rules are told in it."""
    web_root: Path | None = None
    """Built portal and viewer files; None uses ``platform/web/dist`` of the checkout."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                "time_zone must be an IANA name that this machine knows, like Asia/Ho_Chi_Minh"
            ) from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


class Settings(BaseSettings):
    """The tree. ``Settings.load(home, **overrides)`` is the way to build it."""

    model_config = SettingsConfigDict(
        env_prefix="ENNEAD_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    home: Path = Path("ennead-home")
    """Directory that holds every file of an embedded instance."""
    http: HTTPSettings = HTTPSettings()
    """Web server."""
    dicom: DICOMSettings = DICOMSettings()
    """DIMSE services and receive limits."""
    database: DatabaseSettings = DatabaseSettings()
    """Index, jobs, users, audit."""
    storage: StorageSettings = StorageSettings()
    """Objects."""
    ray: RaySettings = RaySettings()
    """Where pipelines run."""
    pipelines: PipelineSettings = PipelineSettings()
    """How studies become jobs."""
    models: ModelSettings = ModelSettings()
    """Networks: where they are found and how they are brought in."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Logs, metrics, traces."""
    security: SecuritySettings = SecuritySettings()
    """Passwords and logins."""
    portal: PortalSettings = PortalSettings()
    """What people see."""

    @classmethod
    def load(cls, home: Path | str = "ennead-home", **overrides: Any) -> Settings:
        """Settings of the instance in ``home`` (made absolute), with ``ennead.toml`` read.

        Raises
        ------
        ConfigurationError
            A value breaks its rule; the message names the setting.
        """
        from pydantic import ValidationError

        from ennead.errors import ConfigurationError

        directory = Path(home).expanduser().resolve()

        class _WithFile(cls):  # type: ignore[valid-type,misc]
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                file = TomlConfigSettingsSource(settings_cls, directory / "ennead.toml")
                return (init_settings, env_settings, file)

        try:
            loaded = _WithFile(home=directory, **overrides)
        except ValidationError as error:
            lines = "; ".join(
                f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']} (got {e['input']!r})"
                for e in error.errors()
            )
            raise ConfigurationError(
                f"Settings are wrong: {lines}. See docs/reference/settings.md."
            ) from error
        return cls.model_construct(**{n: getattr(loaded, n) for n in cls.model_fields})

    @property
    def database_url(self) -> str:
        """The URL in force."""
        return self.database.url or f"sqlite:///{self.home / 'ennead.sqlite3'}"

    @property
    def objects_dir(self) -> Path:
        """Directory of stored objects."""
        return Path(self.storage.url.removeprefix("file://") or self.home / "objects")

    @property
    def weights_dir(self) -> Path:
        """Directory of the networks' weights, by SHA-256."""
        return self.home / "weights"
