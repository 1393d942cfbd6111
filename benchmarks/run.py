"""Ennead beside Orthanc, in one run, with C senders: prints ratios and writes them down.

    python -m benchmarks.run [--reps 2] [--limit 400] [--tests store_ct1,store_ct4,store_mr4]

The harness is ``ENNEAD_BENCH`` (default ``../shared/bench``); it is copied to a temporary folder,
which also takes the workload and both servers' data. Ratios above 1 are better than Orthanc.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ennead.testing.instance import Instance

ROOT = Path(__file__).parents[1]
TESTS = "store_ct1,store_ct4,store_mr4"
TARGETS = {
    "store_ct1": ("C-STORE CT, 1 association", 3.0),
    "store_ct4": ("C-STORE CT, 4 associations", 1.8),
    "store_mr4": ("C-STORE MR, 4 associations", 1.5),
}
CPU_TARGET_MS = 1.5


def process_tree(root: int) -> list[int]:
    """``root`` and its descendants, from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found, frontier = [root], {root}
    while frontier:
        frontier = {p for p, parent in parents.items() if parent in frontier}
        found += sorted(frontier)
    return found


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the harness against both and return its JSON."""
    bench = folder / "bench"
    shutil.copytree(os.environ.get("ENNEAD_BENCH", ROOT / ".." / "shared" / "bench"), bench)
    workload = folder / "workload"
    subprocess.run(
        [sys.executable, bench / "make_workload.py", workload, "--ct", "--mr"], check=True
    )
    orthanc = subprocess.run(
        [bench / "peers.sh", "start", "orthanc"], capture_output=True, text=True, check=True
    ).stdout.strip()
    instance = Instance(
        folder / "ennead", {"dicom__accept_any_ae": True, "pipelines__quiet_s": 600}
    )
    try:
        instance.start()
        ours = (
            f"name=ennead;host=127.0.0.1;port={instance.dicom_port};aet=ENNEAD;"
            f"web={instance.base_url}/dicom-web;pid={instance.pid};"
            f"header=Authorization: Bearer {instance.token}"
        )
        command = [
            sys.executable, bench / "bench_pacs.py", "--workload", workload,
            "--target", orthanc, "--target", ours, "--baseline", "orthanc",
            "--tests", options.tests, "--reps", str(options.reps),
            "--out", folder / "results.json",
        ]  # fmt: skip
        if options.limit:
            command += ["--limit", str(options.limit)]
        subprocess.run(command, check=True)
        results: dict[str, Any] = json.loads((folder / "results.json").read_text())
        return results
    finally:
        instance.close()
        subprocess.run([bench / "peers.sh", "stop", "orthanc"], check=False)


def main() -> int:
    """Measure, print, and keep the raw figures in ``build/``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", default=TESTS)
    parser.add_argument("--reps", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="first N files only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ennead-bench-") as folder:
        results = measure(Path(folder), options)
    kept = ROOT / "build" / "bench.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(results, indent=1))
    print(json.dumps(results["ratios_vs_orthanc"], indent=1))
    print(
        f"targets: { {name: target for name, (_, target) in TARGETS.items()} }, "
        f"server CPU per CT image <= {CPU_TARGET_MS} ms; all figures in {kept}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
