"""Agreement, drift and the page of facts, from rows whose numbers are known."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from ennead.database import Database
from ennead.security import Role
from ennead_models.records import InstalledModel, Pilot
from ennead_pipelines.lanes import Sight
from ennead_pipelines.networks.agreement import agreement, week_of
from ennead_pipelines.networks.drift import NEEDED, drift
from ennead_pipelines.networks.psi import stability
from ennead_pipelines.tables import decisions, findings, job_refusals, jobs

Install = Callable[..., InstalledModel]
MONDAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


def document(value: float = 10.0) -> dict[str, Any]:
    return {
        "label": "Bright region",
        "title": {"vi": "Vùng sáng", "en": "Bright region"},
        "measurements": [
            {
                "id": "bright_volume",
                "title": {"vi": "Thể tích", "en": "Volume"},
                "unit": "cm3",
                "value": value,
            }
        ],
    }


class Rows:
    """Writes jobs, findings and decisions as a year of work would leave them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number = 0

    def job(self, at: dt.datetime = MONDAY, **values: Any) -> str:
        self._number += 1
        row = {
            "id": f"{self._number:032d}",
            "study_uid": f"1.2.{self._number}",
            "package": "bright",
            "version": "1.0.0",
            "manifest_digest": "m",
            "input_digest": "i",
            "parameters_digest": "p",
            "title": {"en": "Bright"},
            "inputs": {},
            "state": "done",
            "not_before": at,
            "created_at": at,
            "updated_at": at,
            "finished_at": at,
            "sr_instance_uid": "1.9",
        }
        with self._database.begin() as connection:
            connection.execute(insert(jobs).values(**(row | values)))
        return str(row["id"])

    def finding(self, job: str, value: float = 10.0, **values: Any) -> str:
        row = {
            "id": f"f{job[1:]}",
            "job_id": job,
            "study_uid": "1.2",
            "package": "bright",
            "version": "1.0.0",
            "ordinal": 0,
            "state": "proposed",
            "urgent": False,
            "tracking_uid": "1.3",
            "document": document(value),
            "created_at": MONDAY,
        }
        with self._database.begin() as connection:
            connection.execute(insert(findings).values(**(row | values)))
        return str(row["id"])

    def decision(self, finding: str, state: str, revision: int = 1, **values: Any) -> None:
        row: dict[str, Any] = {
            "finding_id": finding,
            "revision": revision,
            "state": state,
            "reader": "bs.an",
            "reader_name": "BS. An",
            "at": MONDAY,
            "values": {},
            "sr_instance_uid": "1.4",
        }
        with self._database.begin() as connection:
            connection.execute(insert(decisions).values(**(row | values)))
            connection.execute(
                findings.update().where(findings.c.id == finding).values(state=state)
            )


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


def test_agreement(rows: Rows, database: Database) -> None:
    week = dt.timedelta(7)
    made = [rows.finding(rows.job(), value) for value in (10.0, 12.0, 14.0, 9.0)]
    newer = rows.finding(rows.job(version="1.1.0"), version="1.1.0")
    rows.finding(rows.job())  # waits
    rows.finding(rows.job(lane="shadow"), lane="shadow")  # nobody may decide
    rows.decision(made[0], "rejected", reason="false-positive")
    rows.decision(made[0], "accepted", revision=2)  # they changed their mind
    rows.decision(made[1], "edited", values={"bright_volume": 11.0}, at=MONDAY + week)
    rows.decision(made[2], "edited", values={"bright_volume": 15.0}, at=MONDAY + week)
    rows.decision(made[3], "rejected", reason="wrong-size", at=MONDAY + week)
    rows.decision(newer, "accepted", at=MONDAY + 2 * week)
    with database.read() as connection:
        found = agreement(connection, "bright")
    assert (found["decided"], found["accepted"], found["edited"], found["rejected"]) == (5, 2, 2, 1)
    assert found["waiting"] == 1
    assert found["rates"]["accepted"]["value"] == pytest.approx(0.4)
    assert found["reasons"] == [{"reason": "wrong-size", "count": 1}]
    assert [(v["version"], v["decided"]) for v in found["by_version"]] == [
        ("1.1.0", 1),
        ("1.0.0", 4),
    ]
    assert [(w["from"], w["to"], w["decided"]) for w in found["over_time"]] == [
        ("2026-01-05", "2026-01-11", 1),
        ("2026-01-12", "2026-01-18", 3),
        ("2026-01-19", "2026-01-25", 1),
    ]
    (values,) = found["values"]
    assert (values["bias"], values["n"]) == (0.0, 2)  # +1 and −1
    assert values["sd"] == pytest.approx(2**0.5)
    assert values["points"][0] == {"ai": 12.0, "reader": 11.0}
    assert found["by_finding"][0]["title"]["vi"] == "Vùng sáng"
    with database.read() as connection:
        nothing = agreement(connection, "other")
    assert (nothing["decided"], nothing["rates"]["edited"]["value"]) == (0, None)


def test_weeks_begin_on_monday_in_utc() -> None:
    assert week_of(dt.datetime(2026, 1, 4, 23, tzinfo=dt.UTC)) == "2025-12-29"
    east = dt.timezone(dt.timedelta(hours=7))
    assert week_of(dt.datetime(2026, 1, 5, 3, tzinfo=east)) == "2025-12-29"


def test_drift_of_inputs_outputs_and_refusals(rows: Rows, database: Database) -> None:
    """100 runs at 120 kV, then 100 of which 40 are at 80 kV and refused for it."""
    rng = np.random.default_rng(2)
    for n in range(200):
        late = n >= 100
        refused = late and n % 5 < 2
        at = MONDAY + dt.timedelta(hours=4 * n)
        features = {
            "kvp": 80.0 if refused else 120.0,
            "slices": float(rng.integers(200, 400)),
            "manufacturer": "SIEMENS",
        }
        job = rows.job(at, features=features, state="refused" if refused else "done")
        if refused:
            with database.begin() as connection:
                row = {
                    "job_id": job,
                    "stage": "run",
                    "code": "TECHNIQUE",
                    "subject": "",
                    "subject_title": {},
                    "text_key": "",
                    "text_values": {},
                }
                connection.execute(insert(job_refusals).values(**row))
        else:
            rows.finding(job, float(rng.normal(15 if late else 10, 2)))
    with database.read() as connection:
        found = drift(connection, "bright", "1.0.0", Sight())
    assert found["enough"] is True
    assert (found["reference"]["n"], found["recent"]["n"]) == (100, 100)
    assert found["reference"]["from"] == "2026-01-05"
    inputs = {f["feature"]: f for f in found["inputs"]}
    # 0 → 40 % at 80 kV, by hand with half a count in each of two bins:
    p, q = 0.5 / 101, 40.5 / 101
    by_hand = (q - p) * np.log(q / p) + ((1 - q) - (1 - p)) * np.log((1 - q) / (1 - p))
    assert inputs["kvp"]["psi"] == pytest.approx(by_hand)
    assert (inputs["kvp"]["level"], inputs["kvp"]["kind"]) == ("large", "number")
    assert [b["label"] for b in inputs["kvp"]["bins"]] == ["80", "120"]
    assert [b["recent"] for b in inputs["kvp"]["bins"]] == [0.4, 0.6]
    assert (inputs["manufacturer"]["psi"], inputs["manufacturer"]["level"]) == (0.0, "none")
    assert inputs["slices"]["level"] == "none"
    assert inputs["slices"]["over_time"][0]["n"] == 40  # Monday from 9:00 on
    (volume,) = found["outputs"]
    assert (volume["feature"], volume["level"], volume["unit"]) == (
        "bright_volume",
        "large",
        "cm3",
    )
    assert volume["over_time"][0]["median"] == pytest.approx(10, abs=1)
    assert found["refusals"]["reference"]["value"] == 0.0
    assert found["refusals"]["recent"]["value"] == 0.4
    assert found["refusals"]["by_code"] == [{"code": "TECHNIQUE", "count": 40}]


def test_few_runs_say_nothing_and_unseen_lanes_are_left_out(rows: Rows, database: Database) -> None:
    for n in range(2 * NEEDED):
        rows.job(MONDAY + dt.timedelta(hours=n), features={"kvp": 80.0 + n}, lane="shadow")
    with database.read() as connection:
        reader = drift(connection, "bright", "1.0.0", Sight())
        manager = drift(connection, "bright", "1.0.0", Sight(everything=True))
        other = drift(connection, "bright", "2.0.0", Sight(everything=True))
    assert (reader["enough"], reader["reference"]["n"], reader["inputs"]) == (False, 0, [])
    assert (manager["enough"], manager["inputs"][0]["level"]) == (True, "large")
    assert other["refusals"]["recent"]["value"] is None


@pytest.mark.parametrize("size", [40, 200])
def test_samples_of_one_distribution_have_not_moved(size: int) -> None:
    rng = np.random.default_rng(9)
    levels = []
    for _ in range(50):
        found = stability(list(rng.normal(size=size)), list(rng.normal(size=size)))
        assert found is not None
        levels.append(found.level)
    assert levels.count("none") >= 45
    moved = stability(list(rng.normal(size=size)), list(rng.normal(2.0, 1.0, size)))
    assert moved is not None and moved.level == "large"
    assert moved.bins[0].low is None and moved.bins[-1].high is None
    assert sum(b.reference for b in moved.bins) == pytest.approx(1.0)


def test_what_is_missing_is_a_bin_of_its_own() -> None:
    found = stability(["B30f"] * 40, ["B30f"] * 20 + [None] * 20)
    assert found is not None
    assert (found.kind, found.level) == ("category", "large")
    assert [(b.label, b.recent) for b in found.bins] == [("B30f", 0.5), ("–", 0.5)]
    assert stability([], ["x"]) is None


class TestPage:
    """The page as people of different roles get it."""

    def test_of_a_model(
        self, install: Install, client_of: Callable[..., TestClient], rows: Rows
    ) -> None:
        install("active", intended_use__contraindications={"vi": ["trẻ em"], "en": ["children"]})
        install("shadow", version="1.1.0")
        rows.decision(rows.finding(rows.job()), "accepted")
        reader, scientist = client_of(Role.CLINICIAN, "bs.le"), client_of()
        answer = reader.get("/api/v1/models/bright/facts", params={"lang": "vi"})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert (page["kind"], page["version"], page["lane"], page["state"]) == (
            "model",
            "1.0.0",
            "active",
            "active",
        )
        assert page["title"] == "Vùng sáng"
        assert [v["version"] for v in page["versions"]] == ["1.0.0"]
        assert page["identity"]["weights_sha256"] == "0" * 64
        assert page["identity"]["installed_at"].endswith("Z")
        assert page["intended_use"]["status_text"].startswith("Nghiên cứu")
        assert page["warnings"]["contraindications"] == ["trẻ em"]
        assert page["training_data"]["text"] == "nothing: a threshold at 0 HU"
        assert "một trong 1 nhãn" in page["mechanism"]["text"]
        assert page["mechanism"]["labels"][0]["title"] == "Vùng sáng"
        assert page["mechanism"]["card"] is None
        assert page["agreement"]["accepted"] == 1
        assert page["drift"]["enough"] is False
        assert page["local_validation"] == {"reports": [], "latest": None}
        assert page["licence"]["accepted_by"] == "ds.lan"
        steps = [(e["version"], e["to"]) for e in page["maintenance"]["history"]]
        assert ("1.0.0", "active") in steps
        every = scientist.get("/api/v1/models/bright/facts").json()
        assert [v["version"] for v in every["versions"]] == ["1.0.0", "1.1.0"]
        newer = {"version": "1.1.0"}
        assert reader.get("/api/v1/models/bright/facts", params=newer).status_code == 404
        found = scientist.get("/api/v1/models/bright/facts", params=newer).json()
        assert found["lane"] == "shadow"
        assert scientist.get("/api/v1/models/nothing/facts").status_code == 404

    def test_of_a_pilot_for_its_readers(
        self, install: Install, client_of: Callable[..., TestClient]
    ) -> None:
        install("pilot", Pilot(("bs.an",)))
        url = "/api/v1/models/bright/facts"
        assert client_of(Role.RADIOLOGIST, "bs.an").get(url).json()["lane"] == "pilot"
        assert client_of(Role.RADIOLOGIST, "bs.binh").get(url).status_code == 404

    def test_history_tells_a_reader_nothing_of_the_shadow(
        self, install: Install, client_of: Callable[..., TestClient]
    ) -> None:
        install("active")
        install("shadow", version="1.1.0")
        page = client_of(Role.CLINICIAN, "bs.le").get("/api/v1/models/bright/facts")
        assert "1.1.0" not in page.text

    def test_of_a_package(
        self, packages: Any, client_of: Callable[..., TestClient], database: Database
    ) -> None:
        from ennead.testing.sample import sample_package

        packages.append(sample_package())
        page = client_of(Role.CLINICIAN, "bs.le").get("/api/v1/packages/sample/facts").json()
        assert (page["kind"], page["lane"], page["local_validation"]) == ("package", "active", None)
        assert page["mechanism"]["labels"] is None
        assert page["thresholds"][0]["bounds"] == [0.0, 200.0]
        assert page["maintenance"]["history"] is None
        with database.read() as connection:
            assert connection.execute(select(jobs)).all() == []
        assert (
            client_of(Role.CLINICIAN, "bs.x").get("/api/v1/packages/none/facts").status_code == 404
        )
