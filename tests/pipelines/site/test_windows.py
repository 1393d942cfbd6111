"""Hours over midnight, days on which they begin, time zones with and without summer time."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from ennead_pipelines.site.windows import Hours, weekday

HANOI, PARIS = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Paris")
NIGHT, DAY = Hours(start="22:00", end="06:00"), Hours(start="07:30", end="17:00")


def local(text: str, zone: ZoneInfo = HANOI) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("hours", "clock", "inside"),
    [
        (DAY, "07:29", False),
        (DAY, "07:30", True),
        (DAY, "16:59", True),
        (DAY, "17:00", False),
        (NIGHT, "21:59", False),
        (NIGHT, "22:00", True),
        (NIGHT, "23:59", True),
        (NIGHT, "00:00", True),
        (NIGHT, "05:59", True),
        (NIGHT, "06:00", False),
    ],
)
def test_the_beginning_is_inside_and_the_end_is_not(hours: Hours, clock: str, inside: bool) -> None:
    assert hours.holds(local(f"2026-11-25T{clock}")) is inside


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-11-27T23:00", "fri"), ("2026-11-28T03:00", "fri"), ("2026-11-28T22:30", "sat")],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(text: str, day: str) -> None:
    assert weekday(NIGHT.day_of(local(text))) == day


@pytest.mark.parametrize(
    ("hours", "at", "begins"),
    [
        (NIGHT, "2026-11-25T09:00", "2026-11-25T22:00"),
        (NIGHT, "2026-11-25T06:00", "2026-11-25T22:00"),
        (NIGHT, "2026-11-25T23:10", "2026-11-25T23:10"),
        (NIGHT, "2026-11-26T05:59", "2026-11-26T05:59"),
        (DAY, "2026-11-25T03:00", "2026-11-25T07:30"),
        (DAY, "2026-12-31T17:00", "2027-01-01T07:30"),
    ],
)
def test_the_next_beginning(hours: Hours, at: str, begins: str) -> None:
    found = hours.next_start(local(at), HANOI)
    assert found == local(begins)
    assert found.utcoffset() == dt.timedelta(0)


def test_a_moment_in_utc_is_judged_by_the_clock_on_the_wall() -> None:
    # 16:00 UTC is 23:00 in Hanoi and 17:00 in Paris in winter.
    at = dt.datetime(2026, 11, 25, 16, 0, tzinfo=dt.UTC)
    assert NIGHT.holds(at.astimezone(HANOI))
    assert not NIGHT.holds(at.astimezone(PARIS))
    assert NIGHT.next_start(at, HANOI) == at
    assert NIGHT.next_start(at, PARIS) == dt.datetime(2026, 11, 25, 21, 0, tzinfo=dt.UTC)


def test_hanoi_has_no_summer_time_and_paris_has() -> None:
    for month in (1, 7):
        at = dt.datetime(2026, month, 15, 3, 0, tzinfo=dt.UTC)
        assert NIGHT.next_start(at, HANOI) == at.replace(hour=15)
    assert NIGHT.next_start(dt.datetime(2026, 1, 15, 3, tzinfo=dt.UTC), PARIS).hour == 3
    # 06:00 in summer is 04:00 UTC: the window of the night is over.
    summer = dt.datetime(2026, 7, 15, 4, 0, tzinfo=dt.UTC)
    assert NIGHT.next_start(summer, PARIS) == summer.replace(hour=20)
    # 02:30 does not exist on the night the clocks go forward; the job begins all the same.
    gap = Hours(start="02:30", end="05:00")
    begins = gap.next_start(dt.datetime(2026, 3, 28, 23, 0, tzinfo=dt.UTC), PARIS)
    assert begins == dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)
