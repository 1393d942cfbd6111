"""Accounts: list, make, change a password, close, reopen."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.app.routes.session import Name, Password
from ennead.errors import NotAuthenticated, NotPermitted
from ennead.security import users
from ennead.security.passwords import verify_password
from ennead.security.principal import Permission, Principal, Role
from ennead.security.tables import users as table
from ennead.security.users import User

router = APIRouter(prefix="/api/v1/users", tags=["users"])

Manager = Annotated[Principal, Depends(require(Permission.USER_MANAGE))]


class NewUser(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    display_name: Annotated[str, Field(max_length=200)] = ""
    roles: Annotated[list[Role], Field(min_length=1)]
    password: Password


class NewPassword(BaseModel):
    """A new password; people changing their own also give the present one."""

    model_config = ConfigDict(extra="forbid")

    password: Password
    present_password: Annotated[str, Field(max_length=1024)] = ""


class Account(BaseModel):
    """An account as shown to an administrator."""

    name: str
    display_name: str
    roles: list[str]
    disabled: bool
    locked_until: dt.datetime | None
    created_at: dt.datetime
    last_login_at: dt.datetime | None


class Accounts(BaseModel):
    """All accounts."""

    users: list[Account]


@router.get("")
def list_users(manager: Manager, database: DatabaseDependency) -> Accounts:
    """Every account by name."""
    with database.read() as connection:
        return Accounts(users=[_account(u) for u in users.every(connection)])


@router.post("", status_code=201)
def add_user(
    body: NewUser, manager: Manager, settings: SettingsDependency, database: DatabaseDependency
) -> Account:
    """Make an account."""
    with database.begin() as connection:
        made = users.add(
            connection,
            settings,
            manager,
            name=body.name,
            display_name=body.display_name,
            roles=body.roles,
            password=body.password,
        )
    return _account(made)


@router.post("/{name}/password", status_code=204)
def change_password(
    name: str,
    body: NewPassword,
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
) -> Response:
    """Change a password: one's own, or anyone's with the permission ``user:manage``."""
    principal: Principal | None = request.state.principal
    if principal is None:
        raise NotAuthenticated("Log in first.")
    own = principal.kind == "user" and principal.name == name
    if not own and not principal.may(Permission.USER_MANAGE):
        raise NotPermitted("Only an administrator changes another person's password.")
    if own:
        with database.read() as connection:
            stored = connection.execute(
                select(table.c.password_hash).where(table.c.name == name)
            ).scalar_one_or_none()
        if not verify_password(stored or "", body.present_password):
            raise NotPermitted("The present password is wrong.")
    with database.begin() as connection:
        users.set_password(connection, settings, principal, name, body.password)
    return Response(status_code=204)


@router.post("/{name}/disable")
def disable_user(name: str, manager: Manager, database: DatabaseDependency) -> Account:
    """Close an account and end its sessions."""
    with database.begin() as connection:
        return _account(users.set_disabled(connection, manager, name, True))


@router.post("/{name}/enable")
def enable_user(name: str, manager: Manager, database: DatabaseDependency) -> Account:
    """Reopen an account."""
    with database.begin() as connection:
        return _account(users.set_disabled(connection, manager, name, False))


def _account(user: User) -> Account:
    return Account(
        name=user.name,
        display_name=user.display_name,
        roles=sorted(user.roles),
        disabled=user.disabled,
        locked_until=user.locked_until,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
    )
