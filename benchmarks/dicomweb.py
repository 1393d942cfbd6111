"""Requests per second of QIDO-RS and WADO-RS over HTTP, measured with wrk.

    python benchmarks/dicomweb.py [--instances 200] [--studies 10] [--seconds 2]

Starts a server of its own in a temporary directory, stores studies by STOW-RS and asks for what
viewers ask for. Ratios against another PACS need both on the same machine in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from ennead.geometry import Grid
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance

WRK = "/usr/bin/wrk"
LUA = """
local paths = {}
for line in io.lines(os.getenv("BENCH_URLS")) do paths[#paths + 1] = line end
local n = 0
wrk.headers["Accept"] = os.getenv("BENCH_ACCEPT")
wrk.headers["Authorization"] = os.getenv("BENCH_AUTHORIZATION")
request = function() n = n % #paths + 1 return wrk.format("GET", paths[n]) end
done = function(summary, latency, _)
  io.write(string.format("RESULT %d %d %.0f %d %.2f %.2f\\n", summary.requests, summary.duration,
    summary.bytes, summary.errors.status, latency:percentile(50) / 1000,
    latency:percentile(95) / 1000))
end
"""
JSON = "application/dicom+json"
OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def write_studies(folder: Path, studies: int, instances: int) -> list[list[Path]]:
    side = 512
    grid = Grid(
        shape=(instances, side, side),
        origin_mm=(0.0, 0.0, 0.0),
        axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
        spacing_mm=(1.0, 0.7, 0.7),
    )
    noise = np.random.default_rng(1).integers(-1000, 1000, grid.shape).astype(np.float32)
    return [
        write_series(
            noise,
            grid,
            folder / str(n),
            PatientID=f"BENCH{n}",
            PatientName=f"Bench^Patient {n}",
            StudyID=str(n),
        )
        for n in range(studies)
    ]


def stow(instance: Instance, files: list[Path]) -> None:
    for first in range(0, len(files), 50):
        parts = [
            b"--B\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n"
            for file in files[first : first + 50]
        ]
        answer = instance.client.post(
            "/dicom-web/studies",
            content=b"".join(parts) + b"--B--\r\n",
            headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'},
        )
        answer.raise_for_status()


def wrk(
    instance: Instance, paths: list[str], accept: str, connections: int, seconds: int
) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        script, urls = Path(name, "wrk.lua"), Path(name, "urls")
        script.write_text(LUA)
        urls.write_text("\n".join("/dicom-web" + p for p in paths))
        environment = {
            **os.environ,
            "BENCH_URLS": str(urls),
            "BENCH_ACCEPT": accept,
            "BENCH_AUTHORIZATION": f"Bearer {instance.token}",
        }
        command = [WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        done = subprocess.run(
            [*command, instance.base_url], capture_output=True, text=True, env=environment
        )
    found = re.search(r"RESULT (.*)", done.stdout)
    if found is None:
        raise SystemExit(done.stdout + done.stderr)
    requests, microseconds, size, bad, p50, p95 = map(float, found.group(1).split())
    return {
        "requests_s": round(requests / microseconds * 1e6, 1),
        "p50_ms": p50,
        "p95_ms": p95,
        "kilobytes": round(size / max(requests, 1) / 1000, 1),
        "bad": bad,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sets = write_studies(Path(name, "files"), arguments.studies, arguments.instances)
        instance = Instance(Path(name, "home"))
        try:
            instance.start()
            began = time.perf_counter()
            for files in sets:
                stow(instance, files)
            rate = sum(map(len, sets)) / (time.perf_counter() - began)
            print(json.dumps({"stow images/s": round(rate, 1)}))
            measure(instance, arguments.seconds)
        finally:
            instance.close()


def measure(instance: Instance, seconds: int) -> None:
    found = instance.client.get("/dicom-web/instances", params={"limit": "1000"}).json()
    places = [tuple(i[t]["Value"][0] for t in ("0020000D", "0020000E", "00080018")) for i in found]
    studies = sorted({p[0] for p in places})
    series = sorted({p[:2] for p in places})
    questions = {
        "QIDO studies?limit=100": (["/studies?limit=100"], JSON),
        "QIDO studies by PatientID": (["/studies?PatientID=BENCH1"], JSON),
        "QIDO series of a study": ([f"/studies/{s}/series" for s in studies], JSON),
        "QIDO instances of a study": ([f"/studies/{s}/instances" for s in studies], JSON),
        "WADO metadata of a series": (
            [f"/studies/{s}/series/{e}/metadata" for s, e in series],
            JSON,
        ),
        "WADO frame": (
            [f"/studies/{s}/series/{e}/instances/{i}/frames/1" for s, e, i in places],
            OCTETS,
        ),
        "WADO instance": (
            [f"/studies/{s}/series/{e}/instances/{i}" for s, e, i in places],
            DICOM,
        ),
        "WADO rendered": (
            [f"/studies/{s}/series/{e}/instances/{i}/rendered" for s, e, i in places],
            "image/jpeg",
        ),
        "series thumbnail": (
            [f"/studies/{s}/series/{e}/thumbnail" for s, e in series],
            "image/jpeg",
        ),
    }
    for name, (paths, accept) in questions.items():
        for connections in (1, 4):
            result = wrk(instance, paths, accept, connections, seconds)
            print(json.dumps({f"{name}, {connections} at once": result}))


if __name__ == "__main__":
    main()
