"""Why code in the sandbox was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Reasons that another attempt would meet again, each with its texts in ``texts/*/sandbox.toml``.
FINAL: Final = frozenset(
    {
        "memory",
        "processor",
        "network",
        "process",
        "write",
        "scratch",
        "output",
        "result",
        "crash",
        "garbled",
        "unavailable",
        "environment",
    }
)


class Stopped(Exception):
    """A run in the sandbox that gave no results.

    Parameters
    ----------
    kind : str
        One of :data:`FINAL`, or ``contract``, ``error``, ``lost``, ``timeout``.
    values : mapping
        Of the text.
    trace : str
        What the package's interpreter said; for the log only.
    """

    def __init__(
        self, kind: str, values: Mapping[str, str | int | float] | None = None, trace: str = ""
    ) -> None:
        self.kind = kind
        self.values = dict(values or {})
        self.trace = trace
        super().__init__(kind, self.values, trace)

    def __str__(self) -> str:
        return f"stopped in the sandbox: {self.kind} {self.values}\n{self.trace}".strip()

    def __reduce__(self) -> tuple[type[Stopped], tuple[str, dict[str, str | int | float], str]]:
        return Stopped, (self.kind, self.values, self.trace)
