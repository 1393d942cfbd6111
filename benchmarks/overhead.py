"""What the platform adds to a package's own computing, span by span.

    python -m benchmarks.overhead [--slices 300] [--size 512] [--reps 3] [--syntax all]
                                  [--monai-deploy PYTHON] [--docs]

A chest CT goes by C-STORE to a whole instance with warm workers. Counted is the time from the
answer to the last C-STORE until the report (SR) is visible by QIDO-RS, minus the quiet period and
minus the package's own computing. ``--monai-deploy`` names an interpreter with MONAI Deploy App
SDK: its DICOM loader, series selector, series-to-volume and segmentation writer then process the
same files in the same run (no network, no report). ``--docs`` writes
``docs/reference/overhead.md``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ennead.geometry import Grid
from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead.testing.phantoms import chest_phantom

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reference" / "overhead.md"
SYNTAXES: Final = {
    "uncompressed": "1.2.840.10008.1.2.1",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
}
QUIET_S: Final = 3.0
TARGET_S: Final = 2.0


def phantom_files(folder: Path, slices: int, size: int, syntax: str, seed: str) -> list[Path]:
    """A chest CT with noise, so that it compresses as CT does."""
    in_plane, thickness = 360.0 / size, 330.0 / slices
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid(
        (slices, size, size), (-180.0, -180.0, -165.0), axes, (thickness, in_plane, in_plane), ""
    )
    phantom = chest_phantom(grid=grid, noise_hu=12.0)
    return write_series(
        phantom.values,
        phantom.grid,
        folder,
        seed=seed,
        transfer_syntax=syntax,
        PatientID=f"OVERHEAD-{seed}",
        KVP=120,
        ConvolutionKernel="B30f",
    )


def one(instance: Instance, folder: Path, files: Sequence[Path]) -> dict[str, float]:
    """Send a study and take its times apart; seconds."""
    study_uid = journeys.study_uid_of(files)
    if "4.80" in _syntax(files[0]):
        journeys.stow(instance, folder)
    else:
        journeys.send(instance, folder)
    answered = time.time()
    while not _report_visible(instance, study_uid):
        if time.time() - answered > 180:
            raise SystemExit(f"No report after 180 s: {journeys.jobs(instance, study_uid)}")
        time.sleep(0.02)
    visible = time.time()
    at, took = _timeline(instance, study_uid)
    # Anatomy is found for the package; what of it lay in the quiet period cost nobody time.
    begun = max(at["anatomy"] - took["anatomy"], answered + QUIET_S)
    anatomy = max(0.0, at["anatomy"] - begun)
    waited = max(0.0, at["anatomy"] - max(begun, at["started"]))
    measuring = at["measured"] - took["measured"]
    own = took["measured"] + anatomy
    return {
        "total": visible - answered,
        "settle": at["settled"] - answered - QUIET_S,
        "start": at["started"] - at["settled"],
        "probes and images": measuring - at["started"] - waited,
        "own computing: anatomy": waited,
        "own computing: measuring": took["measured"],
        "encode": took["stored"],
        "store": at["stored"] - at["measured"] - took["stored"],
        "visible": visible - at["stored"],
        "overhead": visible - answered - QUIET_S - own,
    }


def _timeline(instance: Instance, study_uid: str) -> tuple[dict[str, float], dict[str, float]]:
    """When each step ended, and how long it took; complete once the results are noted."""
    while True:
        events = instance.client.get(f"/api/v1/studies/{study_uid}/timeline").json()["events"]
        at = {e["step"]: _seconds(e["at"]) for e in events}
        if "stored" in at:
            return at, {e["step"]: float(e["duration_s"] or 0.0) for e in events}
        time.sleep(0.02)


def _report_visible(instance: Instance, study_uid: str) -> bool:
    found = journeys.qido(instance, f"studies/{study_uid}/series", Modality="SR")
    return bool(found)


def _syntax(file: Path) -> str:
    import pydicom

    return str(pydicom.filereader.read_file_meta_info(file).TransferSyntaxUID)


def _seconds(stamp: str) -> float:
    return dt.datetime.fromisoformat(stamp).timestamp()


def monai_deploy(python: Path, files: Sequence[Path], folder: Path) -> dict[str, float]:
    """The peer's seconds: imports apart from the work, best effort of its own operators."""
    ran = subprocess.run(
        [python, HERE / "monai_deploy_app.py", files[0].parent, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise SystemExit(f"MONAI Deploy failed: {ran.stderr[-3000:]}")
    found: dict[str, float] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Medians by transfer syntax."""
    wanted = SYNTAXES if options.syntax == "all" else {options.syntax: SYNTAXES[options.syntax]}
    instance = Instance(folder / "home", {"pipelines__quiet_s": QUIET_S})
    result: dict[str, Any] = {}
    try:
        instance.start()
        time.sleep(5)
        warm = phantom_files(folder / "warm", 100, 128, SYNTAXES["uncompressed"], "warm")
        one(instance, folder / "warm", warm)
        for name, syntax in wanted.items():
            runs = []
            for n in range(options.reps):
                files = phantom_files(
                    folder / "ct", options.slices, options.size, syntax, f"{name}{n}"
                )
                runs.append(one(instance, folder / "ct", files))
                print(name, {k: round(v, 2) for k, v in runs[-1].items()}, flush=True)
                if n < options.reps - 1 or name != "uncompressed":
                    shutil.rmtree(folder / "ct")
                else:
                    (folder / "ct").rename(folder / "peer")
            result[name] = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    finally:
        instance.close()
    if options.monai_deploy:
        files = sorted((folder / "peer").glob("*.dcm"))
        result["monai deploy"] = monai_deploy(options.monai_deploy, files, folder / "peer-out")
    return result


def page(result: dict[str, Any], options: argparse.Namespace) -> str:
    """The reference page."""
    lines = [
        "# What the platform adds\n",
        f"A chest CT of {options.slices} slices, {options.size} × {options.size}, goes by C-STORE "
        "(JPEG-LS by STOW-RS) to a whole instance with warm workers on two cores. Overhead is the "
        "time from the last answer until the report is visible by QIDO-RS, minus the quiet period "
        f"({QUIET_S:g} s) and the package's own computing (measuring, and what of the anatomy that "
        f"it asks for was not found during the quiet period); at most {TARGET_S:g} s is wanted. "
        f"Medians of {options.reps}, seconds. Written by `python -m benchmarks.overhead --docs`.\n",
    ]
    names = [n for n in result if n in SYNTAXES]
    lines += ["| Span | " + " | ".join(names) + " |", "|--|" + "--|" * len(names)]
    for span in result[names[0]]:
        values = " | ".join(f"{result[n][span]:.2f}" for n in names)
        lines.append(f"| {'**overhead**' if span == 'overhead' else span} | {values} |")
    if "monai deploy" in result:
        peer = result["monai deploy"]
        lines += [
            "\nMONAI Deploy App SDK on the same uncompressed files in the same run (loader, "
            "selector, volume, segmentation writer; no network and no report): "
            + ", ".join(f"{k} {v:.2f} s" for k, v in peer.items())
            + ".",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--syntax", choices=["all", *SYNTAXES], default="all")
    parser.add_argument("--monai-deploy", type=Path)
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ennead-overhead-") as name:
        result = measure(options, Path(name))
    print(json.dumps({k: {s: round(v, 3) for s, v in r.items()} for k, r in result.items()}))
    if options.docs:
        PAGE.write_text(page(result, options))


if __name__ == "__main__":
    main()
