"""Certificates that a site has on file from an authority. Ennead never claims one.

A certificate counts for one version of one package, between two dates, until it is withdrawn.
Nothing is deleted: an expired or withdrawn certificate is shown as what it is.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Connection, Row, insert, select, update

from ennead.errors import Conflict, InputError, NotFound
from ennead.security import Principal
from ennead.security.audit import record
from ennead.texts import translate
from ennead_pipelines.jobs.states import now
from ennead_pipelines.site.replay_json import utc
from ennead_pipelines.tables import certificates

_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class NewCertificate(BaseModel):
    """What a person copies from the document."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    issuer: Annotated[_Line, Field(max_length=200)]
    """The authority."""
    number: Annotated[_Line, Field(max_length=120)]
    """As printed."""
    scope: Annotated[_Line, Field(max_length=2000)]
    """What it was issued for."""
    package_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    """The version it names; it says nothing about others."""
    valid_from: dt.date | None = None
    """First day, where it names one."""
    valid_until: dt.date | None = None
    """Last day, where it names one."""

    @model_validator(mode="after")
    def _ordered(self) -> NewCertificate:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class CertificateState(StrEnum):
    """What a certificate is worth today for the version that runs."""

    VALID = "valid"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    OTHER_VERSION = "other_version"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A row with its state."""

    row: Row[Any]
    state: CertificateState
    current: str

    def as_json(self, language: str) -> dict[str, Any]:
        """For the API."""
        row = self.row
        values = {
            "from": row.valid_from,
            "until": row.valid_until,
            "version": row.package_version,
            "current": self.current or "–",
            "number": row.number,
            "issuer": row.issuer,
        }
        return {
            "id": row.id,
            "issuer": row.issuer,
            "number": row.number,
            "scope": row.scope,
            "package_version": row.package_version,
            "valid_from": row.valid_from or None,
            "valid_until": row.valid_until or None,
            "state": str(self.state),
            "text": translate(f"rules.certificate.{self.state}", language, values),
            "statement": translate("rules.certificate.statement", language, values),
            "withdrawal": row.withdrawal,
            "added_at": utc(row.added_at),
            "added_by": row.added_by,
        }


def certificate_rows(
    connection: Connection, package: str | None = None
) -> dict[str, list[Row[Any]]]:
    """Package id → rows, newest first; of one package, or of all."""
    query = select(certificates).order_by(certificates.c.id.desc())
    if package is not None:
        query = query.where(certificates.c.package == package)
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.package].append(row)
    return found


def judged(rows: Sequence[Row[Any]], version: str, today: dt.date) -> list[Certificate]:
    """What each is worth for ``version`` on ``today`` (in the site's time zone)."""
    return [Certificate(row, state_of(row, version, today), version) for row in rows]


def state_of(row: Row[Any], version: str, today: dt.date) -> CertificateState:
    """Withdrawn, of another version, expired, not yet, else valid: the first that is true."""
    day = today.isoformat()
    if row.withdrawn:
        return CertificateState.WITHDRAWN
    if row.package_version != version:
        return CertificateState.OTHER_VERSION
    if row.valid_until and day > row.valid_until:
        return CertificateState.EXPIRED
    if row.valid_from and day < row.valid_from:
        return CertificateState.NOT_YET
    return CertificateState.VALID


def cleared(found: Sequence[Certificate]) -> bool:
    """Whether a valid certificate is on file for the version that runs."""
    return any(each.state is CertificateState.VALID for each in found)


def add_certificate(
    connection: Connection, package: str, given: NewCertificate, principal: Principal
) -> int:
    """Put a certificate on file; its number.

    Raises
    ------
    Conflict
        The same number of the same issuer is on file for this version.
    """
    same = connection.execute(
        select(certificates.c.id).where(
            certificates.c.package == package,
            certificates.c.issuer == given.issuer,
            certificates.c.number == given.number,
            certificates.c.package_version == given.package_version,
            certificates.c.withdrawn.is_(False),
        )
    ).first()
    if same is not None:
        raise Conflict(
            f"Certificate {given.number!r} of {given.issuer!r} is on file already for "
            f"{package!r} {given.package_version}; withdraw it before entering it again."
        )
    document = given.model_dump(mode="json")
    row = {
        **document,
        "package": package,
        "valid_from": document["valid_from"] or "",
        "valid_until": document["valid_until"] or "",
        "withdrawn": False,
        "withdrawal": "",
        "added_at": now(),
        "added_by": principal.name,
    }
    made = connection.execute(insert(certificates).values(**row)).inserted_primary_key
    assert made is not None
    number = int(made[0])
    detail = {"package": package, "certificate": number, **document}
    record(connection, principal, "certificate.added", detail=detail)
    return number


def withdraw_certificate(
    connection: Connection, package: str, number: int, reason: str, principal: Principal
) -> None:
    """Take a certificate out of force; it stays on file with the reason.

    Raises
    ------
    NotFound
        The package has no such certificate.
    InputError
        No reason was given.
    Conflict
        It was withdrawn before.
    """
    row = connection.execute(
        select(certificates).where(certificates.c.id == number, certificates.c.package == package)
    ).one_or_none()
    if row is None:
        raise NotFound(f"Package {package!r} has no certificate {number}.")
    if not reason.strip():
        raise InputError("Withdrawing a certificate needs a reason.")
    changed = connection.execute(
        update(certificates)
        .where(certificates.c.id == number, certificates.c.withdrawn.is_(False))
        .values(withdrawn=True, withdrawal=reason.strip()[:2000])
    ).rowcount
    if not changed:
        raise Conflict(f"Certificate {number} of {package!r} was withdrawn before.")
    detail = {"package": package, "certificate": number, "reason": reason.strip()[:2000]}
    record(connection, principal, "certificate.withdrawn", detail=detail)
