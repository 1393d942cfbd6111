"""What every journey does: send a study with dcmtk, wait for its jobs, look at the archive."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ennead.testing.instance import Instance

STORESCU = Path("/usr/bin/storescu")
END_STATES = frozenset({"done", "refused", "failed", "superseded"})
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


def send(instance: Instance, *paths: Path) -> None:
    """C-STORE files and folders with dcmtk; raises when any object is not accepted."""
    files = dicom_files(*paths)
    result = subprocess.run(
        [STORESCU, "-R", "-aec", "ENNEAD", "127.0.0.1", str(instance.dicom_port), *files],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if result.returncode != 0 or "Failed" in result.stderr:
        raise AssertionError(f"storescu failed ({result.returncode}): {result.stderr[-2000:]}")


def dicom_files(*paths: Path) -> list[Path]:
    """Part 10 files below ``paths``, sorted."""

    def is_part10(file: Path) -> bool:
        with file.open("rb") as opened:
            return opened.read(132)[128:] == b"DICM"

    found = (f for path in paths for f in (path.rglob("*") if path.is_dir() else [path]))
    return sorted(f for f in found if f.is_file() and is_part10(f))


def stow(instance: Instance, *paths: Path) -> None:
    """STOW-RS, for transfer syntaxes that storescu proposes only by option."""
    boundary = "ennead-journey"
    parts = [
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + f.read_bytes()
        for f in dicom_files(*paths)
    ]
    answer = instance.client.post(
        "/dicom-web/studies",
        content=b"\r\n".join(parts) + f"\r\n--{boundary}--\r\n".encode(),
        headers={
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        },
    )
    assert answer.status_code == 200, answer.text


def jobs(instance: Instance, study_uid: str) -> list[dict[str, Any]]:
    """The study's jobs; ``[]`` while it is unknown."""
    answer = instance.client.get(f"/api/v1/studies/{study_uid}/jobs")
    if answer.status_code == 404:
        return []
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["jobs"]
    return found


def wait_for_jobs(
    instance: Instance, study_uid: str, timeout_s: float = 120, package: str | None = None
) -> list[dict[str, Any]]:
    """Wait until the study has jobs (of ``package``) and all of them have ended."""
    deadline = time.monotonic() + timeout_s
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        try:
            found = [j for j in jobs(instance, study_uid) if package in (None, j["package"])]
        except OSError:  # the server is being restarted
            found = []
        if found and all(j["state"] in END_STATES for j in found):
            return found
        time.sleep(0.3)
    raise AssertionError(f"jobs of {study_uid} did not end in {timeout_s} s: {found}")


def findings(instance: Instance, study_uid: str, language: str = "en") -> dict[str, Any]:
    """Findings and refusals of a study."""
    answer = instance.client.get(f"/api/v1/studies/{study_uid}/findings", params={"lang": language})
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def qido(instance: Instance, path: str, **parameters: str) -> list[dict[str, Any]]:
    """QIDO-RS answer as a list of DICOM JSON datasets."""
    answer = instance.client.get(
        f"/dicom-web/{path}", params=parameters, headers={"Accept": "application/dicom+json"}
    )
    answer.raise_for_status()
    body: list[dict[str, Any]] = answer.json() if answer.content else []
    return body


def value(dataset: dict[str, Any], tag: str) -> Any:
    """First value of a tag of a DICOM JSON dataset, or None."""
    return next(iter(dataset.get(tag, {}).get("Value", [])), None)


def result_instances(instance: Instance, study_uid: str) -> list[dict[str, Any]]:
    """Instances of the study's result series (numbers 9000–9899)."""
    found = []
    for series in qido(instance, f"studies/{study_uid}/series"):
        if 9000 <= int(value(series, "00200011") or 0) <= 9899:
            found += qido(
                instance, f"studies/{study_uid}/series/{value(series, '0020000E')}/instances"
            )
    return found


def fetch(instance: Instance, dataset: dict[str, Any], study_uid: str, folder: Path) -> Path:
    """Retrieve an instance by WADO-RS into a file."""
    series_uid, instance_uid = value(dataset, "0020000E"), value(dataset, "00080018")
    answer = instance.client.get(
        f"/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}",
        headers={"Accept": "application/dicom"},
    )
    answer.raise_for_status()
    file = folder / f"{instance_uid}.dcm"
    file.write_bytes(answer.content)
    return file


def study_uid_of(paths: Sequence[Path]) -> str:
    """StudyInstanceUID of the first file."""
    import pydicom

    header = pydicom.dcmread(paths[0], stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    return str(header.StudyInstanceUID)
