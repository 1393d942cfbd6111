"""Shadow and pilot results: held apart, invisible on every surface, released by a decision."""

import asyncio
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.plugins import DiscoveredPackage
from ennead.security import Principal, Role
from ennead.testing.sample import sample_package
from ennead_models.lifecycle import ModelState
from ennead_pipelines import lanes
from ennead_pipelines.api.feed import Feed, Listener, _Reader
from ennead_pipelines.held import held
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.tables import findings, held_objects, jobs, study_states

Measured = Callable[..., str]
READERS = (Role.RADIOLOGIST, Role.CLINICIAN, Role.TECHNOLOGIST)


def as_model(package: DiscoveredPackage, state: str, **changes: Any) -> ModelPackage:
    values = {f.name: getattr(package, f.name) for f in fields(package)}
    assert package.manifest is not None
    values["manifest"] = package.manifest.model_copy(update={"function": []})  # models have none
    return ModelPackage(**(values | changes), state=ModelState(state))


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> ModelPackage:
    """The sample package as if a model had been derived to it: in the shadow, or as asked."""
    return as_model(sample_package(), getattr(request, "param", "shadow"))


pilot = pytest.mark.parametrize("sample", ["pilot"], indirect=True)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes,
        "pilots_of",
        lambda _, name: frozenset({("sample", "1.0.0")} if name == "bs.an" else ()),
    )
    import ennead_pipelines.reviewing as reviewing

    monkeypatch.setattr(reviewing, "pilots_of", lanes.pilots_of)


def get(client: TestClient, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}", params={"lang": "vi"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def secrets_of(database: Database) -> dict[str, str]:
    """Everything that would betray a held result."""
    with database.read() as connection:
        job = connection.execute(select(jobs)).one()
        finding = connection.execute(select(findings)).one()
        held_uids = list(connection.execute(select(held_objects.c.instance_uid)).scalars())
    assert sorted(held_uids) == sorted([job.seg_instance_uid, job.sr_instance_uid])
    return {
        "job_id": job.id,
        "finding_id": finding.id,
        "seg_series": job.seg_series_uid,
        "sr_series": job.sr_series_uid,
        "seg": job.seg_instance_uid,
        "sr": job.sr_instance_uid,
        "tracking": finding.tracking_uid,
        "title": "Vùng sáng",
        "package_title": "Mẫu thử",
        "package": "sample",
    }


def test_held_results_are_in_the_database_and_not_in_the_archive(
    measured: Measured, database: Database, archive: Archive
) -> None:
    study = measured(SeriesDescription="urgent")
    secrets = secrets_of(database)
    assert [s.modality for s in archive.series(study)] == ["CT"]  # type: ignore[arg-type]
    for name in ("seg", "sr"):
        assert archive.find_instance(secrets[name]) is None  # type: ignore[arg-type]
    with database.read() as connection:
        objects = held(connection, secrets["job_id"])
        line = connection.execute(select(study_states)).one()
        lane = connection.execute(select(findings.c.lane)).scalar_one()
    assert [o.kind for o in objects] == ["seg", "sr"]
    assert all(o.data[128:132] == b"DICM" for o in objects)
    assert (line.state, line.urgent, line.findings) == ("none", False, 0)
    assert lane == "shadow"


def paths_of(app: FastAPI) -> list[tuple[str, list[str]]]:
    """Every GET route with the names of its path parameters.

    Not the stream of events (below), and not the operator's counters, which name no study.
    """
    found = []
    for path, methods in app.openapi()["paths"].items():
        if "get" in methods and path not in ("/api/v1/events", "/metrics"):
            names = [p["name"] for p in methods["get"].get("parameters", []) if p["in"] == "path"]
            found.append((path, names))
    return found


def test_no_route_shows_a_shadow_result_to_a_reader(
    app: FastAPI,
    client_of: Callable[..., TestClient],
    measured: Measured,
    database: Database,
) -> None:
    study = measured(SeriesDescription="urgent")
    secrets = secrets_of(database)
    with database.read() as connection:
        ct_series = next(iter(connection.execute(select(jobs.c.inputs)).scalar_one().values()))
    known = {
        "study_uid": [study],
        "study": [study],
        "series_uid": [secrets["seg_series"], secrets["sr_series"], ct_series],
        "series": [secrets["seg_series"], secrets["sr_series"], ct_series],
        "instance_uid": [secrets["seg"], secrets["sr"]],
        "instance": [secrets["seg"], secrets["sr"]],
        "job_id": [secrets["job_id"]],
        "finding_id": [secrets["finding_id"]],
        "package_id": ["sample"],
        "model_id": ["sample"],
    }
    for role in READERS:
        _look_everywhere(app, client_of(role, str(role)), role, known, secrets)


def _look_everywhere(
    app: FastAPI,
    client: TestClient,
    role: Role,
    known: dict[str, list[str]],
    secrets: dict[str, str],
) -> None:
    called = 0
    for path, names in paths_of(app):
        lists = [known.get(name, ["1"]) for name in names]
        for n in range(max((len(each) for each in lists), default=1)):
            values = {k: v[min(n, len(v) - 1)] for k, v in zip(names, lists, strict=True)}
            answer = client.get(path.format(**values), params={"lang": "vi"})
            called += 1
            told = [
                name
                for name, secret in secrets.items()
                if secret not in values.values() and secret in answer.text
            ]
            assert told == [], f"GET {path} tells {told} to a {role}: {answer.text[:2000]}"
            named = {secrets[k] for k in ("job_id", "finding_id", "seg", "sr")}
            if named & set(values.values()):
                assert answer.status_code != 200 or answer.text in ("", "[]"), path
    assert called > 15


def test_those_who_manage_models_see_it_marked(
    client_of: Callable[..., TestClient], measured: Measured
) -> None:
    study = measured()
    for role in (Role.DATA_SCIENTIST, Role.ADMIN):
        client = client_of(role, str(role))
        (finding,) = get(client, f"studies/{study}/findings")["findings"]
        assert (finding["lane"], finding["unverified"]) == ("shadow", True)
        (job,) = get(client, f"studies/{study}/jobs")["jobs"]
        assert (job["lane"], job["state"]) == ("shadow", "done")
        events = get(client, f"studies/{study}/timeline")["events"]
        assert events[-1]["text"].startswith("Kết quả được giữ riêng: Mẫu thử")
        assert [e["lane"] for e in events[:2]] == ["active", "active"]
        assert events[-1]["lane"] == "shadow"
        assert not any("dicom-web" in link["href"] for link in events[-1]["links"])
        (item,) = get(client, "studies")["studies"]
        assert item["ai"]["state"] == "none"
        assert item["ai"]["held"] == {"shadow": 1}
        (package,) = get(client, "packages")["packages"]
        assert (package["lane"], package["enabled"]) == ("shadow", True)


def test_nobody_decides_in_the_shadow(
    client_of: Callable[..., TestClient], measured: Measured, database: Database, archive: Archive
) -> None:
    measured()
    finding = secrets_of(database)["finding_id"]
    reader = client_of()
    assert reader.post(f"/api/v1/findings/{finding}/accept").status_code == 404
    assert client_of(Role.ADMIN, "a").post(f"/api/v1/findings/{finding}/accept").status_code == 403
    with database.begin() as connection:
        from ennead.security import SYSTEM, tokens

        both = {Role.RADIOLOGIST, Role.DATA_SCIENTIST}
        secret = tokens.create(connection, SYSTEM, name="both", roles=both)
    reader.headers["Authorization"] = f"Bearer {secret}"
    assert reader.post(f"/api/v1/findings/{finding}/accept").status_code == 409
    assert held_count(database) == 2


def held_count(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(held_objects.c.kind)).all())


@pilot
def test_a_pilot_is_for_chosen_readers_and_their_decision_releases_it(
    chosen: None,
    client_of: Callable[..., TestClient],
    measured: Measured,
    database: Database,
    archive: Archive,
    job_rows: Callable[[], list[Any]],
) -> None:
    study = measured()
    an, binh = client_of(name="bs.an"), client_of(name="bs.binh")
    assert get(binh, f"studies/{study}/findings")["findings"] == []
    (finding,) = get(an, f"studies/{study}/findings")["findings"]
    assert finding["lane"] == "pilot"
    assert get(an, "studies")["studies"][0]["ai"]["held"] == {"pilot": 1}
    assert binh.post(f"/api/v1/findings/{finding['id']}/accept").status_code == 404
    assert held_count(database) == 2

    answer = an.post(f"/api/v1/findings/{finding['id']}/accept?lang=vi")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["lane"]) == ("accepted", "active")
    (job,) = job_rows()
    assert held_count(database) == 0
    for uid in (job.seg_instance_uid, job.sr_instance_uid, job.current_sr_uid):
        assert archive.find_instance(uid) is not None
    assert job.current_sr_uid != job.sr_instance_uid
    assert get(binh, f"studies/{study}/findings")["findings"][0]["state"] == "accepted"
    steps = [e["text"] for e in get(binh, f"studies/{study}/timeline")["events"]]
    assert "bs.an đã đưa kết quả của Mẫu thử 1.0.0 vào kho ảnh." in steps
    audited = client_of(Role.ADMIN, "admin").get("/api/v1/audit").text
    assert "result.held" in audited and "result.released" in audited


@pilot
def test_a_decision_that_failed_after_the_release_can_be_repeated(
    chosen: None,
    client_of: Callable[..., TestClient],
    measured: Measured,
    database: Database,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The archive took the objects, the transaction after it did not come: nothing is doubled."""
    study = measured()
    an = client_of(name="bs.an")
    (finding,) = get(an, f"studies/{study}/findings")["findings"]
    with database.read() as connection:
        job_id = connection.execute(select(jobs.c.id)).scalar_one()
        for each in held(connection, job_id):
            archive.store(each.data, source="test")
    assert an.post(f"/api/v1/findings/{finding['id']}/accept").status_code == 200
    assert len(archive.series(study)) == 3  # type: ignore[arg-type]


def test_versions_run_beside_each_other_and_a_release_replaces(
    client_of: Callable[..., TestClient],
    measured: Measured,
    settle: Callable[[], None],
    database: Database,
    archive: Archive,
) -> None:
    """An active version's findings stay while another version runs in the shadow."""
    study = measured()
    with database.begin() as connection:
        row = connection.execute(select(jobs)).one()
        older = dict(row._mapping) | {
            "id": "0" * 32,
            "lane": "active",
            "version": "0.9.0",
            "current_sr_uid": "1.2.9",
        }
        connection.execute(jobs.insert().values(**older))
        finding = dict(connection.execute(select(findings)).one()._mapping)
        connection.execute(
            findings.insert().values(
                **finding
                | {"id": "1" * 32, "job_id": "0" * 32, "lane": "active", "version": "0.9.0"}
            )
        )
        from ennead_pipelines.jobs import refresh_study_state

        refresh_study_state(connection, study)
    reader, scientist = client_of(), client_of(Role.DATA_SCIENTIST, "ds")
    (seen,) = get(reader, f"studies/{study}/findings")["findings"]
    assert seen["version"] == "0.9.0"
    assert [f["version"] for f in get(scientist, f"studies/{study}/findings")["findings"]] == [
        "1.0.0",
        "0.9.0",
    ]
    from ennead.security import SYSTEM
    from ennead_pipelines.held import release

    release(database, archive, row.id, SYSTEM)
    release(database, archive, row.id, SYSTEM)  # again: nothing happens
    (seen,) = get(reader, f"studies/{study}/findings")["findings"]
    assert seen["version"] == "1.0.0"
    states = {j["version"]: j["state"] for j in get(reader, f"studies/{study}/jobs")["jobs"]}
    assert states == {"1.0.0": "done", "0.9.0": "superseded"}


def test_promotion_releases_nothing_by_itself(
    measured: Measured,
    settle: Callable[[], None],
    database: Database,
    catalogue: Any,
    job_rows: Callable[[], list[Any]],
    send: Callable[..., str],
) -> None:
    from ennead_pipelines.tables import settlements

    measured()
    catalogue._discover = lambda: [as_model(sample_package(), "active")]
    catalogue._at = float("-inf")
    with database.begin() as connection:
        connection.execute(update(settlements).values(settled_at=None))
    settle()
    (job,) = job_rows()
    assert (job.lane, job.state) == ("shadow", "done")
    send(seed="next")
    settle()
    assert {j.lane for j in job_rows()} == {"shadow", "active"}


def test_a_run_in_the_shadow_again_holds_nothing_new(
    measured: Measured, database: Database, settle: Callable[[], None]
) -> None:
    from ennead_pipelines.tables import settlements

    measured()
    before = held_count(database)
    with database.begin() as connection:
        connection.execute(update(settlements).values(settled_at=None))
    settle()
    assert held_count(database) == before == 2


@pytest.mark.parametrize(
    ("roles", "name", "hears"),
    [
        ({Role.RADIOLOGIST}, "bs.an", False),
        ({Role.CLINICIAN}, "bs.le", False),
        ({Role.DATA_SCIENTIST}, "ds", True),
    ],
)
def test_events_of_the_shadow_reach_those_who_see_it(
    roles: set[Role],
    name: str,
    hears: bool,
    database: Database,
    send: Callable[..., str],
    settle: Callable[[], None],
) -> None:
    reader = _Reader(database)
    assert reader.read() == []
    study = send()
    settle()
    messages = reader.read()
    job_messages = [m for m in messages if m.kind == "job"]
    assert job_messages and all(m.about == ("shadow", "sample", "1.0.0") for m in job_messages)
    principal = Principal(name, name, frozenset(roles))
    feed = Feed(database)
    seen = feed._seen(principal, messages)
    assert ("job" in {m.kind for m in seen}) is hears
    assert {"study_uid": study} in [dict(m.data) for m in seen if m.kind == "study"]

    async def run() -> list[str]:
        listener = Listener(asyncio.get_running_loop(), principal)
        feed._offer(listener, messages)
        await asyncio.sleep(0.01)
        kinds = []
        while (message := await listener.next(0.05)) is not None:
            kinds.append(message.kind)
        return kinds

    assert ("job" in asyncio.run(run())) is hears


def test_sight() -> None:
    assert lanes.Sight().sees(Lane.ACTIVE, "x", "1.0.0")
    assert not lanes.Sight().sees(Lane.SHADOW, "x", "1.0.0")
    one = lanes.Sight(pilots=frozenset({("x", "1.0.0")}))
    assert one.sees(Lane.PILOT, "x", "1.0.0")
    assert not one.sees(Lane.PILOT, "x", "1.1.0")
    assert not one.sees(Lane.SHADOW, "x", "1.0.0")
    assert lanes.Sight(everything=True).sees(Lane.SHADOW, "x", "1.0.0")
