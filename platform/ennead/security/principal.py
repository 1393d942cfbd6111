"""Who asks, and what their role allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What an action needs; routes and DIMSE services name exactly one."""

    STUDY_READ = "study:read"
    STUDY_WRITE = "study:write"
    FINDING_REVIEW = "finding:review"
    PACKAGE_READ = "package:read"
    PACKAGE_MANAGE = "package:manage"
    JOB_MANAGE = "job:manage"
    USER_MANAGE = "user:manage"
    AUDIT_READ = "audit:read"
    MODEL_MANAGE = "model:manage"


class Role(StrEnum):
    """Roles of people and tokens."""

    ADMIN = "admin"
    RADIOLOGIST = "radiologist"
    TECHNOLOGIST = "technologist"
    CLINICIAN = "clinician"
    DEVICE = "device"
    DATA_SCIENTIST = "data-scientist"


_READ = frozenset({Permission.STUDY_READ, Permission.PACKAGE_READ})

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.ADMIN: frozenset(Permission) - {Permission.FINDING_REVIEW},
    Role.RADIOLOGIST: _READ | {Permission.FINDING_REVIEW, Permission.STUDY_WRITE},
    Role.TECHNOLOGIST: _READ | {Permission.STUDY_WRITE, Permission.JOB_MANAGE},
    Role.CLINICIAN: _READ,
    Role.DEVICE: frozenset({Permission.STUDY_READ, Permission.STUDY_WRITE}),
    Role.DATA_SCIENTIST: _READ | {Permission.MODEL_MANAGE},
}


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, token or device behind a request.

    Parameters
    ----------
    name : str
        Login name, token name or AE title; never a patient.
    display_name : str
        As written into a verified document (``Nguyễn Văn A``).
    roles : frozenset of Role
    kind : str
        ``user``, ``token``, ``ae`` or ``system``.
    address : str
        Peer address, where there is one.
    """

    name: str
    display_name: str
    roles: frozenset[Role]
    kind: str = "user"
    address: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether any role grants ``permission``."""
        return any(permission in ROLE_PERMISSIONS[role] for role in self.roles)


SYSTEM: Final = Principal("ennead", "Ennead", frozenset({Role.ADMIN}), kind="system")
