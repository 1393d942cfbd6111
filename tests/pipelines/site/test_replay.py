"""Stored studies before proposed rules: what would run, why not, and what that changes."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import InputError, NotFound, RuleInvalid
from ennead.plugins import DiscoveredPackage
from ennead_pacs.index import studies
from ennead_pipelines.packages import introduce, states
from ennead_pipelines.site.cohort import Cohort, choose, cohort
from ennead_pipelines.site.problems import parse_rules
from ennead_pipelines.site.propose import propose
from ennead_pipelines.site.replay import Replay, replay
from ennead_pipelines.site.replay_json import replay_json
from ennead_pipelines.site.store import load_control
from ennead_pipelines.tables import jobs, settlements, timeline

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
Arrive = Callable[..., str]
SKIP_CT1 = {"name": "skip", "condition": {"source": ["dimse:CT1"]}, "action": {"run": False}}


@pytest.fixture
def tried(database: Database, archive: Archive, sample: DiscoveredPackage) -> Callable[..., Replay]:
    def run(
        *rules: dict[str, Any],
        wanted: Cohort | None = None,
        at: dt.datetime | None = None,
        **proposed: Any,
    ) -> Replay:
        with database.begin() as connection:
            introduce(connection, [sample])
            control = load_control(connection, HANOI)
            known = states(connection, [sample])
        given = parse_rules(list(rules)) if rules else None
        proposal = propose(known, control, given, **proposed)
        return replay(database, archive, proposal, wanted or cohort(HANOI), at)

    return run


def test_a_test_shows_what_would_change_and_writes_nothing(
    arrive: Arrive, settle: Callable[[], None], tried: Callable[..., Replay], database: Database
) -> None:
    first, second = arrive("dimse:CT1@a", "1"), arrive("dimse:CT2@a", "2")
    third = arrive("stow:gateway", "3", modality="MR")
    settle()
    with database.read() as connection:
        before = [connection.execute(select(t)).all() for t in (jobs, timeline, settlements)]
    rule = {"name": "soon", "condition": {"modality": ["CT"]}, "action": {"priority": "stat"}}
    answer = replay_json(tried(SKIP_CT1, rule), "vi")
    assert answer["summary"] == {
        "studies": 3, "run": 1, "refused": 1, "skipped": 1, "different": 2,
    }  # fmt: skip
    assert [r["decided"] for r in answer["rules"]] == [1, 1]
    found = {s["study_uid"]: s for s in answer["studies"]}
    assert [s["study_uid"] for s in answer["studies"]] == [third, second, first]
    (skipped,) = found[first]["packages"]
    assert (skipped["outcome"], skipped["rule"]) == ("skipped", {"position": 1, "name": "skip"})
    assert skipped["reason"] == "Quy tắc “skip” của bệnh viện: không chạy gói này."
    assert skipped["series"][0]["state"] == "chosen"
    assert [(c["what"], c["before"], c["after"]) for c in skipped["changes"]] == [
        ("outcome", "run", "skipped")
    ]
    (run,) = found[second]["packages"]
    assert (run["outcome"], run["priority"], run["lane"]) == ("run", "stat", "active")
    assert run["thresholds"] == {"bright_hu": 50.0}
    assert [c["text"] for c in run["changes"]] == ["Ưu tiên trước đây: thường quy; bây giờ: khẩn."]
    assert found[second]["sources"] == ["dimse:CT2@a"]
    (refused,) = found[third]["packages"]
    assert (refused["outcome"], refused["rule"], refused["changes"]) == ("refused", None, [])
    assert [r["code"] for r in refused["refusals"]] == ["MODALITY", "NO_SERIES"]
    assert refused["series"][0]["reasons"] == ["Gói này cần CT; loạt ảnh là MR."]
    with database.read() as connection:
        after = [connection.execute(select(t)).all() for t in (jobs, timeline, settlements)]
    assert before == after


def test_the_rules_in_force_change_nothing(
    arrive: Arrive, settle: Callable[[], None], tried: Callable[..., Replay], put_rules: Any
) -> None:
    put_rules(SKIP_CT1)
    arrive("dimse:CT1@a", "1")
    arrive("dimse:CT2@a", "2")
    settle()
    answer = replay_json(tried(), "en")
    assert (answer["revision"], answer["summary"]["different"]) == (1, 0)
    outcomes = [p["happened"]["outcome"] for s in answer["studies"] for p in s["packages"]]
    assert outcomes == ["run", "skipped"]


def test_settled_studies_are_judged_by_the_index_alone_with_the_same_answer(
    arrive: Arrive,
    settle: Callable[[], None],
    tried: Callable[..., Replay],
    put_rules: Any,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_rules(SKIP_CT1)
    arrive("dimse:CT1@a", "1", KVP=80)
    arrive("dimse:CT2@a", "2", KVP=80, StudyInstanceUID="1.2.3")
    arrive("dimse:CT2@a", "3", StudyInstanceUID="1.2.3", SeriesNumber=2)
    derived = ["DERIVED", "SECONDARY", "MPR"]
    arrive("dimse:CT2@a", "4", StudyInstanceUID="1.2.3", SeriesNumber=3, ImageType=derived)
    arrive("stow:gateway", "5", BodyPartExamined="HEAD")
    settle()

    def answer(*rules: dict[str, Any]) -> list[Any]:
        found: list[Any] = replay_json(tried(*rules), "vi")["studies"]
        for package in (package for study in found for package in study["packages"]):
            package["series"].sort(key=lambda series: series["series_uid"])
            del package["not_before"]
        return found

    def unreadable(_: Any) -> Any:
        raise AssertionError("headers were read")

    with monkeypatch.context() as patched:
        patched.setattr(archive, "metadata", unreadable)
        quick = [answer(), answer({"name": "all"})]
        with pytest.raises(AssertionError, match="headers were read"):
            answer({"name": "by maker", "condition": {"manufacturer": ["x"]}})
    monkeypatch.setattr("ennead_pipelines.site.replay.plan_remembered", lambda *_, **__: None)
    assert quick == [answer(), answer({"name": "all"})]
    outcomes = [package["outcome"] for study in quick[0] for package in study["packages"]]
    assert outcomes == ["refused", "run", "skipped"]
    refused = [r["subject"] for study in quick[1] for r in study["packages"][0]["refusals"]]
    assert refused == ["", "", "mean_hu"]


def test_thresholds_versions_and_what_never_happened(
    arrive: Arrive, settle: Callable[[], None], tried: Callable[..., Replay], database: Database
) -> None:
    arrive("dimse:CT1@a", "1")
    settle()
    made = tried(thresholds={"sample": {"bright_hu": 60.5}})
    (change,) = replay_json(made, "vi")["studies"][0]["packages"][0]["changes"]
    assert change["text"] == "Ngưỡng trước đây: bright_hu = 50; bây giờ: bright_hu = 60,5."
    with database.begin() as connection:
        connection.execute(update(jobs).values(version="0.9.0", manifest_digest="sha256:x"))
    (change,) = replay_json(tried(), "en")["studies"][0]["packages"][0]["changes"]
    assert (change["what"], change["before"], change["after"]) == ("version", "0.9.0", "1.0.0")
    arrive("dimse:CT1@a", "2")
    package = replay_json(tried(), "en")["studies"][0]["packages"][0]
    assert package["happened"] is None
    assert package["changes"][0]["text"] == "Before: Never looked at; now: Would run."
    assert replay_json(tried(packages=[]), "en")["studies"][0]["packages"] == []


def test_hours_are_those_at_which_the_study_was_complete_or_those_asked_for(
    arrive: Arrive, settle: Callable[[], None], tried: Callable[..., Replay], database: Database
) -> None:
    arrive("dimse:CT1@a", "1")
    settle()
    night = dt.datetime(2026, 11, 25, 23, 30, tzinfo=HANOI)
    with database.begin() as connection:
        connection.execute(update(settlements).values(settled_at=night))
    window = {"from": "22:00", "to": "06:00"}
    rule = {"name": "night", "condition": {"hours": window}, "action": {"run": False}}
    outcomes = {}
    for at in (None, night.replace(hour=12)):
        package = replay_json(tried(rule, at=at), "en")["studies"][0]["packages"][0]
        outcomes[at] = package["outcome"]
    assert list(outcomes.values()) == ["skipped", "run"]
    later = {"name": "later", "action": {"priority": "off-peak", "window": window}}
    noon = replay_json(tried(later, at=night.replace(hour=12)), "en")["studies"][0]["packages"][0]
    assert (noon["priority"], noon["not_before"]) == ("off-peak", "2026-11-25T15:00:00Z")


def test_a_proposal_is_checked_like_the_real_thing(tried: Callable[..., Replay]) -> None:
    with pytest.raises(RuleInvalid, match="no package “x”"):
        tried({"name": "a", "condition": {"package": ["x"]}})
    with pytest.raises(InputError, match="between 0 and 200"):
        tried(thresholds={"sample": {"bright_hu": 201.0}})
    with pytest.raises(NotFound, match="installed are: sample"):
        tried(packages=["lungs"])
    with pytest.raises(NotFound, match="installed are: sample"):
        tried(thresholds={"lungs": {}})


def test_cohorts(arrive: Arrive, database: Database) -> None:
    today = dt.date(2026, 11, 25)
    uids = [arrive("dimse:CT1@a", str(n)) for n in range(3)]
    # Midnight in Hanoi is 17:00 UTC of the day before.
    moments = ("2026-11-23T17:00:00", "2026-11-24T16:59:59", "2026-11-24T17:00:00")
    with database.begin() as connection:
        for uid, moment in zip(uids, moments, strict=True):
            at = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
            connection.execute(
                update(studies).where(studies.c.study_uid == uid).values(received_at=at)
            )

    def found(**wanted: Any) -> list[str]:
        with database.read() as connection:
            rows = choose(connection, cohort(HANOI, today=today, **wanted))
        return [row.study_uid for row in rows]

    assert found(yesterday=True) == [uids[1], uids[0]]
    assert found(date_from=today) == [uids[2]]
    assert found(date_to=today - dt.timedelta(days=1), limit=1) == [uids[1]]
    assert found(last=2) == [uids[2], uids[1]]
    assert found(studies=[uids[0], "1.2.3"]) == [uids[0]]
    for wrong, said in (
        ({"last": 5, "yesterday": True}, "one way"),
        ({"last": 501}, "1 to 500"),
        ({"date_from": today, "date_to": dt.date(2026, 1, 1)}, "lies after"),
    ):
        with pytest.raises(InputError, match=said):
            cohort(HANOI, **wrong)  # type: ignore[arg-type]
