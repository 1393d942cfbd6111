"""Hours of the day and days of the week in the site's own time zone."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ennead_pipelines.site.part import SitePart

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class Hours(SitePart):
    """From a time of day until another, which may lie after midnight."""

    start: str = Field(alias="from", pattern=_CLOCK)
    """``HH:MM``, inside."""
    end: str = Field(alias="to", pattern=_CLOCK)
    """``HH:MM``, outside; smaller than ``from`` means: on the next day."""

    @model_validator(mode="after")
    def _not_empty(self) -> Hours:
        if self.start == self.end:
            raise PydanticCustomError("same_hours", "from and to must differ; leave hours out")
        return self

    @property
    def wraps(self) -> bool:
        """Whether midnight lies inside."""
        return self.end < self.start

    def holds(self, local: dt.datetime) -> bool:
        """Whether a local time lies inside."""
        clock = f"{local:%H:%M}"
        if self.wraps:
            return clock >= self.start or clock < self.end
        return self.start <= clock < self.end

    def day_of(self, local: dt.datetime) -> dt.date:
        """The day on which the window that holds ``local`` began."""
        return local.date() - dt.timedelta(days=self.wraps and f"{local:%H:%M}" < self.end)

    def next_start(self, at: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """``at`` when it lies inside, else the next beginning; aware, UTC."""
        local = at.astimezone(zone)
        if self.holds(local):
            return at.astimezone(dt.UTC)
        hour, minute = map(int, self.start.split(":"))
        day = local.date() + dt.timedelta(days=f"{local:%H:%M}" >= self.start)
        begins = dt.datetime.combine(day, dt.time(hour, minute), tzinfo=zone)
        return begins.astimezone(dt.UTC)


def weekday(day: dt.date) -> Weekday:
    """``mon`` … ``sun``."""
    return WEEKDAYS[day.weekday()]
