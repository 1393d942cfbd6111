"""Done when 4: ``kill -9`` in the middle of a run ends with one SEG, one SR and every instance."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.phantoms import chest_phantom

pytestmark = [pytest.mark.package("lung"), pytest.mark.slow]
ROUNDS = 10


def processes(root: int) -> dict[int, str]:
    """Descendants of ``root`` with their command lines, from /proc."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                commands[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                )
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found, frontier = {}, {root}
    while frontier:
        frontier = {p for p, parent in parents.items() if parent in frontier} - set(found)
        found |= {p: commands[p] for p in frontier}
    return found


def victims(instance, kind: str) -> list[int]:
    family = processes(instance.pid)
    if kind == "worker":
        return [p for p, c in family.items() if "ennead.app.child" in c and "worker" in c]
    return [p for p, c in family.items() if "raylet" in c or "gcs_server" in c]


def test_ten_kills_lose_nothing_and_duplicate_nothing(running_instance, tmp_path: Path) -> None:
    seed = int(os.environ.get("ENNEAD_TEST_SEED", "20261123"))
    rng = random.Random(seed)
    phantom = chest_phantom("anisotropic")
    instance = running_instance(
        dicom__accept_any_ae=True, pipelines__quiet_s=1, pipelines__lease_s=5
    )
    for round_number in range(ROUNDS):
        kind = ("worker", "ray", "server")[round_number % 3]
        files = write_series(
            phantom.values,
            phantom.grid,
            tmp_path / f"series{round_number}",
            seed=f"kill{round_number}",
            **phantom.attributes,
        )
        study = journeys.study_uid_of(files)
        journeys.send(instance, tmp_path / f"series{round_number}")
        moment = rng.uniform(0.0, 5.0)
        time.sleep(moment)
        if kind == "server":
            instance.kill()
            instance.restart()
        else:
            targets = victims(instance, kind)
            assert targets, f"no {kind} process to kill"
            os.kill(rng.choice(targets), signal.SIGKILL)
        told = f"round {round_number}: {kind} killed after {moment:.2f} s, seed {seed}"
        [job] = journeys.wait_for_jobs(instance, study, timeout_s=150, package="lung")
        assert job["state"] == "done", (told, job)

        stored = journeys.qido(instance, f"studies/{study}/instances", limit="1000")
        classes = [journeys.value(i, "00080016") for i in stored]
        assert classes.count(journeys.LABEL_MAP) == 1, told
        assert classes.count(journeys.COMPREHENSIVE_3D_SR) == 1, told
        assert len(stored) == len(files) + 2, told


def test_sending_again_changes_nothing(running_instance, tmp_path: Path) -> None:
    phantom = chest_phantom("anisotropic")
    files = write_series(phantom.values, phantom.grid, tmp_path / "series", **phantom.attributes)
    study = journeys.study_uid_of(files)
    instance = running_instance(dicom__accept_any_ae=True, pipelines__quiet_s=1)
    journeys.send(instance, tmp_path / "series")
    first = journeys.wait_for_jobs(instance, study)
    before = journeys.qido(instance, f"studies/{study}/instances", limit="1000")
    journeys.send(instance, tmp_path / "series")
    time.sleep(5)
    again = journeys.wait_for_jobs(instance, study)
    assert [j["id"] for j in again] == [j["id"] for j in first]
    after = journeys.qido(instance, f"studies/{study}/instances", limit="1000")
    uids = [sorted(journeys.value(i, "00080018") for i in found) for found in (before, after)]
    assert uids[0] == uids[1]
    assert len(uids[0]) == len(files) + 2
