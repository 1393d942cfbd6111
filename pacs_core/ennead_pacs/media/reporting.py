"""What a person sees of an import: a progress line, then a summary."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ennead.database import Database
from ennead.security import Principal, Role, audit
from ennead.texts import translate
from ennead_pacs.media.importer import (
    FAILED,
    OUTCOMES,
    REFUSED,
    STORED,
    Entry,
    Report,
    shown,
)

#: Refused files printed on the terminal; ``--report`` holds all.
_PRINTED: Final = 200


class Display:
    """The progress line; use as a context manager."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.completed}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(self._text("importing"), total=None)

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def note(self, _entry: Entry) -> None:
        """One more file is done."""
        self._progress.advance(self._task)

    def summary(self, report: Report) -> None:
        """Refused files with their reasons, then the counts."""
        out = Console(soft_wrap=True, highlight=False, markup=False)
        told = [e for e in report.listed if e.outcome in (REFUSED, FAILED)]
        for entry in told[:_PRINTED]:
            out.print(f"  {shown(entry.name)}: {self.reason(entry)}")
        if len(told) > _PRINTED:
            out.print(self._text("more", count=len(told) - _PRINTED))
        for outcome in OUTCOMES:
            if report.counts[outcome] or outcome == STORED:
                out.print(self._text(outcome, count=report.counts[outcome]))
            if outcome in (REFUSED, FAILED):
                for reason, count in self._reasons(report, outcome):
                    out.print(f"    {reason}: {count}")
        out.print(self._text("studies", count=len(report.studies)))

    def reason(self, entry: Entry) -> str:
        """Why, in the reader's language, with the error's own sentence where there is one."""
        return ": ".join(filter(None, (self._title(entry.reason), entry.detail)))

    def _title(self, reason: str) -> str:
        for key in (f"media.reason.{reason}", f"errors.{reason}.title"):
            text = translate(key, self.language)
            if text != key:
                return text
        return reason

    def _reasons(self, report: Report, outcome: str) -> list[tuple[str, int]]:
        counted = Counter(e.reason for e in report.listed if e.outcome == outcome)
        return [(self._title(reason), count) for reason, count in counted.most_common()]

    def _text(self, key: str, **values: int) -> str:
        return translate(f"media.{key}", self.language, values)


def operator() -> Principal:
    """Whoever runs the command on the server itself."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Principal(name[:64], name[:64], frozenset({Role.ADMIN}), kind="system")


def write_audit(database: Database, principal: Principal, report: Report) -> None:
    """One audit row for each study that grew."""
    with database.begin() as connection:
        for study_uid, count in sorted(report.studies.items()):
            audit.record(
                connection,
                principal,
                "instances.stored",
                study_uid=study_uid,
                detail={"way": "import", "new": count},
            )


def write_report(path: Path, report: Report) -> None:
    """The whole report as JSON."""
    text = json.dumps(report.as_json(), ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")
