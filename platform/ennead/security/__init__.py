"""Users, roles, sessions, tokens, and the audit chain."""

from ennead.security.principal import ROLE_PERMISSIONS, SYSTEM, Permission, Principal, Role

__all__ = ["ROLE_PERMISSIONS", "SYSTEM", "Permission", "Principal", "Role"]
