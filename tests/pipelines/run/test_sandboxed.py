"""A foreign package on the whole road: stopped with a reason, and the next job runs."""

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings
from ennead.testing.hostile import hostile_package
from ennead.testing.sample import sample_package
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.sandbox import plan_for
from ennead_pipelines.tables import job_refusals, timeline


@pytest.fixture
def catalogue() -> PackageCatalogue:
    return PackageCatalogue(discover=lambda: [hostile_package()])


@pytest.mark.slow
def test_a_hostile_job_is_stopped_and_the_next_one_runs(
    send: Callable[..., str],
    settle: Callable[[], None],
    finish: Callable[[], Any],
    archive: Archive,
    database: Database,
) -> None:
    send(SeriesDescription="start /bin/true")
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("failed", "sandbox.reason.process")
    assert job.attempts == 1
    with database.read() as connection:
        assert connection.execute(select(job_refusals.c.code)).scalars().all() == ["FAILED"]
        keys = connection.execute(select(timeline.c.text_key).order_by(timeline.c.id)).scalars()
        assert list(keys)[-1] == "sandbox.timeline.process"
    send(SeriesDescription="tidy", StudyInstanceUID="1.2.840.77")
    settle()
    job = finish()
    assert job.state == "done"
    seg = dcmread(archive.path(job.seg_instance_uid))
    assert int((seg.pixel_array > 0).sum()) == 60
    assert dcmread(archive.path(job.sr_instance_uid)).VerificationFlag == "UNVERIFIED"


def test_who_runs_in_the_sandbox(settings: Settings) -> None:
    def changed(package: DiscoveredPackage, **runtime: Any) -> DiscoveredPackage:
        assert package.manifest is not None
        asked = package.manifest.runtime.model_copy(update=runtime)
        manifest = package.manifest.model_copy(update={"runtime": asked})
        return DiscoveredPackage(
            package.id, manifest, package.digest, package.folder, package.distribution
        )

    def with_mode(mode: str) -> Settings:
        pipelines = settings.pipelines.model_copy(update={"sandbox": mode})
        return settings.model_copy(update={"pipelines": pipelines})

    own, foreign = sample_package(), hostile_package()
    assert plan_for(settings, own) is None
    plan = plan_for(settings, foreign)
    assert plan is not None and (plan.mode, plan.interpreter) == ("preferred", "")
    assert plan_for(with_mode("off"), foreign) is None
    required = plan_for(with_mode("required"), foreign)
    assert required is not None and required.mode == "required"
    asked = plan_for(settings, changed(own, sandbox=True))
    assert asked is not None and asked.interpreter == ""
    apart = plan_for(with_mode("off"), changed(foreign, environment="venv"))
    assert apart is not None
    assert apart.interpreter == str(settings.home / "environments" / "hostile" / "bin" / "python")
