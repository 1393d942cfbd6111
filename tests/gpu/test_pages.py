"""Freed memory is kept for a run, and handed back after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ennead_gpu.pages import _glibc

pytestmark = pytest.mark.skipif(_glibc() is None, reason="the C library is not glibc")

_CHILD = """
import resource
from pathlib import Path
import numpy as np
from ennead_gpu.pages import kept_pages

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(40 << 17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

stock, before = faults(10), resident()
with kept_pages():
    faults(1)
    with kept_pages():
        pass
    kept, during = faults(10), resident()
print(stock, kept, during - before, resident() - before)
"""


def test_pages_are_kept_for_the_block_and_handed_back() -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, text=True)
    stock, kept, during, after = map(int, done.stdout.split())
    assert stock > 5000 > 500 > kept, done.stderr
    assert during >= 35 and after <= 5
