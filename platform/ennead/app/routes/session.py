"""Log in, who am I, log out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ennead.app.authentication import CSRF_COOKIE, SESSION_COOKIE
from ennead.app.dependencies import DatabaseDependency, SettingsDependency
from ennead.errors import NotAuthenticated
from ennead.security import audit, login, sessions
from ennead.security.principal import ROLE_PERMISSIONS, Principal
from ennead.security.sessions import NewSession
from ennead.settings import Settings

router = APIRouter(prefix="/api/v1/session", tags=["session"])

Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]


class LogIn(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid")

    username: Name
    password: Password


class Me(BaseModel):
    """Who the request comes from and what it may do."""

    name: str
    display_name: str
    kind: str
    roles: list[str]
    permissions: list[str]
    csrf_token: str
    """To send back as ``X-CSRF-Token``; empty for bearer tokens, which need none."""


@router.post("")
def log_in(
    body: LogIn, request: Request, settings: SettingsDependency, database: DatabaseDependency
) -> Response:
    """Start a session: two cookies, one of which only the browser reads."""
    user, session = login.log_in(
        database,
        settings,
        request.app.state.login_brake,
        name=body.username,
        password=body.password,
        address=request.client.host if request.client else "",
    )
    response = JSONResponse(_me(user.principal(), session.csrf_token).model_dump())
    _set_cookies(response, settings, session)
    return response


@router.get("")
def who_am_i(request: Request) -> Me:
    """The person or token behind this request; 401 when there is none."""
    principal: Principal | None = request.state.principal
    if principal is None:
        raise NotAuthenticated("Nobody is logged in.")
    token: str = request.state.session_token
    return _me(principal, sessions.csrf_token(token) if token else "")


@router.delete("", status_code=204)
def log_out(request: Request, database: DatabaseDependency) -> Response:
    """End the session at once, on every node."""
    principal: Principal | None = request.state.principal
    token: str = request.state.session_token
    if principal is not None and token:
        with database.begin() as connection:
            sessions.revoke(connection, token)
            audit.record(connection, principal, "logout")
        request.app.state.authenticator.forget("session", token)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE)
    response.delete_cookie(CSRF_COOKIE)
    return response


def _me(principal: Principal, csrf_token: str) -> Me:
    permissions = {p for role in principal.roles for p in ROLE_PERMISSIONS[role]}
    return Me(
        name=principal.name,
        display_name=principal.display_name,
        kind=principal.kind,
        roles=sorted(principal.roles),
        permissions=sorted(permissions),
        csrf_token=csrf_token,
    )


def _set_cookies(response: Response, settings: Settings, session: NewSession) -> None:
    for name, value, hidden in (
        (SESSION_COOKIE, session.token, True),
        (CSRF_COOKIE, session.csrf_token, False),
    ):
        response.set_cookie(
            name,
            value,
            max_age=round(settings.http.session_hours * 3600),
            httponly=hidden,
            secure=settings.http.secure_cookies,
            samesite="strict",
        )
