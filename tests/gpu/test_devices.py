"""The inventory: from files of the kernel and from a program that answers as nvidia-smi does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ennead_gpu.devices import Inventory


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    place = tmp_path / "proc"
    place.mkdir()
    (place / "meminfo").write_text("MemTotal:  8388608 kB\nMemAvailable:  4194304 kB\n")
    (place / "cpuinfo").write_text("processor : 0\nmodel name : Swift 9000\n")
    (place / "stat").write_text("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n")
    return place


def smi(tmp_path: Path, answer: str, status: int = 0) -> str:
    program = tmp_path / "smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {status}\n")
    program.chmod(0o755)
    return str(program)


def test_processors_with_memory_and_their_utilisation(proc: Path) -> None:
    inventory = Inventory(proc, smi="no-such-program")
    (device,) = inventory.devices()
    assert (device.id, device.kind, device.total_mib, device.free_mib) == ("cpu", "cpu", 8192, 4096)
    assert device.title.startswith("Swift 9000 × ")
    assert device.utilisation_percent is None
    (proc / "stat").write_text("cpu  150 0 125 715 110 0 0 0 0 0\n")
    assert inventory.devices()[0].utilisation_percent == 75.0
    assert device.budget_mib == pytest.approx(0.6 * 8192)


def test_cards_without_pytorch(proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    answer = "0, GPU-aaa, Card A 80GB, 81559, 81000, 37\n1, GPU-bbb, Card B, 24564, 20000, [N/A]"
    cards = Inventory(proc, smi(tmp_path, answer)).devices()[1:]
    assert [c.as_json() for c in cards] == [
        {
            "id": "cuda:0",
            "kind": "cuda",
            "title": "Card A 80GB",
            "total_mib": 81559,
            "free_mib": 81000,
            "utilisation_percent": 37.0,
        },
        {
            "id": "cuda:1",
            "kind": "cuda",
            "title": "Card B",
            "total_mib": 24564,
            "free_mib": 20000,
            "utilisation_percent": None,
        },
    ]


@pytest.mark.parametrize(("answer", "status"), [("nonsense", 0), ("0, GPU-a, x, 1, 1, 1", 9)])
def test_a_program_that_fails_means_no_cards(
    proc: Path, tmp_path: Path, answer: str, status: int
) -> None:
    assert len(Inventory(proc, smi(tmp_path, answer, status)).devices()) == 1


def test_a_machine_without_cards_is_asked_without_pytorch(tmp_path: Path) -> None:
    code = (
        "import sys; from ennead_gpu.devices import Inventory;"
        "d = Inventory(smi='no-such-program').devices(); print(d[0].id, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if not Path("/dev/nvidiactl").exists():
        assert done.stdout.split() == ["cpu", "False"]


def test_a_real_card_has_memory() -> None:
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    cards = Inventory().devices()[1:]
    assert len(cards) == torch.cuda.device_count()
    assert all(0 < card.free_mib <= card.total_mib for card in cards)
