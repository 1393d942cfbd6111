"""Ennead beside Orthanc, in one run, with C senders: prints ratios and writes them down.

    python -m benchmarks.run [--reps 3] [--limit 400] [--tests store_ct1,store_ct4,store_mr4]
                             [--docs]

The harness is ``ENNEAD_BENCH`` (default ``../shared/bench``); it works in a temporary folder, which
also takes the workload and both servers' data. The two take turns, test by test, so that whatever
else the machine does meets both. Figures are medians; ratios above 1 are better than Orthanc.
``--docs`` writes the table to ``docs/reference/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import children, cpu_seconds
from benchmarks.table import CPU_TARGET_MS, TARGETS, render
from ennead.testing.instance import Instance

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"


def calm(pid: int, limit_s: float = 90.0) -> None:
    """Wait until a server that was just started has nothing left to do."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        before = cpu_seconds(pid)
        time.sleep(2)
        if cpu_seconds(pid) - before < 0.3:
            return


def one(bench: Path, folder: Path, target: str, test: str, limit: int) -> dict[str, Any]:
    """One test on one server."""
    out = folder / "one.json"
    command = [
        sys.executable, bench / "bench_pacs.py", "--workload", folder / "workload",
        "--target", target, "--tests", test, "--reps", "1", "--out", out,
        "--shm", f"/dev/shm/ennead-bench-{os.getpid()}", "--limit", str(limit),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (results,) = json.loads(out.read_text())["results"].values()
    found: dict[str, Any] = results[test]
    if "FAILED" in found or "error" in found:
        raise SystemExit(f"{test} failed: {found}")
    return found


def measure(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, list[Any]]]:
    """All figures: server → test → one entry per repetition."""
    bench = folder / "bench"
    shutil.copytree(os.environ.get("ENNEAD_BENCH", ROOT / ".." / "shared" / "bench"), bench)
    subprocess.run(
        [sys.executable, bench / "make_workload.py", folder / "workload", "--ct", "--mr"],
        check=True,
    )
    orthanc = subprocess.run(
        [bench / "peers.sh", "start", "orthanc"], capture_output=True, text=True, check=True
    ).stdout.strip()
    values = {"dicom__accept_any_ae": True, "pipelines__quiet_s": 3600}
    instance = Instance(folder / "ennead", values)
    figures: dict[str, dict[str, list[Any]]] = {"orthanc": {}, "ennead": {}}
    try:
        instance.start()
        calm(instance.pid)
        receivers = ",".join(str(p) for p in children(instance.pid, "dimse"))
        ennead = f"name=ennead;host=127.0.0.1;port={instance.dicom_port};aet=ENNEAD;pid={receivers}"
        for repetition in range(options.reps):
            for test in options.tests.split(","):
                for name, target in (("orthanc", orthanc), ("ennead", ennead)):
                    before = cpu_seconds(instance.pid)
                    found = one(bench, folder, target, test, options.limit)
                    if name == "ennead":
                        found["instance_cpu_s"] = cpu_seconds(instance.pid) - before
                    figures[name].setdefault(test, []).append(found)
                    print(
                        f"{repetition + 1}/{options.reps} {test} {name}: "
                        f"{found['images_s']:.0f} images/s, "
                        f"{found['server_cpu_ms_image']:.2f} ms CPU an image",
                        flush=True,
                    )
        return figures
    finally:
        instance.close()
        subprocess.run([bench / "peers.sh", "stop", "orthanc"], check=False)
        shutil.rmtree(f"/dev/shm/ennead-bench-{os.getpid()}", ignore_errors=True)


def summary(figures: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, float]]:
    """Medians and ratios per test."""
    result: dict[str, dict[str, float]] = {}
    for test, ours in figures["ennead"].items():
        theirs = figures["orthanc"][test]
        rows = {
            f"{name}_{key}": statistics.median(entry[key] for entry in entries)
            for name, entries in (("ennead", ours), ("orthanc", theirs))
            for key in ("images_s", "server_cpu_ms_image")
        }
        rows["ratio"] = rows["ennead_images_s"] / rows["orthanc_images_s"]
        # Each repetition on its own: neighbours in time, so noise hits both alike.
        pairs = [a["images_s"] / b["images_s"] for a, b in zip(ours, theirs, strict=True)]
        rows["ratio_low"], rows["ratio_high"] = min(pairs), max(pairs)
        rows["load"] = statistics.median(a["load_before"][0] for a in ours + theirs)
        result[test] = rows
    return result


def main() -> int:
    """Measure, print, and keep the raw figures in ``build/``."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--tests", default=",".join(TARGETS))
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--limit", type=int, default=0, help="first N files only")
    parser.add_argument("--docs", action="store_true", help="write docs/reference/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ennead-bench-") as folder:
        figures = measure(Path(folder), options)
    found = summary(figures)
    BUILD.mkdir(exist_ok=True)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    (BUILD / "bench.json").write_text(json.dumps({"figures": figures, "summary": found}, indent=1))
    page = render(found, machine=machine, repetitions=options.reps, limit=options.limit)
    (BUILD / "benchmarks.md").write_text(page)
    if options.docs:
        (ROOT / "docs" / "reference" / "benchmarks.md").write_text(page)
    print()
    print(page)
    print(f"Target: server CPU per CT image <= {CPU_TARGET_MS} ms. Raw figures: {BUILD}/bench.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
