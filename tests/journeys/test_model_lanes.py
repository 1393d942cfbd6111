"""A model's life at one real server: shadow, active, a newer version beside it, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import pytest

from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead_models.spaces import ras_affine
from ennead_models.testing.folders import bright_box, small_grid
from ennead_models.testing.onnx_file import write_onnx

pytestmark = [pytest.mark.slow, pytest.mark.peer(str(journeys.STORESCU))]

ANSWERS = """
id = "bright"
title_en = "Bright region"
title_vi = "Vùng sáng"
summary_en = "Marks what is brighter than a threshold."
summary_vi = "Đánh dấu vùng sáng hơn ngưỡng."
licence = "Apache-2.0"
modality = ["CT"]
orientation = "RAS"
intensity = "none"
tile = [32, 32, 32]
trained_on = "nothing: a threshold"

[[labels]]
value = 1
title_en = "Bright"
title_vi = "Sáng"
type = "SCT:10200004 Liver"
"""
#: The box of :func:`bright_box` has 4 · 5 · 10 voxels of 8 mm³.
BOX_CM3 = 1.6


@dataclass(frozen=True)
class Site:
    """One server, its data scientist and a radiologist."""

    instance: Instance
    folder: Path
    scientist: httpx.Client
    reader: httpx.Client

    def cli(self, *arguments: str) -> str:
        return self.instance.run("models", *arguments)

    def add(self, version: str, threshold: float) -> None:
        """A file becomes an installed model, without code."""
        work = self.folder / version
        work.mkdir()
        file = write_onnx(work / "bright.onnx", threshold=threshold)
        answers = work / "answers.toml"
        answers.write_text(ANSWERS, encoding="utf-8")
        options = ("--answers", str(answers), "--version", version, "--no-ask")
        assert f"bright/{version}" in self.cli("add", str(file), *options)
        said = self.cli("install", "bright", "--version", version, "--accept-licence")
        assert f"bright {version} is registered" in said

    def send(self, name: str, box_rows: int = 5) -> str:
        """A small CT by C-STORE; returns its Study Instance UID."""
        values = bright_box(small_grid())
        values[:, 4 + box_rows : 9] = -700
        files = write_series(values, small_grid(), self.folder / name, seed=name, KVP=120)
        study = journeys.study_uid_of(files)
        journeys.send(self.instance, self.folder / name)
        return study

    def jobs(self, study: str, version: str, timeout_s: float = 120) -> list[dict[str, Any]]:
        def ended() -> list[dict[str, Any]] | None:
            answer = self.scientist.get(f"/api/v1/studies/{study}/jobs")
            found = answer.json()["jobs"] if answer.status_code == 200 else []
            mine = [j for j in found if j["version"] == version and j["package"] == "bright"]
            return mine if mine and all(j["state"] in journeys.END_STATES for j in mine) else None

        return wait(ended, timeout_s, f"jobs of {version} on {study}")

    def findings(self, client: httpx.Client, study: str) -> list[dict[str, Any]]:
        answer = client.get(f"/api/v1/studies/{study}/findings", params={"lang": "en"})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["findings"]
        return found

    def results(self, client: httpx.Client, study: str) -> list[str]:
        """Modalities of the study's series, as QIDO tells this client."""
        answer = client.get(
            f"/dicom-web/studies/{study}/series", headers={"Accept": "application/dicom+json"}
        )
        answer.raise_for_status()
        return sorted(journeys.value(series, "00080060") for series in answer.json())


def wait(look: Callable[[], Any], timeout_s: float, what: str) -> Any:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.25)
    raise AssertionError(f"{what} did not come in {timeout_s} s")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("model-lanes")
    case = folder / "sets" / "boxes" / "c1"
    case.mkdir(parents=True)
    values = bright_box(small_grid())
    for name, array in (("image", values), ("labels", (values > 0).astype(np.float32))):
        image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), ras_affine(small_grid()))
        nibabel.save(image, case / f"{name}.nii.gz")
    settings = {"pipelines__quiet_s": 1, "models__validation_dir": folder / "sets"}
    instance = Instance(folder / "home", settings)
    clients = []

    def client(role: str, name: str) -> httpx.Client:
        token = instance.run("token", "--role", role, "--name", name).strip()
        clients.append(
            httpx.Client(
                base_url=instance.base_url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
                trust_env=False,
            )
        )
        return clients[-1]

    try:
        instance.start()
        for package in instance.client.get("/api/v1/packages").json()["packages"]:
            instance.client.post(f"/api/v1/packages/{package['id']}/disable").raise_for_status()
        scientist = client("data-scientist", "ds.lan")
        yield Site(instance, folder, scientist, client("radiologist", "bs.an"))
    finally:
        for each in clients:
            each.close()
        instance.close()


def test_from_a_file_to_the_shadow_to_readers_and_back(site: Site) -> None:
    site.add("1.0.0", threshold=0.0)
    site.cli("promote", "bright", "1.0.0", "--to", "shadow")

    # In the shadow: computed, seen by the scientist, by nobody else.
    first = site.send("first")
    (job,) = site.jobs(first, "1.0.0")
    assert (job["state"], job["lane"]) == ("done", "shadow"), job
    (finding,) = site.findings(site.scientist, first)
    assert (finding["lane"], finding["unverified"]) == ("shadow", True)
    assert finding["measurements"][0]["value"] == pytest.approx(BOX_CM3)
    preview = f"/api/v1/findings/{finding['id']}/preview.png"
    assert site.scientist.get(preview).content.startswith(b"\x89PNG")
    assert site.reader.get(preview).status_code == 404
    assert site.findings(site.reader, first) == []
    assert site.reader.get(f"/api/v1/studies/{first}/jobs").json()["jobs"] == []
    for client in (site.reader, site.scientist):
        assert site.results(client, first) == ["CT"]
    assert site.reader.get("/api/v1/models/bright/facts").status_code == 404

    # Active: the next study's segmentation and report are in the archive, for everybody.
    site.cli("promote", "bright", "1.0.0", "--to", "active", "--reason", "agrees on phantoms")
    second = site.send("second")
    (job,) = site.jobs(second, "1.0.0")
    assert (job["state"], job["lane"]) == ("done", "active"), job
    assert site.results(site.reader, second) == ["CT", "SEG", "SR"]
    (finding,) = site.findings(site.reader, second)
    assert (finding["version"], finding["lane"]) == ("1.0.0", "active")
    assert site.results(site.reader, first) == ["CT"]  # promotion releases nothing by itself

    # A newer version beside it, which draws the same box: the difference says so.
    site.add("1.1.0", threshold=250.0)
    site.cli("promote", "bright", "1.1.0", "--to", "shadow")
    site.cli("rerun", "bright", "1.1.0", "--study", second)
    (job,) = site.jobs(second, "1.1.0")
    assert (job["state"], job["lane"]) == ("done", "shadow"), job
    versions = {"from": "1.0.0", "to": "1.1.0", "lang": "en"}
    found = site.scientist.get("/api/v1/models/bright/difference", params=versions).json()
    assert (found["studies_compared"], found["summary"]["matched"]) == (1, 1)
    assert found["summary"]["dice"]["value"] == 1.0
    assert [f["version"] for f in site.findings(site.reader, second)] == ["1.0.0"]
    again = site.cli("rerun", "bright", "1.1.0", "--study", second)
    number = int(again.split()[1])
    url = f"/api/v1/models/bright/1.1.0/reruns/{number}"
    done = wait(
        lambda: (told := site.scientist.get(url).json())["state"] == "done" and told, 30, url
    )
    assert done["jobs"]["same"] == 1  # the same version computes and stores nothing new

    # Active, and rolled back: the next study is the older version's again.
    site.cli("promote", "bright", "1.1.0", "--to", "active", "--reason", "tried in a journey")
    assert "bright 1.0.0 is active again" in site.cli("rollback", "bright", "--reason", "for now")
    third = site.send("third", box_rows=3)
    (job,) = site.jobs(third, "1.0.0")
    assert (job["state"], job["lane"]) == ("done", "active"), job
    (finding,) = site.findings(site.reader, third)
    assert finding["measurements"][0]["value"] == pytest.approx(BOX_CM3 * 3 / 5)

    audited = site.instance.client.get("/api/v1/audit", params={"limit": 200}).text
    for action in ("model.installed", "model.moved", "model.rolled-back", "result.held"):
        assert action in audited, action
    page = site.reader.get("/api/v1/models/bright/facts", params={"lang": "en"}).json()
    assert (page["version"], page["training_data"]["text"]) == ("1.0.0", "nothing: a threshold")
    assert "Traceback" not in site.instance.logs()


def test_a_worker_validates_over_http(site: Site) -> None:
    asked = site.scientist.post("/api/v1/models/bright/1.0.0/validate", json={"set": "boxes"})
    assert asked.status_code == 202, asked.text
    url = f"/api/v1/models/bright/1.0.0/validations/{asked.json()['id']}"
    told = wait(
        lambda: (s := site.scientist.get(url).json())["state"] in ("done", "failed") and s, 90, url
    )
    assert (told["state"], told["done"], told["error"]) == ("done", 1, None)
    report = site.scientist.get(f"/api/v1/models/bright/validations/{told['report']}").json()
    assert report["labels"][0]["dice"]["value"] == 1.0
