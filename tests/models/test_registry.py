"""The life of a model: which moves are allowed, who hears of them, and going back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ennead import events
from ennead.database import Database
from ennead.errors import Conflict, NotFound, TransitionRefused
from ennead.security import Principal, Role
from ennead.security.audit import page, verify
from ennead.testing.models import model_data
from ennead_models.lifecycle import TRANSITIONS, ModelState
from ennead_models.manifest import parse_model
from ennead_models.records import (
    InstalledModel,
    Pilot,
    active_version,
    events_of,
    installed,
    installed_version,
    running,
)
from ennead_models.registry import add_report, move, note_measured, register, rollback

LAN = Principal("lan", "Trần Lan", frozenset({Role.DATA_SCIENTIST}))
WHY = "agreed by the imaging board"


@pytest.fixture
def enter(database: Database) -> Callable[..., InstalledModel]:
    def add(version: str = "1.0.0", digest: str = "", **changes: Any) -> InstalledModel:
        manifest = parse_model(model_data(version=version, **changes), "test")
        with database.begin() as connection:
            return register(
                connection,
                manifest,
                digest or f"sha256:{version}",
                Path("/models/bright"),
                LAN,
                code_accepted=False,
                reference={"dice": {"bright": 1.0}},
            )

    return add


@pytest.fixture
def go(database: Database) -> Callable[..., InstalledModel]:
    def to(*states: str, version: str = "1.0.0", **more: Any) -> InstalledModel:
        for state in states:
            with database.begin() as connection:
                pilot = Pilot(readers=("bs.an",)) if state == "pilot" else None
                given = {"reason": WHY, "pilot": pilot} | more
                moved = move(connection, "bright", version, ModelState(state), LAN, **given)
        return moved

    return to


def test_a_registered_model_keeps_its_manifest_and_who_agreed(
    enter: Callable[..., InstalledModel], database: Database
) -> None:
    entered = enter()
    with database.read() as connection:
        (found,) = installed(connection)
    assert found == entered
    assert found.state is ModelState.REGISTERED
    assert found.manifest.label[0].id == "bright"
    assert found.licence_accepted_by == "lan"
    assert found.reference == {"dice": {"bright": 1.0}}


def test_a_version_never_changes_its_content(enter: Callable[..., InstalledModel]) -> None:
    enter()
    enter()
    with pytest.raises(Conflict, match="needs a new version"):
        enter(digest="sha256:other")


def test_the_whole_way_is_written_down(
    enter: Callable[..., InstalledModel], go: Callable[..., InstalledModel], database: Database
) -> None:
    enter()
    go("validated", "shadow", "pilot", "active")
    with database.read() as connection:
        history = [
            (e.action, e.from_state, e.to_state, e.by) for e in events_of(connection, "bright")
        ]
        audited = [e.action for e in page(connection, action="model")]
        told = connection.execute(
            select(events.outbox.c.payload).where(events.outbox.c.kind == events.MODEL_CHANGED)
        ).scalars()
        states = [payload["state"] for payload in told]
        assert verify(connection).intact
    assert history == [
        ("moved", "pilot", "active", "lan"),
        ("moved", "shadow", "pilot", "lan"),
        ("moved", "validated", "shadow", "lan"),
        ("moved", "registered", "validated", "lan"),
        ("installed", "", "registered", "lan"),
    ]
    assert audited == ["model.moved"] * 4 + ["model.installed"]
    assert states == ["registered", "validated", "shadow", "pilot", "active"]


def test_only_listed_transitions_are_possible(
    enter: Callable[..., InstalledModel], go: Callable[..., InstalledModel], database: Database
) -> None:
    enter()
    with pytest.raises(TransitionRefused, match="is registered; from there it can go to"):
        go("active")
    go("shadow", "retired")
    with pytest.raises(TransitionRefused, match="is retired"):
        go("active")
    assert {s for s, after in TRANSITIONS.items() if ModelState.ACTIVE in after} == {
        ModelState.SHADOW,
        ModelState.PILOT,
    }
    with database.read() as connection:
        assert installed_version(connection, "bright", "1.0.0").state is ModelState.RETIRED


@pytest.mark.parametrize("reason", ["", "why not", "         "])
def test_promotion_needs_a_report_or_a_reason(
    enter: Callable[..., InstalledModel],
    go: Callable[..., InstalledModel],
    database: Database,
    reason: str,
) -> None:
    enter()
    go("shadow", reason="")
    with pytest.raises(TransitionRefused, match="validation report on local data, or"):
        go("active", reason=reason)
    with database.begin() as connection:
        add_report(connection, "bright", "1.0.0", LAN, "report-7", {"n": 20})
    assert go("active", reason=reason).state is ModelState.ACTIVE


def test_a_pilot_names_its_readers(
    enter: Callable[..., InstalledModel], go: Callable[..., InstalledModel]
) -> None:
    enter()
    go("shadow")
    with pytest.raises(TransitionRefused, match="needs the readers"):
        go("pilot", pilot=Pilot(sources=("CT1",)))
    found = go("pilot", pilot=Pilot(readers=("bs.an",), sources=("CT1",)))
    assert found.pilot == Pilot(("bs.an",), ("CT1",))
    assert go("shadow").pilot == Pilot()


def test_one_version_is_active_and_rollback_is_one_call(
    enter: Callable[..., InstalledModel], go: Callable[..., InstalledModel], database: Database
) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        enter(version)
        go("shadow", version=version)
    assert go("active", version="1.0.0").previous == ""
    assert go("active", version="1.1.0").previous == "1.0.0"
    with database.read() as connection:
        assert [(m.version, str(m.state)) for m in running(connection)] == [
            ("1.1.0", "active"),
            ("2.0.0", "shadow"),
        ]
    assert go("active", version="2.0.0").previous == "1.1.0"
    for expected in ("1.1.0", "1.0.0"):
        with database.begin() as connection:
            back = rollback(connection, "bright", LAN, reason="false positives since Monday")
        assert (back.version, back.state) == (expected, ModelState.ACTIVE)
    with database.read() as connection:
        states = {m.version: str(m.state) for m in installed(connection)}
        assert (active := active_version(connection, "bright")) is not None
        last = events_of(connection, "bright", limit=2)
    assert states == {"1.0.0": "active", "1.1.0": "retired", "2.0.0": "retired"}
    assert active.version == "1.0.0"
    assert {(e.action, e.version, e.to_state) for e in last} == {
        ("rolled-back", "1.1.0", "retired"),
        ("rolled-back", "1.0.0", "active"),
    }
    with database.begin() as connection, pytest.raises(TransitionRefused, match="replaced no"):
        rollback(connection, "bright", LAN)


def test_nothing_to_roll_back_to(enter: Callable[..., InstalledModel], database: Database) -> None:
    enter()
    with database.begin() as connection, pytest.raises(TransitionRefused, match="not active"):
        rollback(connection, "bright", LAN)


def test_what_is_not_installed_is_not_found(database: Database) -> None:
    with database.begin() as connection, pytest.raises(NotFound, match="installed are: none"):
        move(connection, "bright", "9.9.9", ModelState.SHADOW, LAN)


def test_measured_values_add_up(enter: Callable[..., InstalledModel], database: Database) -> None:
    enter()
    with database.begin() as connection:
        note_measured(connection, "bright", "1.0.0", {"vram_mib": 700})
        note_measured(connection, "bright", "1.0.0", {"seconds": 1.5})
        found = installed_version(connection, "bright", "1.0.0")
    assert found.measured == {"vram_mib": 700, "seconds": 1.5}
