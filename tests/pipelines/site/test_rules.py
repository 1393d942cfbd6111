"""Conditions and actions: what they hold for, what is refused and how it is said."""

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ennead.errors import RuleInvalid
from ennead_pipelines.site.facts import SeriesFacts, StudyFacts, age_between, written_age
from ennead_pipelines.site.problems import parse_rules, problems_of
from ennead_pipelines.site.rules import Condition, Rule, schema
from ennead_pipelines.site.say import rule_text
from ennead_pipelines.site.words import says

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
AT = dt.datetime(2026, 11, 25, 9, 0, tzinfo=HANOI)  # a Wednesday
SERIES = SeriesFacts(
    series_uid="1.1",
    source="dimse:CT1@10.0.0.5",
    modality="CT",
    body_part="CHEST",
    station="CT01 PHONG 2",
    manufacturer="Siemens Healthineers",
    description="Phổi 1.0 B30f",
)
STUDY = StudyFacts("1", "CT NGỰC – CẤP CỨU", 41.0, {"1.1": SERIES})


def holds(
    series: list[SeriesFacts] | None = None,
    study: StudyFacts = STUDY,
    at: dt.datetime = AT,
    **condition: Any,
) -> bool:
    parsed = Condition.model_validate(condition)
    return parsed.holds("lung", study, [SERIES] if series is None else series, at, HANOI)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"package": ["lung"]}, True),
        ({"package": ["neuro"]}, False),
        ({"source": ["dimse"]}, True),
        ({"source": ["dimse:CT1"]}, True),
        ({"source": ["dimse:CT*"]}, True),
        ({"source": ["dimse:CT2", "dimse:CT1"]}, True),
        ({"source": ["dimse:ct1"]}, False),
        ({"source": ["dimse:CT"]}, False),
        ({"source": ["stow", "import"]}, False),
        ({"modality": ["ct", "MR"]}, True),
        ({"modality": ["MR"]}, False),
        ({"body_part": ["chest"]}, True),
        ({"body_part": ["ABDOMEN"]}, False),
        ({"station": ["ct01"]}, True),
        ({"station": ["ct0"]}, False),
        ({"station": ["ct0*"]}, True),
        ({"manufacturer": ["siemens"]}, True),
        ({"manufacturer": ["GE"]}, False),
        ({"series_description": ["phoi"]}, True),
        ({"series_description": ["phoi b30f"]}, False),
        ({"study_description": ["cap cuu"]}, True),
        ({"study_description": ["Cấp Cứu"]}, True),
        ({"study_description": ["cuu cap"]}, False),
        ({"age_years": {"min": 41}}, True),
        ({"age_years": {"min": 42}}, False),
        ({"age_years": {"max": 41}}, True),
        ({"age_years": {"min": 16, "max": 40}}, False),
        ({"weekdays": ["wed"]}, True),
        ({"weekdays": ["thu"]}, False),
        ({"hours": {"from": "08:00", "to": "10:00"}}, True),
        ({"hours": {"from": "22:00", "to": "06:00"}}, False),
        ({"modality": ["CT"], "source": ["stow"]}, False),
    ],
)
def test_conditions(condition: dict[str, Any], expected: bool) -> None:
    assert holds(**condition) is expected


def test_keys_about_series_must_hold_for_one_series() -> None:
    other = replace(SERIES, series_uid="1.2", modality="SR", source="stow:gateway")
    both = [SERIES, other]
    assert holds(both, modality=["CT"], source=["dimse"])
    assert holds(both, source=["stow:gateway"])
    assert not holds(both, modality=["CT"], source=["stow"])
    assert not holds([], modality=["CT"])
    assert holds([], study_description=["nguc"])


def test_a_night_of_friday_holds_on_saturday_before_dawn() -> None:
    night = {"weekdays": ["fri"], "hours": {"from": "22:00", "to": "06:00"}}
    saturday = dt.datetime(2026, 11, 28, 3, 0, tzinfo=HANOI)
    assert holds(at=saturday, **night)
    assert not holds(at=saturday - dt.timedelta(days=1), **night)
    # The same moment, told in UTC.
    assert holds(at=saturday.astimezone(dt.UTC), **night)


def test_an_unknown_age_matches_nothing() -> None:
    assert not holds(study=replace(STUDY, age_years=None), age_years={"max": 150})


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Đốt sống cổ", "dot song", True),
        ("CT_NGUC_TIEM", "tiem", True),
        ("angiography", "angio", False),
        ("angiography", "angio*", True),
        ("NGỰC", "ngực", True),
        ("CT ngực", "", False),
        ("CT 100%*", "100", True),
    ],
)
def test_words(text: str, phrase: str, found: bool) -> None:
    assert says(text, phrase) is found


def test_ages() -> None:
    assert age_between("20080229", "20260228") == 17.0
    assert age_between("20080229", "20260301") == 18.0
    assert age_between("", "20260301") is None
    assert age_between("20270101", "20260301") is None

    def header(value: str) -> dict[str, Any]:
        return {"00101010": {"vr": "AS", "Value": [value]}}

    assert written_age(header("045Y")) == 45.0
    assert written_age(header("018M")) == 1.5
    assert written_age(header("45")) is None
    assert written_age({}) is None


def problem(rules: Any) -> tuple[int, str, str, str]:
    with pytest.raises(RuleInvalid) as caught:
        parse_rules(rules)
    first = problems_of(caught.value)[0]
    assert first.text("vi") != first.text("en")
    return first.position, first.rule, first.where, first.text("en")


@pytest.mark.parametrize(
    ("rule", "where", "says_what"),
    [
        (
            {"condition": {"hours": {"from": "25:00", "to": "06:00"}}},
            "condition.hours.from",
            "25:00",
        ),
        ({"condition": {"hours": {"from": "06:00", "to": "06:00"}}}, "condition.hours", "same"),
        ({"condition": {"age_years": {}}}, "condition.age_years", "youngest"),
        ({"condition": {"age_years": {"min": 9, "max": 3}}}, "condition.age_years", "exceeds"),
        ({"condition": {"source": ["fax:1"]}}, "condition.source.0", "fax:1"),
        ({"condition": {"weekdays": ["monday"]}}, "condition.weekdays.0", "'mon'"),
        ({"condition": {"colour": ["red"]}}, "condition.colour", "no key “colour”"),
        ({"action": {"priority": "urgent"}}, "action.priority", "'stat'"),
        ({"action": {"priority": "off-peak"}}, "action", "needs a window"),
        ({"action": {"window": {"from": "20:00", "to": "06:00"}}}, "action", "off-peak only"),
        ({"action": {"run": False, "priority": "stat"}}, "action", "takes no priority"),
        ({"action": {"thresholds": {"x": 1}}}, "–", "say whose"),
        ({"action": {"thresholds": {"x": "much"}}}, "action.thresholds.x", "much"),
        ({"name": ""}, "name", "too short"),
        ({"name": "a\nb"}, "name", "form"),
    ],
)
def test_a_wrong_rule_says_where_what_and_what_to_do(
    rule: dict[str, Any], where: str, says_what: str
) -> None:
    position, name, at, text = problem([{"name": "good"}, {"name": "bad", **rule}])
    assert (position, at or "–") == (2, where)
    assert name == rule.get("name", "bad")
    assert text.startswith(f"Rule 2 “{name}”, {where}: ")
    assert says_what in text


def test_every_problem_is_named_at_once_and_names_are_unique() -> None:
    with pytest.raises(RuleInvalid) as caught:
        parse_rules([{"name": "a", "x": 1}, {"name": "b", "action": {"lane": "loud"}}])
    assert [p.position for p in problems_of(caught.value)] == [1, 2]
    position, _, where, text = problem([{"name": "a"}, {"name": "b"}, {"name": "a"}])
    assert (position, where) == (3, "name")
    assert "taken" in text
    assert problem("no list")[0] == 0


def test_the_schema_says_the_keys_of_the_json() -> None:
    definitions = schema()["$defs"]
    assert set(definitions["Hours"]["properties"]) == {"from", "to"}
    assert definitions["Condition"]["additionalProperties"] is False
    assert definitions["Action"]["properties"]["priority"]["description"]


def test_a_rule_in_words() -> None:
    rule = Rule.model_validate(
        {
            "name": "n",
            "condition": {
                "package": ["lung"],
                "age_years": {"min": 16},
                "weekdays": ["sat", "sun"],
                "hours": {"from": "17:00", "to": "07:00"},
            },
            "action": {"priority": "stat", "thresholds": {"t": 0.5}},
        }
    )
    assert rule_text(rule, "vi") == (
        "Gói lung; từ 16 tuổi trở lên; thứ Bảy; Chủ nhật; từ 17:00 đến 07:00 → "
        "chạy, ưu tiên khẩn; ngưỡng t = 0,5"
    )
    assert rule_text(Rule(name="n"), "en") == "Always → run, routine"
