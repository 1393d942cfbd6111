"""Models installed by their registry row alone, a network made of NumPy, jobs run without Ray."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from ennead.app.web import create_app
from ennead.contracts import Archive
from ennead.database import Database
from ennead.geometry import Grid
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM, Principal, Role, tokens
from ennead.settings import Settings
from ennead.testing.models import model_data
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import parse_model
from ennead_models.predict import Prediction
from ennead_models.records import InstalledModel, Pilot
from ennead_models.registry import move, register
from ennead_pipelines.api.common import close_archive
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.jobs.reads import created_at, declined_outputs
from ennead_pipelines.networks import warm
from ennead_pipelines.networks.dispatch import network_of, sources_of
from ennead_pipelines.networks.lifecycle import InstalledModels
from ennead_pipelines.networks.reruns import Expander
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.run.finish import Finisher
from ennead_pipelines.run.inputs import read_inputs
from ennead_pipelines.run.load import load
from ennead_pipelines.run.measure import measure
from ennead_pipelines.run.requests import JobOutput, MeasureRequest

BRIGHT_HU = 50.0
SCIENTIST = Principal("ds.lan", "Lan", frozenset({Role.DATA_SCIENTIST}))
WAY = {
    "registered": [],
    "validated": ["validated"],
    "shadow": ["shadow"],
    "pilot": ["shadow", "pilot"],
    "active": ["shadow", "active"],
    "retired": ["retired"],
}


@pytest.fixture
def install(database: Database, tmp_path: Path) -> Callable[..., InstalledModel]:
    """Register a model and bring it into a state; keyword arguments replace manifest entries."""

    def run(
        state: str = "shadow", pilot: Pilot = Pilot(("bs.an",)), **changes: Any
    ) -> InstalledModel:
        manifest = parse_model(model_data(**changes), "test")
        digest = f"sha256:{manifest.id}-{manifest.version}"
        with database.begin() as connection:
            model = register(
                connection,
                manifest,
                digest,
                tmp_path,
                SCIENTIST,
                code_accepted=False,
                reference={},
            )
            for step in WAY[state]:
                if model.state == step:
                    continue
                model = move(
                    connection,
                    manifest.id,
                    manifest.version,
                    ModelState(step),
                    SCIENTIST,
                    reason="tried in a test",
                    pilot=pilot if step == "pilot" else None,
                )
        return model

    return run


class Threshold:
    """An opened "network": label n where the image exceeds n times a threshold.

    Versions after 1.0 look one voxel row further, so that they differ a little.
    """

    def __init__(self, source: ModelSource) -> None:
        self.manifest, self.digest, self.device = source.manifest, source.digest, "cpu"
        self.closed = False
        self.asked = 0

    def predict(
        self, values: Any, grid: Grid, *, thresholds: Mapping[str, float], progress: Any, **_: Any
    ) -> Prediction:
        self.asked += 1
        progress(0.5)
        if self.manifest.output.kind == "classification":
            share = float((values > BRIGHT_HU).mean())
            return Prediction(scores={label.id: share for label in self.manifest.label})
        labels = np.zeros(values.shape, dtype=np.uint16)
        for label in self.manifest.label:
            labels[values > BRIGHT_HU * label.value] = label.value
        if self.manifest.version > "1.0.0":
            labels[:, 1:] = np.maximum(labels[:, 1:], labels[:, :-1])
        return Prediction(labels=labels)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Threshold]]:
    """Every network that was opened, in order."""
    made: list[Threshold] = []

    def open_threshold(source: ModelSource, device: str) -> Threshold:
        made.append(Threshold(source))
        return made[-1]

    monkeypatch.setattr(warm, "open_source", open_threshold)
    yield made
    warm.WARM.close()


@pytest.fixture
def packages() -> Sequence[DiscoveredPackage]:
    """Packages with code; none unless a test says so."""
    return []


@pytest.fixture
def catalogue(database: Database, packages: Sequence[DiscoveredPackage]) -> PackageCatalogue:
    return PackageCatalogue(
        0.0, discover=lambda: list(packages), models=InstalledModels(database, 0.0)
    )


@pytest.fixture
def run_jobs(
    run_jobs_for_real: Callable[[], list[JobOutput]], opened: list[Threshold]
) -> Callable[[], list[JobOutput]]:
    """Measure and finish every job that waits, with networks made of NumPy."""
    return run_jobs_for_real


@pytest.fixture
def run_jobs_for_real(
    database: Database, archive: Archive, settings: Settings, catalogue: PackageCatalogue
) -> Callable[[], list[JobOutput]]:
    """Measure and finish every job that waits, here and without Ray."""

    def run() -> list[JobOutput]:
        queue = JobQueue(database, "here/1", 30)
        outputs = []
        for job in queue.claim(100):
            package = catalogue.get(job.package, job.identity.manifest_digest)
            assert package is not None and package.manifest is not None
            inputs = read_inputs(archive, job, package.manifest, 2**30)
            with database.read() as connection:
                at = created_at(connection, job.id)
                declined = declined_outputs(connection, job.id)
            request = MeasureRequest(
                job_id=job.id,
                study_uid=job.study_uid,
                manifest=package.manifest,
                manifest_digest=package.digest,
                input_digest=job.identity.input_digest,
                parameters_digest=job.identity.parameters_digest,
                inputs=tuple(each.name for each in inputs),
                shared=False,
                declined=declined,
                thresholds=job.thresholds,
                organisation="Bệnh viện",
                seg_encoding="labelmap",
                at=at,
                network=network_of(package, settings),
                models=sources_of(job.models, catalogue, settings),
            )
            loaded = [load(each.request) for each in inputs]
            output = measure(request, loaded, lambda *_: None)
            Finisher(database, archive, queue).complete(job, package.manifest, output)
            outputs.append(output)
        return outputs

    return run


@pytest.fixture
def app(settings: Settings, database: Database, catalogue: PackageCatalogue) -> Iterator[Any]:
    made = create_app(settings)
    made.state.package_catalogue = catalogue
    yield made
    close_archive(made)
    made.state.database.close()


@pytest.fixture
def client_of(app: Any, database: Database) -> Iterator[Callable[..., TestClient]]:
    """A client with a token of a role."""
    opened_clients: list[TestClient] = []

    def make(role: Role = Role.DATA_SCIENTIST, name: str = "ds.lan") -> TestClient:
        with database.begin() as connection:
            secret = tokens.create(connection, SYSTEM, name=name, roles={role})
        client = TestClient(app, headers={"Authorization": f"Bearer {secret}"})
        opened_clients.append(client)
        return client

    yield make
    for client in opened_clients:
        client.close()


@pytest.fixture
def expander(
    database: Database, archive: Archive, settings: Settings, catalogue: PackageCatalogue
) -> Expander:
    return Expander(database, archive, settings.portal.zone, catalogue)
