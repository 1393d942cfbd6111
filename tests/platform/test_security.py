"""Accounts, sessions, bearer tokens, and the brake on guessing."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from sqlalchemy import select, update

from ennead.database import Database
from ennead.errors import (
    Conflict,
    NotAuthenticated,
    NotFound,
    PasswordRefused,
    TooManyAttempts,
)
from ennead.security import SYSTEM, audit, authenticator, login, passwords, sessions, tokens, users
from ennead.security.authenticator import Authenticator
from ennead.security.principal import Permission, Role
from ennead.security.tables import sessions as session_table
from ennead.security.tables import tokens as token_table
from ennead.security.tables import users as user_table
from ennead.settings import SecuritySettings, Settings

PASSWORD = "một câu dễ nhớ 7"
RULES = SecuritySettings()


@pytest.fixture
def doctor(database: Database, settings: Settings) -> users.User:
    with database.begin() as connection:
        return users.add(
            connection,
            settings,
            SYSTEM,
            name="bs.nguyen",
            display_name="Nguyễn Văn A",
            roles=[Role.RADIOLOGIST],
            password=PASSWORD,
        )


def _log_in(
    database: Database,
    settings: Settings,
    password: str = PASSWORD,
    name: str = "bs.nguyen",
    brake: login.AttemptBrake | None = None,
    address: str = "10.0.0.1",
) -> sessions.NewSession:
    return login.log_in(
        database,
        settings,
        brake or login.AttemptBrake(),
        name=name,
        password=password,
        address=address,
    )[1]


def test_argon2_and_nothing_readable_is_stored(database: Database, doctor: users.User) -> None:
    with database.read() as connection:
        stored = connection.execute(select(user_table.c.password_hash)).scalar_one()
    assert stored.startswith("$argon2id$")
    assert passwords.verify_password(stored, PASSWORD)
    assert not passwords.verify_password(stored, PASSWORD + " ")
    assert not passwords.verify_password("", PASSWORD)


def test_a_password_typed_on_another_keyboard_is_the_same() -> None:
    """One letter ộ as one code point, or as o + two marks."""
    stored = passwords.hash_password("m\u1ed9t câu dài")
    assert passwords.verify_password(stored, "mo\u0323\u0302t ca\u0302u dài")


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("a2c4e6g8i", False),  # nine characters: one too few
        ("a2c4e6g8i0", True),
        ("x" * 257, False),
        ("aaaaaaaaaaaa", False),
        ("Password123456", False),
        ("matkhau123456", False),
        ("bs.nguyen2026", False),
        ("khỏe như voi con", True),
    ],
)
def test_rules_of_new_passwords(password: str, good: bool) -> None:
    if good:
        passwords.check_rules(password, "bs.nguyen", RULES)
    else:
        with pytest.raises(PasswordRefused):
            passwords.check_rules(password, "bs.nguyen", RULES)


def test_random_passwords_pass_the_rules_and_differ() -> None:
    made = {passwords.random_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        passwords.check_rules(password, "admin", RULES)


@pytest.mark.parametrize("name", ["", "a", "Bs.Nguyen", "a b", "../x", "x" * 65, "-ab"])
def test_bad_user_names_are_refused(database: Database, settings: Settings, name: str) -> None:
    with pytest.raises(PasswordRefused), database.begin() as connection:
        users.add(
            connection,
            settings,
            SYSTEM,
            name=name,
            display_name="",
            roles=[Role.CLINICIAN],
            password=PASSWORD,
        )


def test_a_name_is_given_once(database: Database, settings: Settings, doctor: users.User) -> None:
    with pytest.raises(Conflict), database.begin() as connection:
        users.add(
            connection,
            settings,
            SYSTEM,
            name=doctor.name,
            display_name="",
            roles=[Role.CLINICIAN],
            password=PASSWORD,
        )


def test_login_gives_a_session_that_is_the_person(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    session = _log_in(database, settings)
    principal = Authenticator(database).resolve("session", session.token)
    assert principal is not None
    assert (principal.name, principal.display_name) == ("bs.nguyen", "Nguyễn Văn A")
    assert principal.may(Permission.FINDING_REVIEW)
    assert not principal.may(Permission.USER_MANAGE)
    with database.read() as connection:
        stored = connection.execute(select(session_table.c.token_hash)).scalar_one()
        assert session.token not in stored
        assert audit.page(connection)[0].action == "login"


def test_sessions_end_by_time_and_by_revocation(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    first, second = _log_in(database, settings), _log_in(database, settings)
    with database.begin() as connection:
        sessions.revoke(connection, first.token)
    fresh = Authenticator(database)
    assert fresh.resolve("session", first.token) is None
    assert fresh.resolve("session", second.token) is not None
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    with database.begin() as connection:
        connection.execute(update(session_table).values(expires_at=past))
    assert Authenticator(database).resolve("session", second.token) is None


def test_wrong_passwords_lock_for_a_while(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    limit = settings.security.login_failures
    for _ in range(limit):
        with pytest.raises(NotAuthenticated):
            _log_in(database, settings, "wrong password")
    with pytest.raises(TooManyAttempts) as caught:
        _log_in(database, settings)  # right, but locked
    assert 0 < caught.value.details["retry_after_s"] <= settings.security.lockout_s  # type: ignore[operator]
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    with database.begin() as connection:
        connection.execute(update(user_table).values(locked_until=past))
    _log_in(database, settings)
    with database.read() as connection:
        row = connection.execute(select(user_table)).one()
        assert (row.failures, row.locked_until) == (0, None)
        assert len(audit.page(connection, action="login.failed")) == limit
        assert audit.verify(connection).intact


def test_one_less_than_the_limit_does_not_lock(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    for _ in range(settings.security.login_failures - 1):
        with pytest.raises(NotAuthenticated):
            _log_in(database, settings, "wrong password")
    _log_in(database, settings)


def test_an_unknown_name_is_braked_alike_and_not_kept(
    database: Database, settings: Settings
) -> None:
    brake = login.AttemptBrake()
    for _ in range(settings.security.login_failures):
        with pytest.raises(NotAuthenticated):
            _log_in(database, settings, "x", name="hunter2", brake=brake)
    with pytest.raises(TooManyAttempts):
        _log_in(database, settings, "x", name="hunter2", brake=brake)
    with database.read() as connection:
        assert {e.principal for e in audit.page(connection)} == {""}


def test_an_address_is_braked_over_all_names(database: Database, settings: Settings) -> None:
    few = settings.model_copy(update={"security": SecuritySettings(login_failures_per_address=3)})
    brake = login.AttemptBrake()
    for number in range(3):
        with pytest.raises(NotAuthenticated):
            _log_in(database, few, "x", name=f"user{number}", brake=brake)
    with pytest.raises(TooManyAttempts):
        _log_in(database, few, "x", name="user9", brake=brake)
    with pytest.raises(NotAuthenticated):
        _log_in(database, few, "x", name="user9", brake=brake, address="10.0.0.2")


def test_a_new_password_ends_sessions(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    session = _log_in(database, settings)
    with database.begin() as connection:
        users.set_password(connection, settings, SYSTEM, doctor.name, "một câu khác hẳn")
    assert Authenticator(database).resolve("session", session.token) is None
    with pytest.raises(NotAuthenticated):
        _log_in(database, settings)
    _log_in(database, settings, "một câu khác hẳn")


def test_a_closed_account_cannot_log_in_nor_go_on(
    database: Database, settings: Settings, doctor: users.User
) -> None:
    session = _log_in(database, settings)
    with database.begin() as connection:
        assert users.set_disabled(connection, SYSTEM, doctor.name, True).disabled
    assert Authenticator(database).resolve("session", session.token) is None
    with pytest.raises(NotAuthenticated):
        _log_in(database, settings)
    with database.begin() as connection:
        users.set_disabled(connection, SYSTEM, doctor.name, False)
    _log_in(database, settings)


def test_the_last_administrator_stays(database: Database, settings: Settings) -> None:
    def add(name: str) -> None:
        with database.begin() as connection:
            users.add(
                connection,
                settings,
                SYSTEM,
                name=name,
                display_name="",
                roles=[Role.ADMIN],
                password=PASSWORD,
            )

    add("admin")
    with pytest.raises(Conflict), database.begin() as connection:
        users.set_disabled(connection, SYSTEM, "admin", True)
    add("admin2")
    with database.begin() as connection:
        assert users.set_disabled(connection, SYSTEM, "admin", True).disabled


def test_tokens_are_random_hashed_expiring_revocable(database: Database) -> None:
    now = dt.datetime.now(dt.UTC)
    with database.begin() as connection:
        secret = tokens.create(connection, SYSTEM, name="ct-1", roles=[Role.DEVICE])
        old = tokens.create(
            connection, SYSTEM, name="old", roles=[Role.ADMIN], expires_at=now - dt.timedelta(0, 1)
        )
    assert len(secret) >= 4 + 43  # 256 bits in base64
    principal = Authenticator(database).resolve("bearer", secret)
    assert principal is not None and principal.kind == "token"
    assert principal.roles == {Role.DEVICE}
    assert Authenticator(database).resolve("bearer", old) is None
    assert Authenticator(database).resolve("session", secret) is None
    with database.read() as connection:
        assert secret not in set(connection.execute(select(token_table.c.token_hash)).scalars())
        used = tokens.every(connection)[0]
    assert used.last_used_at is not None
    with database.begin() as connection:
        tokens.revoke(connection, SYSTEM, used.id)
    assert Authenticator(database).resolve("bearer", secret) is None
    with pytest.raises(NotFound), database.begin() as connection:
        tokens.revoke(connection, SYSTEM, used.id)


def test_an_answer_is_remembered_for_less_than_five_seconds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.begin() as connection:
        secret = tokens.create(connection, SYSTEM, name="t", roles=[Role.ADMIN])
    asked = Authenticator(database)
    assert asked.remembered("bearer", secret) == (False, None)
    principal = asked.resolve("bearer", secret)
    assert asked.remembered("bearer", secret) == (True, principal)
    clock = time.monotonic()
    monkeypatch.setattr(authenticator.time, "monotonic", lambda: clock + 5)
    assert asked.remembered("bearer", secret) == (False, None)


def test_a_token_that_is_about_to_end_is_not_remembered_longer(database: Database) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.4)
    with database.begin() as connection:
        secret = tokens.create(connection, SYSTEM, name="t", roles=[Role.ADMIN], expires_at=ends)
    asked = Authenticator(database)
    assert asked.resolve("bearer", secret) is not None
    time.sleep(0.5)
    assert asked.remembered("bearer", secret)[0] is False
    assert asked.resolve("bearer", secret) is None


def test_csrf_tokens_belong_to_one_session() -> None:
    one, two = sessions.csrf_token("a"), sessions.csrf_token("b")
    assert sessions.csrf_matches("a", one)
    assert not sessions.csrf_matches("a", two)
    assert not sessions.csrf_matches("a", "")
    assert not sessions.csrf_matches("a", "\ud800é")
