"""Runs on a real Ray: anatomy found once for three packages, a tracking UID carried on."""

import datetime as dt
from collections import Counter
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from ennead.geometry import Grid
from ennead.testing.asking import asking_package
from ennead.testing.shapes import EllipticTube, paint
from ennead_pipelines.foresee import Foreseen
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.run import anatomies, volumes
from ennead_pipelines.run.dispatch import Dispatcher
from ennead_pipelines.settle import Settler
from ennead_pipelines.tables import findings, jobs, settlements, timeline

pytestmark = pytest.mark.slow

NAMES = ("asking", "asking_b", "asking_c")


def body_image(radius_mm: float) -> tuple[np.ndarray, Grid]:
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid((10, 40, 48), (-70.5, -58.5, -13.5), axes, (3.0, 3.0, 3.0), "1.2.3.4")
    values = np.full(grid.shape, -1000.0, dtype=np.float32)
    paint(grid, EllipticTube((0, 0), (radius_mm, radius_mm), (-400, 400)), (values, 40))
    return values, grid


@pytest.fixture
def catalogue() -> PackageCatalogue:
    packages = [asking_package(name) for name in NAMES]
    return PackageCatalogue(discover=lambda: packages)


@pytest.fixture
def visit(archive, ct_files):
    def store(date: str, radius_mm: float = 30.0, **attributes: Any) -> str:
        values, grid = body_image(radius_mm)
        said = {"PatientSex": "F", "PatientWeight": 61.5, "StudyID": date, **attributes}
        study = ""
        for path in ct_files(grid, values, StudyDate=date, **said):
            study = archive.store(path.read_bytes(), source="test").study_uid
        return study

    return store


class Counting:
    """A Ray task that counts how often it is asked for."""

    def __init__(self, task: Any, counts: Counter[str], name: str) -> None:
        self._task, self._counts, self._name = task, counts, name

    def remote(self, *arguments: Any) -> Any:
        self._counts[self._name] += 1
        return self._task.remote(*arguments)


@pytest.fixture
def counts(monkeypatch) -> Counter[str]:
    found: Counter[str] = Counter()
    for module, name in ((anatomies, "anatomy_task"), (volumes, "load_task")):
        monkeypatch.setattr(module, name, Counting(getattr(module, name), found, name))
    return found


def values_of(row: Any) -> dict[str, float]:
    return {m["id"]: m["value"] for m in row.document["measurements"]}


def test_three_packages_one_decode_one_anatomy(
    visit, settle, finish, counts, database, archive
) -> None:
    visit("20260105")
    settle()
    finish()
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        found = connection.execute(select(findings)).all()
    assert {(r.package, r.state) for r in rows} == {(name, "done") for name in NAMES}
    assert counts == {"load_task": 1, "anatomy_task": 1}
    volume = np.pi * 3**2 * 3  # cm3
    for row in found:
        assert values_of(row)["body_volume"] == pytest.approx(volume, rel=0.03)
        assert values_of(row)["weight"] == 61.5
    # Who found it, and what was known of the patient, is written into the report.
    sr = dcmread(archive.path(rows[0].sr_instance_uid))
    said = {str(e.value) for e in sr.iterall() if e.keyword == "TextValue"}
    assert "anatomy.ct=classical-ct 1.0.0" in said
    assert "clinical.weight=61.5 kg (DICOM header, 2026-01-05)" in said


def test_anatomy_is_there_before_the_study_is_complete(
    visit,
    settle,
    finish,
    foreseen: Foreseen,
    dispatcher: Dispatcher,
    counts,
    database,
    archive,
    settings,
    catalogue,
) -> None:
    """Settling hands on what a quiet study will need; the jobs then use what is there."""
    pipelines = settings.pipelines.model_copy(update={"quiet_s": 60.0})
    calm = settings.model_copy(update={"pipelines": pipelines})
    waiting = Settler(database, archive, calm, catalogue, Preparer(archive), foreseen=foreseen)
    visit("20260105")
    waiting.step()
    with database.begin() as connection:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
        connection.execute(update(settlements).values(changed_at=at))
    waiting.step()
    dispatcher.step(0.05)
    assert counts == {"load_task": 1, "anatomy_task": 1}
    settle()
    finish()
    assert counts == {"load_task": 1, "anatomy_task": 1}
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        told = connection.execute(select(timeline).where(timeline.c.step == "anatomy")).all()
    assert {r.state for r in rows} == {"done"}
    (note,) = told  # by the first job that used it
    assert note.duration_s > 0


def test_a_finding_carries_its_tracking_uid_on(visit, settle, finish, database, archive) -> None:
    first = visit("20250105", radius_mm=30.0)
    settle()
    finish()
    second = visit("20260105", radius_mm=36.0)
    settle()
    finish()
    with database.read() as connection:
        rows = connection.execute(select(findings).where(findings.c.package == "asking")).all()
        job = connection.execute(
            select(jobs).where(jobs.c.study_uid == second, jobs.c.package == "asking")
        ).one()
    before, now = (next(r for r in rows if r.study_uid == s) for s in (first, second))
    assert now.tracking_uid == before.tracking_uid
    assert values_of(now)["change"] == pytest.approx(44.0, abs=2.5)  # 36² over 30²
    sr = archive.path(job.sr_instance_uid).read_bytes()
    assert before.tracking_uid.encode() in sr
