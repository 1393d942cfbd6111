"""Every refusal: when, for which outputs, and what it says in both languages."""

import re
from pathlib import Path

import numpy as np
import pytest

from ennead.findings import Finding, Refusal
from ennead.geometry import Grid
from ennead.testing.phantoms import Phantom, chest_phantom
from ennead.texts import package_texts, translate

pytestmark = pytest.mark.package("lung")
DENSITOMETRY = ("laa950", "laa910", "perc15", "perc15_density")
VOLUMES = ("volume_right", "volume_left", "volume_total", "lr_ratio")


@pytest.fixture(scope="module")
def plain() -> Phantom:
    return chest_phantom("flipped", spacing_mm=1.6)


@pytest.fixture(scope="module")
def enhanced() -> Phantom:
    return chest_phantom("flipped", spacing_mm=1.6, blood_hu=180)


def texts_are_complete(answer) -> None:
    import ennead_lung

    folder = Path(ennead_lung.__file__).parent
    for refusal in answer.refusals:
        told = {
            language: translate(refusal.text_key, language, refusal.values, package_folder=folder)
            for language in ("vi", "en")
        }
        assert told["vi"] != told["en"]
        for text in told.values():
            assert text != refusal.text_key
            assert not re.search(r"[{}]", text), text


def only_density_refused(answer, code: str, key: str) -> None:
    for output in DENSITOMETRY:
        assert answer.codes(output) == {code}, output
        assert answer.keys(output) == {key}, output
        assert output not in answer.measurements
    assert set(VOLUMES) <= set(answer.measurements)
    assert {r.subject for r in answer.refusals} == set(DENSITOMETRY)
    texts_are_complete(answer)


# --- TECHNIQUE ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"KVP": None}, "refusal.technique.kvp_unknown"),
        ({"KVP": 99.9}, "refusal.technique.kvp"),
        ({"KVP": 80}, "refusal.technique.kvp"),
        ({"KVP": 140.1}, "refusal.technique.kvp"),
        ({"ConvolutionKernel": None}, "refusal.technique.kernel_unknown"),
        ({"ConvolutionKernel": "B70f"}, "refusal.technique.kernel"),
        ({"ConvolutionKernel": ["Br64d", "3"]}, "refusal.technique.kernel"),
        ({"ConvolutionKernel": "LUNG"}, "refusal.technique.kernel"),
        ({"ConvolutionKernel": "BONEPLUS"}, "refusal.technique.kernel"),
        ({"ConvolutionKernel": "FC51"}, "refusal.technique.kernel"),
        ({"SliceThickness": 3.01}, "refusal.technique.thickness"),
        ({"SliceThickness": 5}, "refusal.technique.thickness"),
        ({"SeriesDescription": "Thorax Expiration 1.0"}, "refusal.technique.expiration"),
        ({"SeriesDescription": "Ngực thì thở ra"}, "refusal.technique.expiration"),
    ],
)
def test_technique_outside_the_rules(plain, measure, change, key) -> None:
    attributes = {k: v for k, v in (plain.attributes | change).items() if v is not None}
    only_density_refused(measure(plain.values, plain.grid, attributes), "TECHNIQUE", key)


@pytest.mark.parametrize(
    "change",
    [
        {"KVP": 100},
        {"KVP": 140},
        {"SliceThickness": 3.0},
        {"ConvolutionKernel": "B40f"},
        {"ConvolutionKernel": "STANDARD"},
        {"ConvolutionKernel": ["Br40d", "3"]},
        {"ConvolutionKernel": "FC08"},
        {"SeriesDescription": "Thorax Inspiration 1.0 without contrast"},
        {"SeriesDescription": "Ngực không tiêm thuốc"},
        {"ContrastBolusAgent": "NONE"},
    ],
)
def test_technique_at_the_limit_is_accepted(plain, measure, change) -> None:
    answer = measure(plain.values, plain.grid, plain.attributes | change)
    assert answer.refusals == []
    assert set(DENSITOMETRY) <= set(answer.measurements)


def test_gaps_of_more_than_three_millimetres(measure) -> None:
    lying = chest_phantom("anisotropic").grid
    grid = Grid(
        (lying.shape[0] * 3 // 4, lying.shape[1] // 2, lying.shape[2] // 2),
        lying.origin_mm,
        lying.axes,
        (4.0, 1.4, 1.4),
    )
    phantom = chest_phantom(grid=grid)
    attributes = phantom.attributes | {"SliceThickness": 1.0}
    only_density_refused(
        measure(phantom.values, grid, attributes), "TECHNIQUE", "refusal.technique.gap"
    )


def test_what_the_platform_declined_is_not_refused_twice(plain, volume_from, context_from) -> None:
    from ennead_lung.pipeline import LungPipeline

    attributes = plain.attributes | {"KVP": 80}
    volume = volume_from(plain.values, plain.grid, attributes)
    for declined in (frozenset(DENSITOMETRY), frozenset({"laa950", "laa910"})):
        results = list(LungPipeline().run(context_from(volume, declined=declined)))
        refused = {r.subject for r in results if isinstance(r, Refusal)}
        assert refused == set(DENSITOMETRY) - declined
        given = {m.id for r in results if isinstance(r, Finding) for m in r.measurements}
        assert given == set(VOLUMES)


# --- PHASE -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"ContrastBolusAgent": None, "SeriesDescription": "Thorax with contrast"},
        {"ContrastBolusAgent": None, "SeriesDescription": "Ngực có thuốc cản quang"},
        {"ContrastBolusAgent": None, "ProtocolName": "CTPA"},
    ],
)
def test_enhanced_and_said_so(enhanced, measure, change) -> None:
    attributes = {k: v for k, v in (enhanced.attributes | change).items() if v is not None}
    answer = measure(enhanced.values, enhanced.grid, attributes)
    only_density_refused(answer, "PHASE", "refusal.phase.enhanced")


def test_enhanced_but_not_said(enhanced, measure) -> None:
    attributes = enhanced.attributes | {"ContrastBolusAgent": ""}
    answer = measure(enhanced.values, enhanced.grid, attributes)
    only_density_refused(answer, "PHASE", "refusal.phase.measured")
    hu = float(answer.refusals[0].values["hu"])
    assert hu == pytest.approx(180, abs=5)


def test_said_but_not_enhanced_disagrees(plain, measure) -> None:
    attributes = plain.attributes | {"ContrastBolusAgent": "Ultravist 370"}
    answer = measure(plain.values, plain.grid, attributes)
    only_density_refused(answer, "PHASE", "refusal.phase.disagrees")
    assert answer.refusals[0].values["said"] == "Ultravist 370"
    assert float(answer.refusals[0].values["hu"]) == pytest.approx(47.5, abs=5)


def test_between_plain_and_enhanced_nobody_can_tell(measure) -> None:
    phantom = chest_phantom("flipped", spacing_mm=1.6, blood_hu=82)
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    only_density_refused(answer, "PHASE", "refusal.phase.uncertain")


def test_no_mediastinum_to_measure(plain, measure) -> None:
    values = plain.values.copy()
    values[(plain.labels == 0) & (values > -500) & (values < 200)] = 800
    answer = measure(values, plain.grid, plain.attributes)
    only_density_refused(answer, "PHASE", "refusal.phase.unmeasured")


# --- COVERAGE ----------------------------------------------------------------------------------


def cropped(phantom: Phantom, *parts: slice) -> tuple[np.ndarray, Grid]:
    start = [s.start or 0 for s in parts]
    values = np.ascontiguousarray(phantom.values[parts])
    origin = tuple(float(v) for v in phantom.grid.to_patient(start))
    grid = Grid(
        values.shape,
        origin,
        phantom.grid.axes,
        phantom.grid.spacing_mm,  # type: ignore[arg-type]
    )
    return values, grid


ALL = slice(None)


def test_cut_at_the_last_slices(measure) -> None:
    phantom = chest_phantom("anisotropic")
    top = int(phantom.grid.to_index((0, 0, 70.0))[0])
    values, grid = cropped(phantom, slice(0, top), ALL, ALL)
    answer = measure(values, grid, phantom.attributes)
    for output in VOLUMES:
        assert answer.codes(output) == {"COVERAGE"}, output
    assert set(answer.measurements) == set(DENSITOMETRY)
    for finding in answer.findings.values():
        assert [q.value for q in finding.qualifiers] == ["partial-coverage"]
    assert set(answer.segments) == {"right_lung_mask", "left_lung_mask"}
    texts_are_complete(answer)


def test_one_lung_cut_at_the_side(measure) -> None:
    phantom = chest_phantom("anisotropic")
    edge = int(phantom.grid.to_index((110.0, 0, 0))[2])
    values, grid = cropped(phantom, ALL, ALL, slice(0, edge))
    answer = measure(values, grid, phantom.attributes)
    assert answer.measurements["volume_right"].value == pytest.approx(
        phantom.truth["volume_right_cm3"], rel=0.01
    )
    assert answer.findings["right_lung"].qualifiers == ()
    assert answer.findings["left_lung"].qualifiers != ()
    for output in ("volume_left", "volume_total", "lr_ratio"):
        assert answer.codes(output) == {"COVERAGE"}


def test_one_lung_cropped_away(measure) -> None:
    phantom = chest_phantom("anisotropic")
    edge = int(phantom.grid.to_index((24.0, 0, 0))[2])
    top = int(phantom.grid.to_index((0, 0, 75.0))[0])
    values, grid = cropped(phantom, slice(0, top), ALL, slice(0, edge))
    answer = measure(values, grid, phantom.attributes)
    assert set(answer.segments) == {"right_lung_mask"}
    assert answer.codes("left_lung_mask") == answer.codes("volume_left") == {"COVERAGE"}
    assert answer.keys("left_lung_mask") == {"refusal.coverage.side"}
    texts_are_complete(answer)


def test_one_lung_missing_in_a_whole_chest(plain, measure) -> None:
    values = plain.values.copy()
    values[plain.labels == 1] = 40
    answer = measure(values, plain.grid, plain.attributes)
    assert set(answer.segments) == {"left_lung_mask"}
    assert answer.codes("right_lung_mask") == answer.codes("volume_right") == {"NOT_FOUND"}
    assert answer.measurements["volume_left"].value == pytest.approx(
        plain.truth["volume_left_cm3"], rel=0.01
    )
    texts_are_complete(answer)


@pytest.mark.parametrize("keep_airway", [True, False])
def test_lung_bases_are_not_a_chest(measure, keep_airway) -> None:
    phantom = chest_phantom("anisotropic")
    height = -30.0 if keep_airway else 15.0
    top = int(phantom.grid.to_index((0, 0, height))[0])
    if not keep_airway:
        phantom.values[(phantom.labels == 3) | (phantom.labels == 4)] = 40
    values, grid = cropped(phantom, slice(0, top), ALL, ALL)
    answer = measure(values, grid, phantom.attributes)
    [refusal] = answer.refusals
    assert (refusal.code, refusal.subject) == ("COVERAGE", "")
    assert len(answer.results) == 1
    texts_are_complete(answer)


# --- NOT_FOUND ---------------------------------------------------------------------------------


def test_no_lungs(plain, measure) -> None:
    values = plain.values.copy()
    values[(plain.labels == 1) | (plain.labels == 2)] = 40
    answer = measure(values, plain.grid, plain.attributes)
    [refusal] = answer.refusals
    assert (refusal.code, refusal.subject) == ("NOT_FOUND", "")
    assert len(answer.results) == 1
    texts_are_complete(answer)


def test_one_lung_and_no_spine(plain, measure) -> None:
    values = plain.values.copy()
    values[plain.labels == 1] = 40
    values[values > 150] = 40
    answer = measure(values, plain.grid, plain.attributes)
    assert [(r.code, r.text_key) for r in answer.refusals] == [
        ("NOT_FOUND", "refusal.side_unknown")
    ]


# --- Texts and manifest ------------------------------------------------------------------------


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    import ennead_lung

    folder = Path(ennead_lung.__file__).parent
    vi, en = (package_texts(folder, language) for language in ("vi", "en"))
    assert vi.keys() == en.keys()
    for key in vi:
        assert set(re.findall(r"{\w+}", vi[key])) == set(re.findall(r"{\w+}", en[key])), key


def test_every_rule_of_the_manifest_has_its_text() -> None:
    import ennead_lung
    from ennead_lung.technique import manifest

    texts = package_texts(Path(ennead_lung.__file__).parent, "vi")
    for rule in manifest().input[0].require:
        assert rule.text in texts


def test_manifest_names_functions_that_exist() -> None:
    import importlib

    from ennead_lung.technique import manifest

    for output in manifest().output:
        if output.method:
            module, _, name = output.method.partition(":")
            assert callable(getattr(importlib.import_module(module), name))
