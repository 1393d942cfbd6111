"""Clients of every role, and a study measured without Ray."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ennead.app.web import create_app
from ennead.contracts import Archive
from ennead.database import Database
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM, Role, tokens
from ennead.settings import Settings
from ennead_pipelines.api.common import close_archive
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.jobs.reads import created_at, declined_outputs
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.run.finish import Finisher
from ennead_pipelines.run.inputs import read_inputs
from ennead_pipelines.run.load import load
from ennead_pipelines.run.measure import measure
from ennead_pipelines.run.requests import MeasureRequest


@pytest.fixture
def app(settings: Settings, database: Database, catalogue: PackageCatalogue) -> FastAPI:
    made = create_app(settings)
    made.state.package_catalogue = catalogue
    return made


@pytest.fixture
def client_of(app: FastAPI, database: Database) -> Iterator[Callable[..., TestClient]]:
    opened: list[TestClient] = []

    def make(role: Role = Role.RADIOLOGIST, name: str = "bs.an") -> TestClient:
        with database.begin() as connection:
            secret = tokens.create(connection, SYSTEM, name=name, roles={role})
        headers = {"Authorization": f"Bearer {secret}"}
        opened.append(TestClient(app, headers=headers))
        return opened[-1]

    yield make
    for client in opened:
        client.close()
    close_archive(app)
    app.state.database.close()


@pytest.fixture
def client(client_of: Callable[..., TestClient]) -> TestClient:
    return client_of()


@pytest.fixture
def measured(
    send: Callable[..., str],
    settle: Callable[[], None],
    database: Database,
    archive: Archive,
    sample: DiscoveredPackage,
) -> Callable[..., str]:
    """Send a small CT, settle it and run its job here; returns the study's UID."""
    assert sample.manifest is not None
    manifest = sample.manifest

    def run(*args: Any, **attributes: Any) -> str:
        study = send(*args, **attributes)
        settle()
        queue = JobQueue(database, "here/1", 30)
        for job in queue.claim(10):
            inputs = read_inputs(archive, job, manifest, 2**30)
            with database.read() as connection:
                at = created_at(connection, job.id)
                declined = declined_outputs(connection, job.id)
            request = MeasureRequest(
                job_id=job.id,
                study_uid=job.study_uid,
                manifest=manifest,
                manifest_digest=sample.digest,
                input_digest=job.identity.input_digest,
                parameters_digest=job.identity.parameters_digest,
                inputs=tuple(each.name for each in inputs),
                shared=False,
                declined=declined,
                thresholds={"bright_hu": 50.0},
                organisation="Bệnh viện",
                seg_encoding="labelmap",
                at=at,
            )
            loaded = [load(each.request) for each in inputs]
            output = measure(request, loaded, lambda *_: None)
            Finisher(database, archive, queue).complete(replace(job), manifest, output)
        return study

    return run
