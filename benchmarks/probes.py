"""Print the table of docs/reference/probes.md: every probe on real images.

Usage: python -m benchmarks.probes DATA_FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.real_ct import OTHERS, here, read
from ennead_pipelines.probe.answer import Answer
from ennead_pipelines.probe.body_part import body_part
from ennead_pipelines.probe.completeness import completeness
from ennead_pipelines.probe.contrast_phase import contrast_phase
from ennead_pipelines.probe.intensity import intensity
from ennead_pipelines.probe.orientation import orientation
from ennead_pipelines.probe.sample import sample_of


def said(answer: Answer, *names: str) -> str:
    numbers = ", ".join(f"{n} {answer.numbers[n]}" for n in names if n in answer.numbers)
    return ", ".join(answer.values) + (f" ({numbers})" if numbers else "")


def main() -> None:
    print("| Image | intensity | body_part | orientation | lungs | contrast_phase | CPU |")
    print("|--|--|--|--|--|--|--|")
    for name, shows, path in here(Path(sys.argv[1])):
        volume = read(path)
        begun = time.process_time()
        sample = sample_of(volume)
        cells = [
            said(intensity(sample), "tissue_hu"),
            said(body_part(sample)),
            said(orientation(sample), "spine_behind_mm", "chest_above_mm"),
            said(completeness(sample, "lungs"), "lung_bottom_cm2", "lung_top_cm2"),
            said(contrast_phase(sample), "blood_hu", "kidney_hu", "liver_hu"),
        ]
        seconds = time.process_time() - begun
        print(f"| {name}: {shows} | {' | '.join(cells)} | {seconds:.2f} s |")
    for name in OTHERS:
        path = Path(sys.argv[1]) / name
        if path.exists():
            volume = read(path)
            answer = intensity(sample_of(volume))
            print(f"{name} ({volume.modality}): {said(answer, *answer.numbers)}")


if __name__ == "__main__":
    main()
