"""Lanes, bounds and urgency in a decision; the setting of the time zone."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ennead.errors import ConfigurationError
from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings
from ennead_pipelines.lanes import Lane
from ennead_pipelines.select import Selection
from ennead_pipelines.site.decide import Decision, SiteControl
from ennead_pipelines.site.facts import StudyFacts
from ennead_pipelines.site.problems import parse_rules

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = dt.datetime(2026, 11, 25, 12, 0, tzinfo=HANOI)
STUDY = StudyFacts("1", "", None, {})


def decide(
    sample: DiscoveredPackage,
    action: dict[str, object],
    lane: Lane = Lane.ACTIVE,
    urgent: bool = False,
) -> Decision:
    assert sample.manifest is not None
    rules = parse_rules([{"name": "r", "action": action}])
    control = SiteControl(HANOI, rules)
    return control.decide(sample.manifest, Selection(()), STUDY, NOON, lane=lane, urgent=urgent)


@pytest.mark.parametrize(
    ("released", "wanted", "found"),
    [
        (Lane.ACTIVE, None, Lane.ACTIVE),
        (Lane.ACTIVE, "pilot", Lane.PILOT),
        (Lane.ACTIVE, "shadow", Lane.SHADOW),
        (Lane.PILOT, "active", Lane.PILOT),
        (Lane.SHADOW, "active", Lane.SHADOW),
        (Lane.SHADOW, "pilot", Lane.SHADOW),
        (Lane.SHADOW, None, Lane.SHADOW),
    ],
)
def test_a_rule_holds_a_model_back_and_never_releases_it(
    sample: DiscoveredPackage, released: Lane, wanted: str | None, found: Lane
) -> None:
    assert decide(sample, {"lane": wanted}, released).lane is found


def test_an_urgent_request_ends_the_waiting_for_a_window(sample: DiscoveredPackage) -> None:
    night = {"priority": "off-peak", "window": {"from": "22:00", "to": "06:00"}}
    calm, urgent = decide(sample, night), decide(sample, night, urgent=True)
    assert (calm.priority, calm.delayed) == (90, True)
    assert calm.not_before == NOON.replace(hour=22)
    assert (urgent.priority, urgent.delayed, urgent.not_before) == (10, False, NOON)


def test_an_urgent_request_does_not_overrule_a_rule_that_forbids(
    sample: DiscoveredPackage,
) -> None:
    assert decide(sample, {"run": False}, urgent=True).refusal is not None


def test_the_time_zone_must_be_known(tmp_path: Path) -> None:
    assert Settings.load(tmp_path).portal.zone == HANOI
    assert Settings.load(tmp_path, portal={"time_zone": "Europe/Paris"}).portal.zone.key == (
        "Europe/Paris"
    )
    for wrong in ("Hanoi", "../etc/passwd", ""):
        with pytest.raises(ConfigurationError, match="time_zone"):
            Settings.load(tmp_path, portal={"time_zone": wrong})
