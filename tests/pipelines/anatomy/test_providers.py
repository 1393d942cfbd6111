"""Who is asked, in which order; several providers as one; what is only a header."""

import sys
import types

import numpy as np
import pytest

from ennead.contracts import Anatomy, Volume
from ennead.errors import ConfigurationError, ContractError, NotFound
from ennead.geometry import Grid
from ennead.settings import PipelineSettings
from ennead_pipelines.anatomy import DEFAULT, assign, find, header_only, provider_named
from ennead_pipelines.anatomy.merge import merge

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
GRID = Grid((4, 5, 6), (0.0, 0.0, 0.0), AXES, (3.0, 3.0, 3.0))


def volume(modality: str = "CT") -> Volume:
    return header_only(GRID, modality, "2.25.1", "2.25.2", {})  # type: ignore[arg-type]


class Liver:
    """A provider as a model would be."""

    id, version, structures = "liver-model", "2.1.0", ("liver", "body")

    def fits(self, given: Volume) -> bool:
        return given.modality == "CT"

    def compute(self, given: Volume) -> Anatomy:
        labels = np.zeros(given.grid.shape, np.uint8)
        labels[1:3] = 1
        return Anatomy(labels, {"liver": (1,), "body": (1,)}, self.id, self.version, {"n": 2.0})


@pytest.fixture
def networks(monkeypatch):
    """The hook that the room of networks fills."""
    name = "ennead_pipelines.networks.anatomy"
    module = types.ModuleType(name)
    module.provider_of = {"liver": Liver()}.get  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    module.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]


def test_a_header_has_a_shape_and_no_memory() -> None:
    huge = Grid((2000, 2000, 2000), (0.0, 0.0, 0.0), AXES, (1.0, 1.0, 1.0))
    empty = header_only(huge, "CT", "2.25.1", "2.25.2", {})  # type: ignore[arg-type]
    assert empty.values.shape == huge.shape
    assert empty.values.strides == (0, 0, 0)


def test_the_setting_and_its_default() -> None:
    assert PipelineSettings().anatomy == DEFAULT
    assert provider_named("classical").id == "classical-ct"
    for wrong in ("totalseg", "model:", "classical:2"):
        with pytest.raises(ConfigurationError, match=r"pipelines\.anatomy"):
            provider_named(wrong)


def test_preference_decides_and_the_rest_goes_to_the_next(networks) -> None:
    chosen = assign(["body", "bones", "liver"], volume(), ("model:liver", "classical"))
    assert {s: name for s, (name, _) in chosen.items()} == {
        "body": "model:liver",
        "liver": "model:liver",
        "bones": "classical",
    }
    chosen = assign(["body"], volume(), ("classical", "model:liver"))
    assert chosen["body"][0] == "classical"


def test_who_does_not_fit_or_is_not_here_is_passed_over(networks) -> None:
    assert assign(["body", "liver"], volume("MR"), ("model:liver", "classical")) == {}
    chosen = assign(["body"], volume(), ("model:absent", "classical"))
    assert chosen["body"][0] == "classical"
    with pytest.raises(NotFound, match="spleen"):
        find(volume(), ["spleen"])


def test_one_view_of_two_providers_keeps_overlaps(networks) -> None:
    found = find(volume(), ["liver", "body"], ("classical", "model:liver"))
    assert found.provider == "classical-ct + liver-model"
    assert found.mask("liver").sum() == 2 * 5 * 6
    assert not found.mask("liver")[0].any()
    assert found.quality["liver-model.n"] == 2.0
    with pytest.raises(NotFound):
        found.mask("lungs")


def anatomy(values: list[int], names: dict[str, tuple[int, ...]], provider: str) -> Anatomy:
    return Anatomy(np.array([[values]], np.uint8), names, provider, "1")


def test_every_combination_of_labels_is_kept() -> None:
    one = anatomy([0, 1, 2, 1], {"a": (1,), "b": (2,), "ab": (1, 2)}, "p")
    two = anatomy([1, 1, 0, 0], {"c": (1,)}, "q")
    both = merge([(one, ["a", "ab"]), (two, ["c"])])
    assert both.mask("a").ravel().tolist() == [False, True, False, True]
    assert both.mask("ab").ravel().tolist() == [False, True, True, True]
    assert both.mask("c").ravel().tolist() == [True, True, False, False]
    assert merge([(one, ["a"])]) is one


def test_what_cannot_be_merged() -> None:
    one = anatomy([0, 1], {"a": (1,)}, "p")
    with pytest.raises(ContractError, match="grids"):
        merge([(one, ["a"]), (anatomy([0, 1, 1], {"b": (1,)}, "q"), ["b"])])
    many = anatomy([255, 0], {"a": (255,)}, "p")
    with pytest.raises(ContractError, match="combinations"):
        merge([(many, ["a"]), (many, ["a"]), (many, ["a"])])
