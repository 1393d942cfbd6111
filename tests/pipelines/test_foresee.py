"""What a study will need is decoded before it counts as complete."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.settings import Settings
from ennead_pipelines.foresee import Foreseen, lead_seconds
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.run.inputs import read_inputs
from ennead_pipelines.settle import Settler
from ennead_pipelines.tables import settlements

LIMIT = 2**31


@pytest.fixture
def foreseen(archive: Archive) -> Foreseen:
    return Foreseen(archive, LIMIT)


@pytest.fixture
def settler(
    database: Database,
    archive: Archive,
    settings: Settings,
    catalogue: PackageCatalogue,
    foreseen: Foreseen,
) -> Settler:
    calm = settings.pipelines.model_copy(update={"quiet_s": 8.0})
    chosen = settings.model_copy(update={"pipelines": calm})
    return Settler(database, archive, chosen, catalogue, Preparer(archive), foreseen=foreseen)


def quiet_for(database: Database, seconds: float) -> None:
    with database.begin() as connection:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
        connection.execute(update(settlements).values(changed_at=at))


def test_the_lead_is_a_tenth_of_the_quiet_period_and_half_a_second_at_most() -> None:
    assert lead_seconds(0.4) == pytest.approx(0.04)
    assert lead_seconds(8.0) == 0.5


def test_a_quiet_study_is_foreseen_once_and_by_the_key_that_its_job_asks_for(
    send: Callable[..., str],
    settler: Settler,
    settle: Callable[[], None],
    foreseen: Foreseen,
    database: Database,
    archive: Archive,
    catalogue: PackageCatalogue,
) -> None:
    send()
    settler.step()
    assert foreseen.take() == []
    quiet_for(database, 2.0)
    settler.step()
    settler.step()
    (ahead,) = foreseen.take()
    settle()
    (job,) = JobQueue(database, "here/1", 30.0).claim(1)
    manifest: Any = catalogue.all()[0].manifest
    (asked,) = read_inputs(archive, job, manifest, LIMIT)
    assert ahead.input.key == asked.key
    assert ahead.input.request.paths == asked.request.paths


def test_another_image_is_another_key(
    ct_files: Any, archive: Archive, settler: Settler, foreseen: Foreseen, database: Database
) -> None:
    files = [path.read_bytes() for path in ct_files()]
    keys = []
    for part in (files[:6], files[6:]):
        for data in part:
            archive.store(data, source="test")
        settler.step()
        quiet_for(database, 2.0)
        settler.step()
        keys += [each.input.key for each in foreseen.take()]
    assert len(set(keys)) == 2


def test_what_does_not_fit_is_not_foreseen(
    send: Callable[..., str], settler: Settler, foreseen: Foreseen, database: Database
) -> None:
    send(modality="MR")
    settler.step()
    quiet_for(database, 2.0)
    settler.step()
    assert foreseen.take() == []
