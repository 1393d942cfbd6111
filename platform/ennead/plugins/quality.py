"""``quality.toml``: what a package claims of itself, rule by rule, at three levels.

Bronze: it runs, says what it does and refuses in words. Silver: its numbers are checked against
known ones and its failures are written down. Gold: it is judged on images its authors never saw.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from ennead.errors import ManifestInvalid
from ennead.plugins.part import Part

Level = Literal["bronze", "silver", "gold"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the scale.

    Parameters
    ----------
    checked : bool
        By ``ennead packages check``; else a person's word counts, with its evidence.
    """

    id: str
    level: Level
    text: str
    checked: bool = True


RULES: Final = (
    Rule("runs_on_phantom", "bronze", "A reference case runs to its end."),
    Rule("writes_declared_outputs_only", "bronze", "It returns nothing undeclared."),
    Rule("deterministic", "bronze", "The same images give the same results, twice."),
    Rule("refuses_with_texts_vi_en", "bronze", "Every text is there in Vietnamese and English."),
    Rule("methods_documented", "bronze", "Every measurement is a function with a docstring."),
    Rule("readme", "bronze", "The README says what goes in, what comes out and what is refused."),
    Rule("light_discovery", "bronze", "Finding the package imports none of its code."),
    Rule("contract_only", "bronze", "It imports nothing of the platform but the contract."),
    Rule("reference_case", "silver", "Known numbers are reproduced."),
    Rule("methods_cite_sources", "silver", "Every measurement names its source or definition."),
    Rule("thresholds_used", "silver", "Every threshold is used, and every one used is declared."),
    Rule("documented_failure_modes", "silver", "The README lists its limits."),
    Rule("golden_measurements", "silver", "Tests compare with truth on several grids.", False),
    Rule("threshold_boundaries", "silver", "Tests stand on each side of each limit.", False),
    Rule("real_images_looked_at", "silver", "People looked at results on real images.", False),
    Rule("external_test_set", "gold", "Judged on images that nobody tuned it on.", False),
    Rule("drift_monitor", "gold", "Inputs and outputs are watched at the sites.", False),
    Rule("translations", "gold", "A speaker of each language read the texts.", False),
)


class Done(Part):
    """A rule that is kept, with where that can be seen."""

    done: str = Field(min_length=3)


class Exempt(Part):
    """A rule that is not kept, with the reason."""

    exempt: str = Field(min_length=10)


State = Literal["done"] | Done | Exempt


class QualityClaims(Part):
    """The whole ``quality.toml``; each level is a table from rule id to its state.

    ``"done"`` is enough for a rule that the platform checks; others need
    ``{ done = "where to see it" }``. Any rule may be ``{ exempt = "why" }``.
    """

    scale: Level
    """The level that is claimed; equals ``quality`` in ``package.toml``."""
    bronze: dict[str, State] = {}
    silver: dict[str, State] = {}
    gold: dict[str, State] = {}

    @model_validator(mode="after")
    def _complete(self) -> QualityClaims:
        for level in LEVELS:
            known = {rule.id: rule for rule in RULES if rule.level == level}
            stated = self.of(level)
            unknown = set(stated) - set(known)
            if unknown:
                raise ValueError(
                    f"{level} has no rule {sorted(unknown)}; its rules are {', '.join(known)}"
                )
            missing = set(known) - set(stated)
            if missing and LEVELS.index(level) <= LEVELS.index(self.scale):
                raise ValueError(f"{level} is claimed without {', '.join(sorted(missing))}")
            for name, state in stated.items():
                if state == "done" and not known[name].checked:
                    raise ValueError(
                        f"nothing here can check {name}: write "
                        f'{name} = {{ done = "where to see it" }}'
                    )
        return self

    def of(self, level: Level) -> Mapping[str, State]:
        """The stated rules of a level."""
        found: Mapping[str, State] = getattr(self, level)
        return found


def read_claims(path: Path) -> QualityClaims:
    """Parse and validate a ``quality.toml``.

    Raises
    ------
    ManifestInvalid
        It is absent, cannot be read, or claims a level without its rules.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestInvalid(f"{path} cannot be read as TOML: {error}") from error
    try:
        return QualityClaims.model_validate(data)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ManifestInvalid(f"{path} breaks its schema: {lines}") from error
