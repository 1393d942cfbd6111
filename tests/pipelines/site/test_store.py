"""Revisions of rules: locking, history, undo, audit; TOML that comes back the same."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from ennead.database import Database
from ennead.errors import Conflict, InputError, NotFound, RuleInvalid
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM, audit
from ennead_pipelines.site.problems import parse_rules
from ennead_pipelines.site.store import current_rules, history, read_revision, replace_rules, undo
from ennead_pipelines.site.thresholds import set_thresholds, site_thresholds_of
from ennead_pipelines.site.toml import read_toml, write_toml
from ennead_pipelines.site.validate import check_rules
from ennead_pipelines.tables import site_revisions

Put = Callable[..., int]
A, B = {"name": "a"}, {"name": "b", "condition": {"modality": ["CT"]}}
B2 = {"name": "b", "condition": {"modality": ["MR"]}}


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [rule.name for rule in current_rules(connection).rules]


def events(database: Database, action: str) -> list[Any]:
    with database.read() as connection:
        return [json.loads(e.detail) for e in audit.page(connection, action=action)]


def test_the_empty_list_of_the_beginning(database: Database) -> None:
    with database.read() as connection:
        first = current_rules(connection)
        assert (first.number, first.rules) == (0, ())
        assert history(connection) == []
        with pytest.raises(NotFound, match="no revision 7"):
            read_revision(connection, 7)


def test_another_persons_change_is_not_overwritten(put_rules: Put, database: Database) -> None:
    assert put_rules(A) == 1
    with database.begin() as connection, pytest.raises(Conflict, match="revision 1, not 0"):
        replace_rules(connection, parse_rules([B]), 0, SYSTEM)
    assert names(database) == ["a"]
    with database.read() as connection:
        assert len(connection.execute(select(site_revisions)).all()) == 1


def test_history_and_audit_hold_old_and_new_values(put_rules: Put, database: Database) -> None:
    put_rules(A, B)
    put_rules(B2, A)
    with database.read() as connection:
        (newest, changed), (_, first) = history(connection)
    assert (newest.number, newest.by, changed.reordered) == (2, "ennead", True)
    assert [rule.name for rule in first.added] == ["a", "b"]
    ((old, new),) = changed.changed
    assert (old.condition.modality, new.condition.modality) == (("CT",), ("MR",))
    latest = events(database, "rules.changed")[0]
    assert latest["changed"][0]["old"]["condition"]["modality"] == ["CT"]
    assert latest["changed"][0]["new"]["condition"]["modality"] == ["MR"]
    assert (latest["revision"], latest["added"], latest["removed"]) == (2, [], [])


def test_undo_goes_back_step_by_step_and_is_itself_a_revision(
    put_rules: Put, database: Database
) -> None:
    put_rules(A)
    put_rules(A, B)
    put_rules(B2)
    with database.begin() as connection:
        assert (undo(connection, 3, SYSTEM).number, names_of(connection)) == (4, ["a", "b"])
        assert (undo(connection, 4, SYSTEM).restored, names_of(connection)) == (1, ["a"])
        assert (undo(connection, 5, SYSTEM).restored, names_of(connection)) == (0, [])
        with pytest.raises(Conflict, match="nothing was undone"):
            undo(connection, 6, SYSTEM)
        assert undo(connection, 6, SYSTEM, to=3).rules == read_revision(connection, 3).rules
        with pytest.raises(Conflict, match="revision 7, not 6"):
            undo(connection, 6, SYSTEM, to=1)
        with pytest.raises(NotFound):
            undo(connection, 7, SYSTEM, to=99)
    assert [e["restored"] for e in events(database, "rules.undone")] == [3, 0, 1, 2]


def names_of(connection: Any) -> list[str]:
    return [rule.name for rule in current_rules(connection).rules]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"condition": {"package": ["lungs"]}}, "no package “lungs” is here; there are: sample"),
        (
            {"condition": {"package": ["sample"]}, "action": {"thresholds": {"hu": 1}}},
            "package sample has no threshold “hu”; it has: bright_hu",
        ),
        (
            {"condition": {"package": ["sample"]}, "action": {"thresholds": {"bright_hu": 201}}},
            "201 is outside 0–200, which package sample allows",
        ),
    ],
)
def test_rules_name_what_is_here(
    sample: DiscoveredPackage, rule: dict[str, Any], said: str
) -> None:
    parsed = parse_rules([{"name": "r", **rule}])
    with pytest.raises(RuleInvalid, match=said):
        check_rules(parsed, [sample])
    check_rules(parse_rules([{"name": "r", "enabled": False, **rule}]), [sample])


def test_thresholds_are_bounded_audited_and_reset(
    database: Database, sample: DiscoveredPackage
) -> None:
    manifest = sample.manifest
    assert manifest is not None
    with database.begin() as connection:
        for value in (-0.001, 200.001, float("nan")):
            with pytest.raises(InputError, match="between 0 and 200"):
                set_thresholds(connection, manifest, {"bright_hu": value}, SYSTEM)
        with pytest.raises(NotFound, match="it has bright_hu"):
            set_thresholds(connection, manifest, {"hu": 1.0}, SYSTEM)
        assert set_thresholds(connection, manifest, {"bright_hu": 200}, SYSTEM)
        assert not set_thresholds(connection, manifest, {"bright_hu": 200.0}, SYSTEM)
        assert site_thresholds_of(connection) == {"sample": {"bright_hu": 200.0}}
        assert set_thresholds(connection, manifest, {"bright_hu": None}, SYSTEM)
        assert site_thresholds_of(connection) == {}
    newest, first = events(database, "thresholds.changed")
    assert (first["old"], first["new"]) == ({"bright_hu": None}, {"bright_hu": 200.0})
    assert (newest["old"], newest["new"]) == ({"bright_hu": 200.0}, {"bright_hu": None})


FULL = {
    "name": 'Đêm "A" \\ b',
    "enabled": False,
    "note": "vì sao",
    "condition": {
        "package": ["sample"],
        "source": ["dimse:CT*", "stow"],
        "modality": ["CT"],
        "body_part": ["CHEST"],
        "station": ["ct01"],
        "manufacturer": ["siemens"],
        "series_description": ["phổi"],
        "study_description": ["cấp cứu"],
        "age_years": {"min": 0.0, "max": None},
        "weekdays": ["sat", "sun"],
        "hours": {"from": "22:00", "to": "06:00"},
    },
    "action": {
        "priority": "off-peak",
        "window": {"from": "22:00", "to": "06:00"},
        "lane": "shadow",
        "thresholds": {"bright_hu": 60.5},
    },
}


def test_toml_and_the_table_give_back_what_they_were_given(
    put_rules: Put, database: Database
) -> None:
    rules = parse_rules([FULL, A])
    text = write_toml(rules, {"sample": {"bright_hu": 0.1}, "other.one": {}})
    document = read_toml(text)
    assert (document.rules, document.thresholds) == (rules, {"sample": {"bright_hu": 0.1}})
    assert 'hours = { from = "22:00", to = "06:00" }' in text
    put_rules(FULL, A)
    with database.read() as connection:
        assert current_rules(connection).rules == rules


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2", "schema 2"),
        ("schema = 1\nrules = []", "unknown keys rules"),
        ("schema = ", "TOML"),
        ('schema = 1\n[[rule]]\nname = "x"\nwhen = 1', "Rule 1 “x”, when: there is no key “when”"),
        ("schema = 1\nthresholds = 3", "takes numbers"),
        ('schema = 1\n[thresholds.lung]\nx = "0.4"', r"\[thresholds.lung\] takes numbers"),
        (
            'schema = 1\n[[rule]]\nname = "x"\ncondition.hours = { from = 22:00:00, to = "06:00" }',
            "condition.hours.from",
        ),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(RuleInvalid, match=said):
        read_toml(text)
