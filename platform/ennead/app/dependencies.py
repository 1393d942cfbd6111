"""What HTTP routes of every room depend on.

``request.app.state.settings`` and ``.database`` are set by :func:`ennead.app.web.create_app`;
``request.state.principal`` by its authentication middleware.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from ennead.database import Database
from ennead.errors import NotAuthenticated, NotPermitted
from ennead.security import Permission, Principal
from ennead.settings import Settings


def get_settings(request: Request) -> Settings:
    """The settings of this instance."""
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    """The database of this instance."""
    database: Database = request.app.state.database
    return database


def require(permission: Permission) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that gives the principal, or refuses with 401 or 403.

    Examples
    --------
    ``principal: Annotated[Principal, Depends(require(Permission.STUDY_READ))]``
    """

    async def check(request: Request) -> Principal:
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is None:
            raise NotAuthenticated("Log in, or send a bearer token (ennead token --role …).")
        if not principal.may(permission):
            raise NotPermitted(
                f"This needs the permission {permission}; your roles are "
                f"{', '.join(sorted(principal.roles))}."
            )
        return principal

    return check


def get_language(request: Request) -> str:
    """``vi`` or ``en``: query ``lang``, then cookie ``ennead_lang``, then Accept-Language."""
    settings = get_settings(request)
    wanted = request.query_params.get("lang") or request.cookies.get("ennead_lang") or ""
    if wanted in ("vi", "en"):
        return wanted
    for part in request.headers.get("accept-language", "").split(","):
        language = part.split(";")[0].strip().lower()[:2]
        if language in ("vi", "en"):
            return language
    return settings.portal.language


# FastAPI sends every plain function among the dependencies through a thread of its own; these need
# none, and image requests pass here by the thousand.


async def _settings(request: Request) -> Settings:
    return get_settings(request)


async def _database(request: Request) -> Database:
    return get_database(request)


async def _language(request: Request) -> str:
    return get_language(request)


SettingsDependency = Annotated[Settings, Depends(_settings)]
DatabaseDependency = Annotated[Database, Depends(_database)]
LanguageDependency = Annotated[str, Depends(_language)]
