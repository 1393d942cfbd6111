"""``[[function]]`` of package.toml: what is accepted, and what a wrong one is told."""

import copy
from pathlib import Path
from typing import Any

import pytest

from ennead.errors import ManifestInvalid
from ennead.plugins import Manifest, read_manifest
from ennead.testing import sample

FOLDER = Path(sample.__file__).parent


def changed(change: Any) -> Manifest:
    manifest, _ = read_manifest(FOLDER / "package.toml")
    data = copy.deepcopy(manifest.model_dump(by_alias=True, exclude_unset=True, mode="json"))
    change(data)
    return Manifest.model_validate(data)


def test_the_sample_declares_functions_of_every_kind() -> None:
    manifest, _ = read_manifest(FOLDER / "package.toml")
    kinds = {each.kind for rule in manifest.function for each in rule.input}
    assert kinds == {"seed", "number", "choice", "mask", "points", "line", "roi", "contour"}
    grow = manifest.function_rule("grow")
    assert grow is not None
    assert (grow.timeout_s, grow.series) == (2.0, "ct")
    assert manifest.function_rule("edit").timeout_s == 10.0  # type: ignore[union-attr]
    assert manifest.function_rule("nothing") is None


def _set(path: str, value: Any) -> Any:
    def change(data: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = data
        for part in way:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("function.0.outputs", ["elsewhere"], "unknown outputs"),
        ("function.1.id", "grow", "function ids must differ"),
        ("function.0.series", "mr", "volumetric inputs are: ct"),
        ("function.0.call", "no function", "call"),
        ("function.0.timeout_s", 0, "greater than 0"),
        ("function.0.title", {"en": "Only English"}, "needs a title in vi and en"),
        ("function.0.input.0.kind", "voxel", "kind"),
        ("function.0.input.0.unit", "mm", "unit belong to number"),
        ("function.0.input.0.title", {"vi": "Điểm"}, "title in vi and en"),
        ("function.0.input.1.unit", "", "needs a unit"),
        ("function.0.input.1.default", 900.0, "outside its bounds"),
        ("function.0.input.1.default", "high", "no number"),
        ("function.0.input.1.min", 300.0, "above max"),
        ("function.0.input.1.name", "seed", "must differ"),
        ("function.0.input.2.default", "badly", "none of its choices"),
        ("function.0.input.2.choices", [], "at least two choices"),
        ("function.2.input.0.count_min", 9, "above count_max"),
        ("function.2.input.2.shapes", [], "at least one shape"),
        ("function.2.input.2.shapes", ["star"], "shapes"),
        ("function.0.surprise", 1, "Extra inputs"),
    ],
)
def test_a_wrong_function_is_told_what_is_wrong(path: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        changed(_set(path, value))


def test_a_broken_file_names_the_place(tmp_path: Path) -> None:
    text = (FOLDER / "package.toml").read_text().replace('series = "ct"', 'series = "mr"', 1)
    (tmp_path / "package.toml").write_text(text)
    with pytest.raises(ManifestInvalid, match="'mr'"):
        read_manifest(tmp_path / "package.toml")
