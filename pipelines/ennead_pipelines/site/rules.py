"""Rules of a site: which package runs on which study, when, how urgently, with which thresholds.

Rules stand in an order; for each package the first enabled rule whose condition holds decides.
Without one, the package runs as routine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from ennead_pipelines.site.facts import SeriesFacts, StudyFacts
from ennead_pipelines.site.part import SitePart
from ennead_pipelines.site.windows import Hours, Weekday, weekday
from ennead_pipelines.site.words import says_any

#: Most rules of a site, and most entries of one list in a rule.
LIMIT: Final = 200

Text = Annotated[str, Field(min_length=1, max_length=120)]
Texts = Annotated[tuple[Text, ...], Field(max_length=LIMIT)]
Source = Annotated[str, Field(pattern=r"^(dimse|stow|import)(:.{1,80})?$")]
PackageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]

PriorityName = Literal["stat", "routine", "off-peak"]
PRIORITIES: Final[dict[str, int]] = {"stat": 10, "routine": 50, "off-peak": 90}
"""``jobs.priority``: smaller runs first."""

Lane = Literal["active", "pilot", "shadow"]
LANES: Final[tuple[Lane, ...]] = ("active", "pilot", "shadow")
"""From seen by everyone to seen by nobody but who manages models."""


class AgeRange(SitePart):
    """Completed years, both ends inside; an absent end is open."""

    min: float | None = Field(None, ge=0, le=150)
    """Youngest."""
    max: float | None = Field(None, ge=0, le=150)
    """Oldest."""

    @model_validator(mode="after")
    def _ordered(self) -> AgeRange:
        if self.min is None and self.max is None:
            raise PydanticCustomError("range_empty", "give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("range_order", "min must not exceed max")
        return self

    def holds(self, years: float | None) -> bool:
        """Whether an age lies inside; an unknown age does not."""
        if years is None:
            return False
        whole = int(years)
        return (self.min is None or whole >= self.min) and (self.max is None or whole <= self.max)


class Condition(SitePart):
    """What a rule is about. Every key given must hold; in a list, one entry is enough.

    Keys about series (``source`` to ``series_description``) must hold for one and the same series:
    one of those chosen for the package, or any of the study where it chose none.
    """

    package: Annotated[tuple[PackageName, ...], Field(max_length=LIMIT)] = ()
    """Package or model ids; empty means every one."""
    source: Annotated[tuple[Source, ...], Field(max_length=LIMIT)] = ()
    """Where the series came from: ``dimse``, ``dimse:AE_TITLE``, ``stow``, ``stow:user``,
    ``import``, ``import:user``; ``*`` is wild."""
    modality: Texts = ()
    """``CT``, ``MR`` …"""
    body_part: Texts = ()
    """Body Part Examined (0018,0015), whole value."""
    station: Texts = ()
    """Words of Station Name (0008,1010)."""
    manufacturer: Texts = ()
    """Words of Manufacturer (0008,0070)."""
    series_description: Texts = ()
    """Words of Series Description, without accents or case."""
    study_description: Texts = ()
    """Words of Study Description, without accents or case."""
    age_years: AgeRange | None = None
    """Age at the study; an unknown age does not match."""
    weekdays: tuple[Weekday, ...] = ()
    """Days in the site's time zone. With ``hours`` over midnight: the day on which they begin."""
    hours: Hours | None = None
    """Time of day in the site's time zone at which the study is complete."""

    def holds(
        self,
        package: str,
        study: StudyFacts,
        series: Iterable[SeriesFacts],
        at: dt.datetime,
        zone: ZoneInfo,
    ) -> bool:
        """Whether the condition holds.

        Parameters
        ----------
        at : datetime
            Aware: when the decision is taken.
        """
        return (
            (not self.package or package in self.package)
            and self._holds_at(at.astimezone(zone))
            and (not self.study_description or says_any(study.description, self.study_description))
            and (self.age_years is None or self.age_years.holds(study.age_years))
            and (not self._about_series or any(self._holds_for(each) for each in series))
        )

    @property
    def _about_series(self) -> bool:
        return any(
            (
                self.source,
                self.modality,
                self.body_part,
                self.station,
                self.manufacturer,
                self.series_description,
            )
        )

    def _holds_at(self, local: dt.datetime) -> bool:
        if self.hours is not None and not self.hours.holds(local):
            return False
        day = self.hours.day_of(local) if self.hours else local.date()
        return not self.weekdays or weekday(day) in self.weekdays

    def _holds_for(self, series: SeriesFacts) -> bool:
        return (
            (not self.source or any(_from(series.source, each) for each in self.source))
            and (not self.modality or _among(series.modality, self.modality))
            and (not self.body_part or _among(series.body_part, self.body_part))
            and (not self.station or says_any(series.station, self.station))
            and (not self.manufacturer or says_any(series.manufacturer, self.manufacturer))
            and (
                not self.series_description or says_any(series.description, self.series_description)
            )
        )


class Action(SitePart):
    """What happens where the condition holds."""

    run: bool = True
    """False: the package does not run, and says by which rule."""
    priority: PriorityName = "routine"
    """``stat`` first, ``off-peak`` last and not before its window opens."""
    window: Hours | None = None
    """When off-peak jobs may begin; needed for ``off-peak`` and for nothing else."""
    lane: Lane | None = None
    """For models: no further than this lane; never further than the model has been released."""
    thresholds: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field({})
    """Threshold id → value inside the manifest's ``site_bounds``; ``package`` names whose."""

    @model_validator(mode="after")
    def _fits(self) -> Action:
        if not self.run and (self.priority != "routine" or self.lane or self.thresholds):
            raise PydanticCustomError(
                "skip_with_more", "run = false takes no priority, lane or thresholds"
            )
        if (self.priority == "off-peak") != (self.window is not None):
            key = "window_needed" if self.window is None else "window_unused"
            raise PydanticCustomError(key, "window belongs to priority off-peak, and only there")
        return self


class Rule(SitePart):
    """One line of the ordered list."""

    name: str = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
    """Unique; shown wherever the rule decides."""
    enabled: bool = True
    """A rule that is off decides nothing."""
    note: str = Field("", max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
    """Why the site has it; shown with its decisions."""
    condition: Condition = Condition()
    """When it applies; empty applies always."""
    action: Action = Action()
    """What it does; empty runs the package as routine."""

    @model_validator(mode="after")
    def _names_packages(self) -> Rule:
        if self.action.thresholds and not self.condition.package:
            raise PydanticCustomError(
                "thresholds_need_package", "thresholds need condition.package: whose they are"
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """Every key, as the API and the table hold it."""
        return self.model_dump(mode="json", by_alias=True)


RULES: Final = TypeAdapter(Annotated[tuple[Rule, ...], Field(max_length=LIMIT)])


def schema() -> dict[str, Any]:
    """The JSON schema of a whole list of rules."""
    return RULES.json_schema(by_alias=True)


def _among(value: str, wanted: Iterable[str]) -> bool:
    return value.strip().upper() in {each.strip().upper() for each in wanted}


def _from(source: str, wanted: str) -> bool:
    """``dimse:CT1@10.0.0.5`` comes from ``dimse``, ``dimse:CT1`` and ``dimse:CT*``."""
    kind, _, sender = source.partition(":")
    wanted_kind, _, wanted_sender = wanted.partition(":")
    if kind != wanted_kind:
        return False
    name = sender.rpartition("@")[0] if kind == "dimse" and "@" in sender else sender
    return not wanted_sender or fnmatchcase(name, wanted_sender)
