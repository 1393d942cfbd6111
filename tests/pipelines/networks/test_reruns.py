"""Re-runs over studies of the past, and the difference of two versions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.security import Role
from ennead_models.records import InstalledModel
from ennead_pipelines.networks.compare import Overlaps, Result, compare
from ennead_pipelines.networks.reruns import Expander
from ennead_pipelines.tables import held_objects, job_differences

Install = Callable[..., InstalledModel]
Client = Callable[..., TestClient]
URL = "/api/v1/models/bright/1.1.0"


def answer_of(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


@pytest.fixture
def past(install: Install, send: Any, settle: Any, run_jobs: Any) -> Callable[..., list[str]]:
    """Studies that the active version 1.0.0 has computed; then 1.1.0 is installed."""

    def make(count: int = 2, state: str = "validated") -> list[str]:
        install("active")
        studies = [send(seed=str(n), StudyDate=f"2025010{n + 1}") for n in range(count)]
        settle()
        run_jobs()
        install(state, version="1.1.0")
        return studies

    return make


def test_a_rerun_computes_in_the_shadow_and_shows_the_difference(
    past: Callable[..., list[str]],
    client_of: Client,
    expander: Expander,
    run_jobs: Any,
    job_rows: Any,
    archive: Archive,
    database: Database,
) -> None:
    first, second = past()
    client = client_of()
    asked = answer_of(client.post(f"{URL}/rerun", json={"studies": [first, second]}), 202)
    assert (asked["state"], asked["studies"], asked["jobs"]["waiting"]) == ("running", 2, 2)
    assert expander.step() and not expander.step()
    rows = [j for j in job_rows() if j.version == "1.1.0"]
    assert {(j.lane, j.priority, j.state) for j in rows} == {("shadow", 90, "waiting")}
    run_jobs()
    number = asked["id"]
    now = answer_of(client.get(f"{URL}/reruns/{number}"))
    assert (now["state"], now["jobs"]["done"]) == ("done", 2)
    assert now["finished_at"] is not None
    assert [s.modality for s in archive.series(first)] == ["CT", "SEG", "SR"]  # type: ignore[arg-type]

    found = answer_of(
        client.get(
            "/api/v1/models/bright/difference",
            params={"from": "1.0.0", "to": "1.1.0", "lang": "vi"},
        )
    )
    assert (found["studies_compared"], found["pending"], found["total"]) == (2, 0, 2)
    summary = found["summary"]
    assert (summary["matched"], summary["only_from"], summary["only_to"]) == (2, 0, 0)
    assert summary["agreement"]["value"] == 1.0
    # The box has 5 rows; the newer version adds one: 2·5/(5+6).
    assert summary["dice"]["value"] == pytest.approx(10 / 11)
    (volume,) = summary["values"]
    voxels_cm3 = 3 * 4 * 2.0 * 1.5 * 1.25 / 1000
    assert volume["bias"] == pytest.approx(voxels_cm3)
    assert (volume["unit"], volume["title"], volume["n"]) == ("cm3", "Thể tích", 2)
    (finding,) = found["studies"][0]["findings"]
    assert (finding["change"], finding["title"]) == ("matched", "Vùng sáng")
    assert finding["dice"] == pytest.approx(10 / 11)
    assert finding["values"][0]["percent"] == pytest.approx(20.0)
    with database.read() as connection:
        remembered = connection.execute(select(job_differences)).all()
    assert len(remembered) == 2


def test_the_same_version_again_computes_and_stores_nothing(
    past: Callable[..., list[str]],
    client_of: Client,
    expander: Expander,
    run_jobs: Any,
    job_rows: Any,
    database: Database,
) -> None:
    studies = past()
    client = client_of()
    for expected in ("done", "same"):
        asked = answer_of(client.post(f"{URL}/rerun", json={"studies": studies}), 202)
        expander.step()
        outputs = run_jobs()
        now = answer_of(client.get(f"{URL}/reruns/{asked['id']}"))
        assert now["jobs"][expected] == 2
        assert (now["state"], len(outputs)) == ("done", 2 if expected == "done" else 0)
    with database.read() as connection:
        assert len(connection.execute(select(held_objects.c.kind)).all()) == 4
    # and of the version whose results are in the archive
    asked = answer_of(
        client.post("/api/v1/models/bright/1.0.0/rerun", json={"studies": studies}), 202
    )
    expander.step()
    assert run_jobs() == []
    now = answer_of(client.get(f"/api/v1/models/bright/1.0.0/reruns/{asked['id']}"))
    assert now["jobs"]["same"] == 2
    assert len(answer_of(client.get(f"{URL}/reruns"))["reruns"]) == 2


def test_studies_by_filter_missing_ones_and_cancelling(
    past: Callable[..., list[str]],
    client_of: Client,
    expander: Expander,
    run_jobs: Any,
    job_rows: Any,
) -> None:
    past(3)
    client = client_of()
    chosen = {"modality": "CT", "date_from": "2025-01-02", "date_to": "2025-01-31", "limit": 10}
    asked = answer_of(client.post(f"{URL}/rerun", json={"filter": chosen}), 202)
    assert asked["studies"] == 2
    expander.step()
    gone = answer_of(client.post(f"{URL}/rerun", json={"studies": ["1.2.3"]}), 202)
    expander.step()
    now = answer_of(client.get(f"{URL}/reruns/{gone['id']}"))
    assert (now["missing"], now["state"]) == (1, "done")
    cancelled = answer_of(client.post(f"{URL}/reruns/{asked['id']}/cancel"))
    assert (cancelled["state"], cancelled["jobs"]["cancelled"]) == ("cancelled", 2)
    assert run_jobs() == []
    again = answer_of(client.post(f"{URL}/rerun", json={"filter": chosen}), 202)
    expander.step()
    assert len(run_jobs()) == 2  # cancelled jobs are put back
    assert answer_of(client.get(f"{URL}/reruns/{again['id']}"))["jobs"]["done"] == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"studies": ["1.2"], "filter": {}}, 400),
        ({"filter": {"date_from": "yesterday"}}, 422),
        ({"filter": {"modality": "US"}}, 400),
        ({"studies": ["1.2"], "lane": "active"}, 422),
    ],
)
def test_what_a_rerun_refuses(
    body: dict[str, Any], status: int, install: Install, client_of: Client
) -> None:
    install("shadow", version="1.1.0")
    assert client_of().post(f"{URL}/rerun", json=body).status_code == status


def test_who_may_and_for_which_versions(install: Install, client_of: Client) -> None:
    install("retired", version="1.1.0")
    reader = client_of(Role.RADIOLOGIST, "bs.an")
    assert reader.post(f"{URL}/rerun", json={"studies": ["1.2"]}).status_code == 403
    difference = {"from": "1.0.0", "to": "1.1.0"}
    assert reader.get("/api/v1/models/bright/difference", params=difference).status_code == 403
    client = client_of()
    assert client.post(f"{URL}/rerun", json={"studies": ["1.2"]}).status_code == 409
    other = "/api/v1/models/bright/9.0.0/rerun"
    assert client.post(other, json={"studies": ["1.2"]}).status_code == 404
    assert client.get("/api/v1/models/bright/difference", params=difference).status_code == 404
    same = {"from": "1.1.0", "to": "1.1.0"}
    assert client.get("/api/v1/models/bright/difference", params=same).status_code == 400


def test_release_on_demand(
    past: Callable[..., list[str]],
    install: Install,
    client_of: Client,
    expander: Expander,
    run_jobs: Any,
    job_rows: Any,
    archive: Archive,
) -> None:
    (study,) = past(1, state="shadow")
    client = client_of()
    client.post(f"{URL}/rerun", json={"studies": [study]})
    expander.step()
    run_jobs()
    job = next(j for j in job_rows() if j.version == "1.1.0")
    reader = client_of(Role.RADIOLOGIST, "bs.an")
    for kind in ("seg", "sr"):
        assert client.get(f"/api/v1/jobs/{job.id}/objects/{kind}").content[128:132] == b"DICM"
        assert reader.get(f"/api/v1/jobs/{job.id}/objects/{kind}").status_code == 404
    refused = client.post(f"/api/v1/jobs/{job.id}/release")
    assert (refused.status_code, "Promote it first" in refused.text) == (409, True)
    install("active", version="1.1.0")
    assert [s.modality for s in archive.series(study)] == ["CT", "SEG", "SR"]  # type: ignore[arg-type]
    assert reader.post(f"/api/v1/jobs/{job.id}/release").status_code == 403
    released = answer_of(client.post(f"/api/v1/jobs/{job.id}/release"))
    assert released["lane"] == "active"
    assert len(archive.series(study)) == 5  # type: ignore[arg-type]
    assert reader.get(f"/api/v1/jobs/{job.id}/objects/seg").status_code == 200
    found = answer_of(reader.get(f"/api/v1/studies/{study}/findings"))["findings"]
    assert [f["version"] for f in found] == ["1.1.0"]


def finding(label: str = "nodule", number: int = 0, at: float = 0.0, **extra: Any) -> Any:
    segments = [{"number": number}] if number else []
    return {
        "label": label,
        "title": {"en": label},
        "codes": {"finding": {"code": label, "scheme": "T", "meaning": label}},
        "series_uid": "1.1",
        "key_image": {"point_mm": [at, 0.0, 0.0]},
        "segments": segments,
        "measurements": [],
        "qualifiers": [],
        **extra,
    }


def result(*documents: Any, labels: Any = None, series: str = "1.1") -> Result:
    listed = [(f"{n}", document) for n, document in enumerate(documents)]
    frames = None if labels is None else {"k": np.array([labels], dtype=np.uint16)}
    return Result(listed, frames, series)


class TestMatching:
    """Which finding of one version is which of the other."""

    def test_largest_overlap_first(self) -> None:
        first = result(finding(number=1), finding(number=2), labels=[1, 1, 1, 2, 2, 0])
        second = result(finding(number=1), finding(number=2), labels=[0, 0, 2, 2, 1, 1])
        # 1↔2 shares one voxel (Dice 2/5), 2↔1 one (Dice 1/2), 2↔2 one (Dice 1/2).
        found = {(f["from"], f["to"]): f["dice"] for f in compare(first, second)}
        assert found == {("1", "0"): 0.5, ("0", "1"): 0.4}

    def test_nearest_point_then_alone(self) -> None:
        first = result(finding(number=1, at=0.0), labels=[1, 0, 0])
        near = result(finding(number=1, at=15.0), finding(number=2, at=10.0), labels=[0, 1, 2])
        found = compare(first, near)
        assert [(f["change"], f["from"], f["to"]) for f in found] == [
            ("matched", "0", "1"),
            ("only_to", None, "0"),
        ]
        far = result(finding(number=1, at=25.0), labels=[0, 0, 1])
        assert [f["change"] for f in compare(first, far)] == ["only_from", "only_to"]

    def test_another_label_is_another_finding(self) -> None:
        found = compare(result(finding("a", 1), labels=[1]), result(finding("b", 1), labels=[1]))
        assert [f["change"] for f in found] == ["only_from", "only_to"]

    def test_a_class_by_its_label(self) -> None:
        score = {"id": "s", "title": {"en": "S"}, "unit": "1", "decimals": 3}
        one = finding("pneumothorax", measurements=[{**score, "value": 0.2}])
        absent = {**one, "qualifiers": [{"code": "absent"}]}
        other = finding("pneumothorax", measurements=[{**score, "value": 0.7}])
        (row,) = compare(result(one), result(other))
        assert row["change"] == "matched"
        assert row["values"][0]["difference"] == pytest.approx(0.5)
        assert row["values"][0]["percent"] == pytest.approx(250.0)
        (row,) = compare(result(absent), result(other))
        assert (row["change"], row["from"], row["to"]) == ("only_to", "0", "0")

    def test_sought_and_absent_is_no_finding(self) -> None:
        absent = finding(qualifiers=[{"code": "absent"}])
        assert compare(result(absent), result(absent)) == []
        (row,) = compare(result(absent), result(finding(number=1), labels=[1]))
        assert row["change"] == "only_to"
        assert compare(result(), result(absent)) == []

    def test_other_series_are_matched_by_label(self) -> None:
        first = result(finding("liver", 1), labels=[1])
        moved = result(finding("liver", 1, series_uid="1.2"), labels=[1], series="1.2")
        (row,) = compare(first, moved)
        assert (row["change"], row["dice"], row["distance_mm"]) == ("matched", None, None)

    def test_frames_that_one_side_leaves_out_are_empty(self) -> None:
        full = np.ones((2, 2), np.uint16)
        first = Result([], {"a": full, "b": full}, "s")
        second = Result([], {"b": full}, "s")
        overlaps = Overlaps.of(first, second)
        assert overlaps is not None
        assert overlaps.dice([1], [1]) == pytest.approx(2 * 4 / (8 + 4))
        assert overlaps.dice([], []) is None
        assert Overlaps.of(first, Result([], None)) is None
