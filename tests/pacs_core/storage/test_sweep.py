"""The startup sweep: after a crash, every acknowledged object is there and nothing else is."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from ennead.database import Database
from ennead.security.tables import audit as audit_table
from ennead.settings import Settings
from ennead_pacs.index import find_instance, instances
from ennead_pacs.index.tables import LOST
from ennead_pacs.ingest import Ingest
from ennead_pacs.storage.slots import JOURNALS
from ennead_pacs.storage.sweep import sweep

MakeObject = Callable[..., bytes]

# Stores objects for ever; dies by SIGKILL at the named call, the third time round.
VICTIM = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from ennead.database import Database
    from ennead.settings import Settings
    from ennead_pacs.index import committer
    from ennead_pacs.ingest import Ingest
    from ennead_pacs.storage import slots

    home, url, step, *files = sys.argv[1:]
    calls = 0

    def deadly(module, name, after):
        real = getattr(module, name)

        def call(*arguments, **named):
            global calls
            calls += 1
            if calls >= after:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        setattr(module, name, call)

    settings = Settings.load(home, database={"url": url})
    ingest = Ingest(settings, Database(url))
    if step == "journal":
        deadly(slots.Journal, "name", 1)
    elif step == "directory":
        deadly(slots, "_sync_directory", 3)
    elif step == "write":
        deadly(os, "writev", 3)
    elif step == "sync":
        ingest.slots.take()
        deadly(os, "fdatasync", 3)
    elif step == "transaction":
        deadly(committer.Committer, "_publish", 3)
    elif step == "answer":
        deadly(slots.SlotPool, "used", 3)
    for file in files:
        outcome = ingest.store(Path(file), source="test")
        print(outcome.instance_uid, outcome.sha256, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
)


@pytest.mark.parametrize(
    "step", ["journal", "directory", "write", "sync", "transaction", "answer", "end"]
)
def test_killed_at_every_step(
    settings: Settings, database: Database, make_object: MakeObject, tmp_path: Path, step: str
) -> None:
    files = []
    for number in range(1, 7):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(make_object(number))
    arguments = [str(settings.home), settings.database_url, step, *map(str, files)]
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    acknowledged = dict(line.split() for line in done.stdout.splitlines())
    assert len(acknowledged) == {"end": 6, "journal": 0, "directory": 0}.get(step, 2)

    sweep(settings, database)

    with database.read() as connection:
        for uid, sha256 in acknowledged.items():
            row = find_instance(connection, uid)
            assert row is not None
            data = (settings.objects_dir / row.location).read_bytes()
            assert hashlib.sha256(data[row.dataset_offset :]).hexdigest() == sha256
        indexed = {row.location for row in connection.execute(select(instances.c.location))}
    on_disk = {
        str(p.relative_to(settings.objects_dir)) for p in settings.objects_dir.rglob("*.dcm")
    }
    assert on_disk == indexed
    assert not list((settings.objects_dir / JOURNALS).iterdir())
    again = sweep(settings, database)
    assert (again.removed, again.lost) == (0, 0)
    with Ingest(settings, database) as ingest:
        outcomes = [ingest.store(file, source="test") for file in files]
    assert sum(not outcome.stored for outcome in outcomes) == len(indexed) >= len(acknowledged)


def test_a_missing_or_short_file_is_lost_audited_and_healed_by_sending_it_again(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    for number in (1, 2, 3):
        ingest.store(make_object(number), source="test")
    with database.read() as connection:
        rows = [find_instance(connection, f"1.2.3.1.{n}") for n in (1, 2)]
    assert rows[0] is not None and rows[1] is not None
    (settings.objects_dir / rows[0].location).unlink()
    os.truncate(settings.objects_dir / rows[1].location, 100)
    swept = sweep(settings, database)
    assert (swept.lost, swept.checked) == (2, 3)
    with database.read() as connection:
        assert find_instance(connection, "1.2.3.1.1") is None
        states = connection.execute(select(instances.c.state)).scalars().all()
        recorded = connection.execute(
            select(audit_table.c.object_uid).where(audit_table.c.action == "object.lost")
        )
        assert set(recorded.scalars()) == {"1.2.3.1.1", "1.2.3.1.2"}
    assert sorted(states) == [0, LOST, LOST]
    assert sweep(settings, database).lost == 0
    assert ingest.store(make_object(1), source="test").stored
    with database.read() as connection:
        healed = find_instance(connection, "1.2.3.1.1")
    assert healed is not None
    assert (settings.objects_dir / healed.location).stat().st_size == healed.size_bytes


def test_slots_of_a_living_process_are_left_alone(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    writer = ingest.begin(source="test")
    writer.write(make_object(1))
    assert sweep(settings, database).removed == 0
    assert writer.commit().stored


def test_a_clean_end_leaves_only_objects(
    settings: Settings, database: Database, make_object: MakeObject
) -> None:
    with Ingest(settings, database) as ingest:
        ingest.store(make_object(1), source="test")
    assert len(list(settings.objects_dir.rglob("*.dcm"))) == 1
    assert not list((settings.objects_dir / JOURNALS).iterdir())
