"""The figures as a page of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Test of the harness → what it is, and the ratio to reach.
TARGETS: Final = {
    "store_ct1": ("C-STORE CT 526 KB, 1 association", 3.0),
    "store_ct4": ("C-STORE CT 526 KB, 4 associations", 1.8),
    "store_mr4": ("C-STORE MR 131 KB, 4 associations", 1.5),
}
CPU_TARGET_MS: Final = 1.5

_HEAD = """# Speed

`make bench` measures Ennead and Orthanc in one run on one machine, with the same senders, and
prints ratios; above 1 is better than Orthanc. Only ratios of one run mean anything: absolute
figures depend on the machine and on what else it does.

## C-STORE

dcmtk's `storescu` sends; Orthanc is 1.10.1 with its Debian defaults. The servers take turns, so
that noise meets both. Ennead runs whole (web, worker and Ray beside the receivers) and answers
after the file is synced and the index committed with `synchronous=FULL`; Orthanc syncs the file
only. This table is written by `python -m benchmarks.run --docs`.

"""


def render(
    found: Mapping[str, Mapping[str, float]], *, machine: str, repetitions: int, limit: int
) -> str:
    """Markdown of the results of ``benchmarks.run``."""
    lines = [
        "| What | Orthanc | Ennead | Ratio (each pair) | Target |",
        "|---|---|---|---|---|",
    ]
    for test, row in found.items():
        title, target = TARGETS.get(test, (test, 0.0))
        lines.append(
            f"| {title} | {row['orthanc_images_s']:.0f} images/s | "
            f"{row['ennead_images_s']:.0f} images/s | {row['ratio']:.2f} "
            f"({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) | ≥ {target:g} |"
        )
    for test, row in found.items():
        if not test.startswith("store_ct"):
            continue
        target_text = f"≤ {CPU_TARGET_MS:g} ms"
        lines.append(
            f"| server CPU per image, {TARGETS.get(test, (test, 0))[0]} | "
            f"{row['orthanc_server_cpu_ms_image']:.2f} ms | "
            f"{row['ennead_server_cpu_ms_image']:.2f} ms | "
            f"{row['orthanc_server_cpu_ms_image'] / row['ennead_server_cpu_ms_image']:.2f} | "
            f"{target_text} |"
        )
    load = max(row["load"] for row in found.values())
    files = f"the first {limit} files" if limit else "2,000 CT and 3,000 MR files"
    note = (
        f"\nMedians of {repetitions} repetitions over {files}; {machine}; load average before a "
        f"repetition {load:.1f}. CPU is that of the receiving processes.\n"
    )
    return _HEAD + "\n".join(lines) + "\n" + note
