"""``[[function]]``: what a reader may ask for in the viewer, and what it has to be given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from ennead.plugins.part import ID, Part

InputKind = Literal["point", "points", "line", "roi", "contour", "seed", "mask", "number", "choice"]

#: Kinds that a reader places on the images.
PLACED: frozenset[InputKind] = frozenset(("point", "points", "line", "roi", "contour", "seed"))


class FunctionChoice(Part):
    """One of the values of a ``choice``."""

    value: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")
    title: dict[str, str]
    """Name by language."""


class FunctionInput(Part):
    """What the reader gives.

    ``point``, ``points`` and ``seed`` are places; ``line`` has two ends on one image; ``roi`` is an
    ellipse or a rectangle and ``contour`` a closed polygon, both on one image; ``mask`` is an
    existing segment, edited; ``number`` and ``choice`` are fields of a form. The values arrive as
    the types of :mod:`ennead.interaction`.
    """

    name: str = Field(pattern=ID)
    kind: InputKind
    title: dict[str, str]
    """What to place or type, by language."""
    optional: bool = False
    """An optional input that is not given is absent from ``context.inputs``; one with a default
    takes it."""
    count_min: int = Field(1, ge=1)
    """Fewest places of ``points``."""
    count_max: int = Field(100, ge=1, le=1000)
    """Most places of ``points``."""
    unit: str = ""
    """UCUM, of a ``number``."""
    min: float | None = None
    """Least ``number``."""
    max: float | None = None
    """Greatest ``number``."""
    default: float | str | None = None
    """Of a ``number`` or ``choice``."""
    choices: list[FunctionChoice] = []
    """Of a ``choice``; at least two."""
    shapes: list[Literal["ellipse", "rectangle"]] = ["ellipse"]
    """Accepted shapes of a ``roi``; the first is offered."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in self._problems():
            raise ValueError(f"function input {self.name!r} {problem}")
        return self

    def _problems(self) -> Iterator[str]:
        given = self.model_fields_set
        for kind, keys in _KEYS_OF.items():
            odd = sorted(keys & given)
            if odd and self.kind not in kind:
                yield f"is a {self.kind}; {', '.join(odd)} belong to {' or '.join(sorted(kind))}"
        if {"vi", "en"} - set(self.title):
            yield "needs a title in vi and en"
        if self.count_min > self.count_max:
            yield f"has count_min {self.count_min} above count_max {self.count_max}"
        if self.kind == "number":
            yield from self._number_problems()
        elif self.kind == "choice":
            values = [choice.value for choice in self.choices]
            if len(values) < 2 or len(values) != len(set(values)):
                yield f"needs at least two choices, all different; got {values}"
            if self.default is not None and self.default not in values:
                yield f"has the default {self.default!r}, which is none of its choices"
        if not self.shapes:
            yield "needs at least one shape"

    def _number_problems(self) -> Iterator[str]:
        if not self.unit:
            yield "needs a unit (UCUM; 1 for none)"
        if self.min is not None and self.max is not None and self.min > self.max:
            yield f"has min {self.min} above max {self.max}"
        if isinstance(self.default, str):
            yield f"has the default {self.default!r}, which is no number"
        elif self.default is not None and not self.holds(self.default):
            yield f"has the default {self.default}, which is outside its bounds"

    def holds(self, value: float) -> bool:
        """Whether a number lies inside the bounds."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


_KEYS_OF: dict[frozenset[str], frozenset[str]] = {
    frozenset(("points",)): frozenset(("count_min", "count_max")),
    frozenset(("number",)): frozenset(("unit", "min", "max")),
    frozenset(("choice",)): frozenset(("choices",)),
    frozenset(("number", "choice")): frozenset(("default",)),
    frozenset(("roi",)): frozenset(("shapes",)),
}


class FunctionRule(Part):
    """A function that a reader starts in the viewer; it answers at once.

    ``call`` names a function that takes a :class:`ennead.interaction.FunctionContext` and returns
    what a pipeline returns: findings, segments, refusals. Nothing of it is imported before it is
    needed, and then only by a worker.
    """

    id: str = Field(pattern=ID)
    title: dict[str, str]
    """Name by language."""
    help: dict[str, str]
    """One sentence by language: what to do, and what comes of it."""
    call: str = Field(pattern=r"^[a-z_][a-z0-9_.]*:[A-Za-z_]\w*$")
    """``module:function``."""
    series: str
    """Name of the input whose rules the chosen series must meet."""
    input: list[FunctionInput] = Field(min_length=1)
    outputs: list[str] = Field(min_length=1)
    """Ids of the outputs that it may return."""
    timeout_s: float = Field(10.0, gt=0, le=120)
    """Seconds after which it is stopped; a reader is waiting."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [rule.name for rule in self.input]
        if len(names) != len(set(names)):
            raise ValueError(f"inputs of function {self.id!r} must differ; got {names}")
        for what, texts in (("title", self.title), ("help", self.help)):
            if {"vi", "en"} - set(texts):
                raise ValueError(f"function {self.id!r} needs a {what} in vi and en")
        return self

    def input_rule(self, name: str) -> FunctionInput | None:
        """The declared input, or None."""
        return next((rule for rule in self.input if rule.name == name), None)


def check_functions(
    functions: list[FunctionRule], inputs: dict[str, bool], outputs: set[str]
) -> None:
    """Refuse functions that contradict the rest of the manifest.

    Parameters
    ----------
    inputs : dict
        Input name → whether it is a volume.
    outputs : set of str
        Every output id of the manifest.

    Raises
    ------
    ValueError
        Ids repeat, an output is not declared, or ``series`` names no volumetric input.
    """
    ids = [function.id for function in functions]
    if len(ids) != len(set(ids)):
        raise ValueError(f"function ids must differ; got {ids}")
    for function in functions:
        unknown = set(function.outputs) - outputs
        if unknown:
            raise ValueError(f"function {function.id!r} names unknown outputs {sorted(unknown)}")
        if not inputs.get(function.series):
            volumes = ", ".join(name for name, volumetric in inputs.items() if volumetric)
            raise ValueError(
                f"function {function.id!r} takes its series by the rules of {function.series!r}; "
                f"volumetric inputs are: {volumes or 'none'}"
            )
