"""A small package of its own folder, good at silver, to be broken in one place at a time."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ennead.plugins import DiscoveredPackage, read_manifest
from ennead.texts import package_texts

MANIFEST = """
schema = 1
id = "tiny"
version = "1.0.0"
pipeline = "ennead_tiny.pipeline:TinyPipeline"
licence = "Apache-2.0"
quality = "silver"
series_block = 8
title = { vi = "Nhỏ", en = "Tiny" }

[intended_use]
status = "research"
text.vi = "Chỉ để kiểm thử."
text.en = "For testing only."

[[input]]
name = "ct"
modality = ["CT"]

[[output]]
id = "seen"
kind = "finding"
title = { vi = "Đã thấy", en = "Seen" }
code = { scheme = "SCT", value = "123037004", meaning = "Body structure" }

[[output]]
id = "mean"
kind = "measurement"
title = { vi = "Trung bình", en = "Mean" }
code = { scheme = "DCM", value = "112031", meaning = "Attenuation Coefficient" }
unit = "[hnsf'U]"
method = "ennead_tiny.mean:mean_above"

[[threshold]]
id = "darkest"
default = -500.0
site_bounds = [-800.0, 0.0]
title = { vi = "Ngưỡng", en = "Threshold" }

[[test]]
input = "phantom:ball_ct"
[test.expect]
mean = { value = 100.0, tolerance = 1.0 }
"""

PIPELINE = '''
"""The pipeline."""

from ennead import codes
from ennead.findings import Finding, Measurement, Refusal, RefusalCode
from ennead_tiny.mean import mean_above

BODY = codes.sct("123037004", "Body structure")


class TinyPipeline:
    """Mean of what is bright."""

    def run(self, context):
        volume = context.volumes["ct"]
        value = mean_above(volume.values, context.thresholds["darkest"])
        if value is None:
            return [Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing")]
        attenuation = codes.dcm("112031", "Attenuation Coefficient")
        measured = Measurement("mean", attenuation, value, codes.HOUNSFIELD)
        return [
            Finding("seen", "Seen", BODY, BODY, volume.series_uid, measurements=(measured,))
        ]
'''

MEAN = '''
"""One measurement."""


def mean_above(values, limit):
    """Mean of voxels above ``limit``; None without any.

    Definition: arithmetic mean.
    """
    chosen = values[values > limit]
    return float(chosen.mean()) if chosen.size else None
'''

README = """# Tiny

## Input

CT.

## Output

A mean.

## What is refused

Images that are dark.

## Limits

* It measures nothing of use.
* It knows no organ.
"""

QUALITY = """
scale = "silver"

[bronze]
runs_on_phantom = "done"
writes_declared_outputs_only = "done"
deterministic = "done"
refuses_with_texts_vi_en = "done"
methods_documented = "done"
readme = "done"
light_discovery = "done"
contract_only = "done"

[silver]
reference_case = "done"
methods_cite_sources = "done"
thresholds_used = "done"
documented_failure_modes = "done"
golden_measurements = { done = "tests/test_tiny.py" }
threshold_boundaries = { done = "tests/test_tiny.py" }
real_images_looked_at = { exempt = "it measures nothing of use" }
"""

FILES = {
    "package.toml": MANIFEST,
    "quality.toml": QUALITY,
    "README.md": README,
    "__init__.py": '"""Tiny."""\n',
    "pipeline.py": PIPELINE,
    "mean.py": MEAN,
    "texts/vi.toml": '[refusal]\nnothing = "Không có gì sáng."\n',
    "texts/en.toml": '[refusal]\nnothing = "Nothing is bright."\n',
}


@pytest.fixture
def tiny(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., DiscoveredPackage]]:
    """``tiny({"mean.py": ("old", "new")})``: the package with one change in each named file."""
    folder = tmp_path / "ennead_tiny"
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(changes: dict[str, tuple[str, str] | None] | None = None) -> DiscoveredPackage:
        for name, text in FILES.items():
            change = (changes or {}).get(name, ("", ""))
            if change is None:
                continue
            assert change[0] in text
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(*change, 1) if change[0] else text, encoding="utf-8")
        importlib.invalidate_caches()
        package_texts.cache_clear()
        manifest, digest = read_manifest(folder / "package.toml")
        return DiscoveredPackage("tiny", manifest, digest, folder, "")

    yield make
    for name in [n for n in sys.modules if n.startswith("ennead_tiny")]:
        del sys.modules[name]
    package_texts.cache_clear()
