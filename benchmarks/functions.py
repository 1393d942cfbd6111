"""How long a reader waits for an interactive function.

    python -m benchmarks.functions [--slices 300] [--size 512] [--calls 20] [--docs]

A chest CT lies in a whole instance, prepared as the viewer prepares it. Each call measures a
nodule from a seed of its own, so that none finds an earlier answer. Measured is the caller's own
time from sending the request to having the answer: with the processors otherwise idle, and again
while a job on each processor computes without pause. The first call is told apart from a series
that nobody prepared. ``--docs`` writes ``docs/reference/functions-speed.md``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from benchmarks.overhead import phantom_files
from ennead.geometry import Grid
from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead.testing.phantoms import chest_phantom

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "functions-speed.md"
TARGET_S: Final = 1.0

#: A package whose job keeps one processor busy for as long as the benchmark needs.
_BUSY_MANIFEST: Final = """
schema = 1
id = "busy"
version = "1.0.0"
pipeline = "ennead_busy.work:Busy"
licence = "Apache-2.0"
series_block = 8
title = { vi = "Bận", en = "Busy" }
[intended_use]
status = "research"
text.vi = "Chỉ để đo tốc độ."
text.en = "For benchmarks only."
[[input]]
name = "ct"
modality = ["CT"]
[[input.require]]
id = "small"
attribute = "slice_count"
code = "COVERAGE"
text = "refusal.small"
bounds = { max = 8 }
[runtime]
cpu = 1
timeout_s = 900
[[output]]
id = "nothing"
kind = "finding"
title = { vi = "Không", en = "Nothing" }
code = { scheme = "SCT", value = "39607008", meaning = "Lung" }
"""
_BUSY_WORK: Final = """
import os, time
import numpy as np
from ennead.findings import Refusal, RefusalCode
class Busy:
    def run(self, context):
        end = time.monotonic() + SECONDS
        values = np.random.default_rng(0).random((512, 512))
        while time.monotonic() < end and not os.path.exists(STOP):
            np.sort(values, axis=0).sum()
        return [Refusal(RefusalCode.NOT_FOUND, "", "refusal.small", {})]
"""


def install_busy(folder: Path, stop: Path) -> Path:
    """The package as pip would have put it into a folder of its own."""
    package, info = folder / "ennead_busy", folder / "ennead_busy-1.0.0.dist-info"
    (package / "texts").mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "package.toml").write_text(_BUSY_MANIFEST)
    work = _BUSY_WORK.replace("SECONDS", "600.0").replace("STOP", repr(str(stop)))
    (package / "work.py").write_text(work)
    for language in ("vi", "en"):
        (package / "texts" / f"{language}.toml").write_text('[refusal]\nsmall = "–"\n')
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ennead-busy\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[ennead.packages]\nbusy = ennead_busy:package.toml\n")
    (info / "RECORD").write_text("")
    return folder


class Reader:
    """A radiologist at one series, asking about places in the phantom's largest nodule."""

    def __init__(self, instance: Instance, study_uid: str) -> None:
        secret = instance.run("token", "--role", "radiologist", "--name", "reader").strip()
        self.client = httpx.Client(
            base_url=instance.base_url,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=120,
            trust_env=False,
        )
        self.address = f"/api/v1/studies/{study_uid}/functions"
        listed = self.client.get(self.address).raise_for_status().json()["functions"]
        seed = next(f for f in listed if f["id"] == "nodule_seed")
        [candidate] = [c for c in seed["candidates"] if c["fits"]]
        self.series_uid = candidate["series_uid"]
        headers = self.client.get(
            f"/dicom-web/studies/{study_uid}/series/{self.series_uid}/metadata",
            headers={"Accept": "application/dicom+json"},
        ).json()
        self.heights = {
            h["00080018"]["Value"][0]: float(h["00200032"]["Value"][2]) for h in headers
        }
        nodules = chest_phantom("isotropic", spacing_mm=6.0).truth["nodules"]
        self.nodule = max(nodules, key=lambda n: n["diameter_mm"])

    def prepare(self) -> None:
        """As the viewer does when it shows the series."""
        body = {"series_uid": self.series_uid}
        self.client.post(f"{self.address}/prepare", json=body).raise_for_status()

    def ask(self, n: int) -> float:
        """Seconds until the answer to a call that was not made before."""
        x, y, z = self.nodule["centre_mm"]
        place = (x + 0.11 * (n % 23), y - 0.07 * (n // 23) - 0.1, z)
        uid = min(self.heights, key=lambda u: abs(self.heights[u] - place[2]))
        seed = {"instance_uid": uid, "position_mm": [place[0], place[1], self.heights[uid]]}
        begun = time.perf_counter()
        answer = self.client.post(
            f"{self.address}/lung/nodule_seed",
            json={"series_uid": self.series_uid, "inputs": {"seed": seed}},
        )
        took = time.perf_counter() - begun
        body = answer.raise_for_status().json()
        assert body["findings"], body
        volume = body["findings"][0]["measurements"][-1]["value"]
        assert abs(volume / self.nodule["volume_mm3"] - 1) < 0.05, volume
        return took


def small_study(folder: Path, number: int) -> None:
    """Eight slices, for a job that is long whatever the images."""
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid((8, 32, 32), (0.0, 0.0, 0.0), axes, (2.0, 2.0, 2.0), "")
    values = np.zeros(grid.shape, dtype=np.float32)
    write_series(values, grid, folder, seed=f"busy{number}", PatientID=f"BUSY-{number}")


def busy_jobs(instance: Instance, folder: Path, count: int) -> None:
    """Have one endless job run on each processor."""
    for n in range(count):
        small_study(folder / f"busy{n}", n)
        journeys.send(instance, folder / f"busy{n}")
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = [
            job["state"]
            for study in instance.client.get("/api/v1/studies?search=BUSY").json()["studies"]
            for job in journeys.jobs(instance, study["study_uid"])
            if job["package"] == "busy"
        ]
        if found.count("running") == count:
            return
        time.sleep(0.3)
    raise SystemExit(f"the jobs do not run: {found}")


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of each call: cold, idle, busy."""
    cpus, stop = os.cpu_count() or 1, folder / "stop"
    os.environ["PYTHONPATH"] = str(install_busy(folder / "site", stop))
    instance = Instance(folder / "home", {"pipelines__quiet_s": 1})
    result: dict[str, Any] = {"cpus": cpus, "load": os.getloadavg()[0]}
    try:
        instance.start()
        instance.run("packages", "enable", "busy")
        files = phantom_files(
            folder / "ct", options.slices, options.size, "1.2.840.10008.1.2.1", "functions"
        )
        study_uid = journeys.study_uid_of(files)
        journeys.send(instance, folder / "ct")
        journeys.wait_for_jobs(instance, study_uid, timeout_s=300, package="lung")
        instance.restart()  # nothing of the series is decoded any more
        time.sleep(10)
        reader = Reader(instance, study_uid)
        numbers = iter(range(10_000))
        result["cold"] = [reader.ask(next(numbers))]
        reader.prepare()
        time.sleep(5)
        result["idle"] = [reader.ask(next(numbers)) for _ in range(options.calls)]
        time.sleep(5)
        busy_jobs(instance, folder, cpus)
        result["busy"] = [reader.ask(next(numbers)) for _ in range(options.calls)]
        stop.write_text("")
    finally:
        instance.close()
    return result


def page(options: argparse.Namespace, result: dict[str, Any]) -> str:
    """The table of the reference page."""
    rows = [
        "# Speed of interactive functions\n",
        f"`python -m benchmarks.functions`: {options.slices} slices of {options.size} × "
        f"{options.size}, `lung/nodule_seed`, {options.calls} calls each, none of them repeated; "
        f"{result['cpus']} processors. The caller's own seconds, from request to answer. The "
        f"machine's load average before the run was {result['load']:.1f}; what else it did is in "
        "the figures.\n",
        "| Processors | Median | Slowest | Target |\n|--|--|--|--|",
    ]
    names = {
        "cold": "idle, first call after a start, series not prepared",
        "idle": "idle, series prepared",
        "busy": "a job computing on each, series prepared",
    }
    for key, name in names.items():
        times = result[key]
        target = "–" if key == "cold" else f"< {TARGET_S:g} s"
        rows.append(
            f"| {name} | {statistics.median(times):.2f} s | {max(times):.2f} s | {target} |"
        )
    return "\n".join(rows) + "\n"


def main() -> int:
    """Measure, print, and fail when a median misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ennead-functions-") as folder:
        result = measure(options, Path(folder))
    text = page(options, result)
    print(text)
    if options.docs:
        PAGE.write_text(text, encoding="utf-8")
    medians = [statistics.median(result[key]) for key in ("idle", "busy")]
    return 0 if max(medians) < TARGET_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
