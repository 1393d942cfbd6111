"""Measured memory, and the book that remembers it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ennead.errors import ServiceError
from ennead_gpu.memory import Load, MemoryBook, dry_run, measured

LOAD = Load("d1", (64, 64, 64), 1, "fp32", "cpu")


def test_peak_memory_counts_what_was_freed_again(tmp_path: Path) -> None:
    """In a fresh process, so that nothing that was freed before can be used again."""
    code = (
        "from ennead_gpu.memory import measured\n"
        "with measured('cpu') as peak:\n"
        "    kept = bytearray(20 << 20); gone = bytearray(60 << 20); del gone\n"
        "    later = bytearray(30 << 20)\n"
        "print(peak.mib)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(80, abs=4)


def test_a_dry_run_measures_a_process_of_its_own() -> None:
    assert dry_run(functools.partial(bytearray, 50 << 20), "cpu") == pytest.approx(50, abs=5)


def test_a_dry_run_that_fails_says_why() -> None:
    with pytest.raises(ServiceError, match="ValueError"):
        dry_run(functools.partial(int, "x"), "cpu")
    with pytest.raises(ServiceError, match="status 7"):
        dry_run(functools.partial(os._exit, 7), "cpu")
    with pytest.raises(ServiceError, match="in time"):
        dry_run(functools.partial(time.sleep, 60), "cpu", 3.0)


def test_the_book_measures_once_and_keeps_the_larger(tmp_path: Path) -> None:
    book, asked = MemoryBook(tmp_path / "deep" / "memory.json"), []

    def measure() -> float:
        asked.append(1)
        return 812.34

    assert book.get(LOAD) is None
    assert book.need(LOAD, measure) == 812.34
    assert book.need(LOAD, measure) == 812.3
    assert book.need(LOAD, measure, stated_mib=2048) == 2048
    assert len(asked) == 1
    book.record(LOAD, 700)
    assert MemoryBook(tmp_path / "deep" / "memory.json").get(LOAD) == 812.3


@pytest.mark.parametrize("field", ["digest", "tile", "batch", "precision", "device"])
def test_each_condition_has_its_own_figure(tmp_path: Path, field: str) -> None:
    other = {"digest": "d2", "tile": (64, 64, 32), "batch": 2, "precision": "fp16", "device": "H"}
    book = MemoryBook(tmp_path / "memory.json")
    book.record(LOAD, 100)
    changed = Load(**{**{f: getattr(LOAD, f) for f in other}, field: other[field]})
    assert book.get(changed) is None


@pytest.mark.parametrize("broken", ["", "{", "[1, 2]", '{"x": "many"}'])
def test_a_broken_book_is_begun_anew(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "memory.json"
    file.write_text(broken)
    book = MemoryBook(file)
    assert book.get(LOAD) is None
    book.record(LOAD, 5)
    assert book.get(LOAD) == 5


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(part: int) -> None:
        for n in range(10):
            book.record(Load(f"{part}-{n}", (8, 8, 8), 1, "fp32", "cpu"), n + 1)

    book = MemoryBook(tmp_path / "memory.json")
    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part in range(6):
        for n in range(10):
            assert book.get(Load(f"{part}-{n}", (8, 8, 8), 1, "fp32", "cpu")) == n + 1


def test_a_card_is_measured_by_its_allocator() -> None:
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    with measured("cuda:0") as peak:
        torch.empty(64 << 20, dtype=torch.uint8, device="cuda:0")
    assert peak.mib == pytest.approx(64, abs=2)
