"""What a demonstration does once the server is ready, with a progress display."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ennead.app.launcher import Started
from ennead.cli import samples as phantoms
from ennead.cli.demo_home import PEOPLE, DemoHome, make_people
from ennead.cli.follow import Followed
from ennead.cli.stow import Client, dicom_files, store
from ennead.database import Database
from ennead.security import SYSTEM, tokens
from ennead.security.principal import Role
from ennead.texts import translate

_LOOK_EVERY_S: Final = 0.5
_LONGEST_S: Final = 1800.0


class DemoRun:
    """Accounts, studies, waiting, last words."""

    def __init__(self, started: Started, known: DemoHome) -> None:
        self.console = Console(soft_wrap=True)
        self._started = started
        self._known = known
        self._settings = started.settings
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=self.console,
        )

    def studies(self, folder: Path | None) -> bool:
        """Bring everything in and wait for the ends; whether nothing failed."""
        database = Database(self._settings.database_url, pool_size=2)
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        try:
            with database.begin() as connection:
                make_people(connection, self._settings, self._known)
                secret = tokens.create(
                    connection, SYSTEM, name="demo", roles=[Role.ADMIN], expires_at=ends
                )
        finally:
            database.close()
        client = Client(self._started.base_url, secret)
        with self._progress:
            followed = self._bring_phantoms(client)
            refused = 0
            if folder is not None:
                more, refused = self._bring_folder(client, folder)
                followed += more
            self._wait(client, followed)
        return refused == 0 and not any(f.failed for f in followed)

    def last_words(self, good: bool, *, serving: bool) -> None:
        """Address and logins."""
        self.console.print(self._text("done" if good else "done_with_failures"))
        self.console.print(f"    {self._text('address')}  {self._started.base_url}/", markup=False)
        for name in (*PEOPLE, "admin"):
            password = self._known.passwords[name]
            self.console.print(f"    {name:<12} {password}", markup=False, highlight=False)
        self.console.print(self._text("log", path=str(self._settings.home / "run" / "demo.log")))
        if serving:
            self.console.print(self._text("serving"))

    def _bring_phantoms(self, client: Client) -> list[Followed]:
        followed = []
        for sample in phantoms.SAMPLES:
            title = self._text(f"sample.{sample.key}")
            task = self._progress.add_task(title, total=None, state=self._text("making"))
            folder = self._settings.home / "run" / "samples" / sample.key
            try:
                files = phantoms.write(sample, folder, self._known.study_date)
                uid = _study_uids(files[:1])[0]
                refused = self._store(client, files, task)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            self._progress.remove_task(task)
            followed.append(Followed(uid, title, "failed" if refused else "waiting"))
        return followed

    def _bring_folder(self, client: Client, folder: Path) -> tuple[list[Followed], int]:
        files, others = dicom_files(folder)
        task = self._progress.add_task(
            self._text("folder", folder=folder.name), total=len(files), state=""
        )
        refused = self._store(client, files, task)
        self._progress.update(task, state=self._text("brought", refused=refused, skipped=others))
        uids = _study_uids(files)
        titles = [self._text("study", number=n + 1) for n in range(len(uids))]
        return [Followed(u, t) for u, t in zip(uids, titles, strict=True)], refused

    def _store(self, client: Client, files: Sequence[Path], task: TaskID) -> int:
        self._progress.update(task, total=len(files), completed=0, state=self._text("storing"))
        stored = store(client, files, lambda n: self._progress.advance(task, n))
        return stored.refused

    def _wait(self, client: Client, followed: Sequence[Followed]) -> None:
        tasks = {
            f.study_uid: self._progress.add_task(f.title, total=1.0, state="") for f in followed
        }
        deadline = time.monotonic() + _LONGEST_S
        while True:
            for study in followed:
                if not study.ended:
                    study.look(client)
                self._progress.update(
                    tasks[study.study_uid],
                    completed=1.0 if study.ended else study.fraction,
                    state=self._text(f"state.{study.state}"),
                )
            if all(f.ended for f in followed):
                return
            if time.monotonic() > deadline:
                for study in followed:
                    study.state = study.state if study.ended else "failed"
                return
            time.sleep(_LOOK_EVERY_S)

    def _text(self, key: str, **values: str | int) -> str:
        return translate(f"common.demo.{key}", self._settings.portal.language, values)


def _study_uids(files: Sequence[Path]) -> list[str]:
    """Study Instance UIDs in the order of first appearance; unreadable files are left out."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    found: dict[str, None] = {}
    for file in files:
        try:
            header = dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        except (InvalidDicomError, OSError, ValueError, EOFError, AttributeError):
            continue
        if uid := str(header.get("StudyInstanceUID", "")):
            found[uid] = None
    return list(found)
