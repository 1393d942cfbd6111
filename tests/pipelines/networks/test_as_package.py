"""A model's manifest becomes a package's, and the registry's states become lanes."""

from collections.abc import Callable
from typing import Any

import pytest

from ennead.database import Database
from ennead.errors import Conflict
from ennead.security import Principal, Role
from ennead.testing.models import model_data
from ennead.testing.sample import sample_package
from ennead.texts import LANGUAGES, platform_texts
from ennead_models.manifest import parse_model
from ennead_models.records import InstalledModel, Pilot, pilot_readers
from ennead_models.registry import rollback
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.as_package import derive
from ennead_pipelines.networks.lifecycle import InstalledModels
from ennead_pipelines.networks.names import score_id, volume_id
from ennead_pipelines.packages import PackageCatalogue, introduce, states, switch

SCIENTIST = Principal("ds.lan", "Lan", frozenset({Role.DATA_SCIENTIST}))
Install = Callable[..., InstalledModel]


def manifest(**changes: Any) -> Any:
    return derive(parse_model(model_data(**changes), "test"))


def test_a_segmentation_model_becomes_a_package() -> None:
    package = manifest(
        input__body_part=["CHEST"],
        input__slice_spacing_mm={"max": 3.0},
        input__pixel_spacing_mm={"min": 0.3, "max": 1.0},
        input__slices={"min": 16, "max": 900},
        label__0__plausible_ml=[1, 20],
    )
    assert (package.id, package.version, package.series_block) == ("bright", "1.0.0", 8)
    assert (package.quality, package.intended_use.status) == ("bronze", "research")
    assert package.intended_use.trained_on == "nothing: a threshold at 0 HU"
    assert package.algorithm_family.value == "123110"
    segment, volume = package.output
    assert (segment.id, segment.kind, segment.code.value) == ("bright", "segmentation", "52101004")
    assert (volume.id, volume.unit, volume.code.value) == ("bright_volume", "cm3", "118565006")
    assert volume.plausible == (1.0, 20.0)
    (rule,) = package.input
    assert (rule.modality, rule.body_part, rule.min_slices) == (["CT"], ["CHEST"], 16)
    assert (rule.volumetric, rule.quantitative) == (True, True)
    by_id = {each.id: each for each in rule.require}
    assert by_id["slice_spacing"].bounds.max == 3.0
    assert by_id["pixel_spacing"].is_met(["0.7", "0.7"])
    assert not by_id["pixel_spacing"].is_met(["0.7", "1.2"])
    assert not by_id["slices"].is_met(["901"])
    for language in LANGUAGES:
        assert {each.text for each in rule.require} <= platform_texts(language).keys()


def test_a_classifier_becomes_findings_with_probabilities() -> None:
    package = manifest(
        input__modality=["DX"],
        input__dimensions=2,
        input__orientation="SPL",
        input__shape=["224", "224"],
        input__fit="resize",
        resources__tile=[],
        output={"kind": "classification", "channels": 1, "activation": "sigmoid"},
        label__0__threshold={"default": 0.4, "site_bounds": [0.2, 0.8]},
    )
    finding, score = package.output
    assert (finding.kind, score.kind) == ("finding", "measurement")
    assert (score.code.scheme, score.code.value, score.unit) == ("DCM", "122157", "1")
    assert (score.plausible, score.decimals) == ((0.0, 1.0), 3)
    (threshold,) = package.threshold
    assert (threshold.id, threshold.default, threshold.site_bounds) == ("bright", 0.4, (0.2, 0.8))
    assert (package.input[0].volumetric, package.input[0].quantitative) == (False, False)


def test_what_a_model_was_trained_on_is_never_silent() -> None:
    assert (
        manifest(intended_use__trained_on="").intended_use.trained_on == "not stated by the model"
    )
    told = manifest(intended_use__trained_on="", evidence={"training": "1200 adults, 9 sites"})
    assert told.intended_use.trained_on == "1200 adults, 9 sites"


@pytest.mark.parametrize("name_of", [volume_id, score_id])
def test_names_stay_short_and_differ(name_of: Callable[[str], str]) -> None:
    first, second = "a" * 30 + "b", "a" * 30 + "c"
    assert name_of("liver").startswith("liver_")
    assert len({name_of(first), name_of(second)}) == 2
    assert all(len(name_of(each)) <= 31 for each in (first, second))


@pytest.mark.parametrize(
    ("state", "lane", "enabled"),
    [
        ("registered", None, False),
        ("validated", None, False),
        ("shadow", Lane.SHADOW, True),
        ("pilot", Lane.PILOT, True),
        ("active", Lane.ACTIVE, True),
    ],
)
def test_the_state_decides_the_lane(
    state: str, lane: Lane | None, enabled: bool, install: Install, database: Database
) -> None:
    install(state)
    catalogue = PackageCatalogue(discover=list, models=InstalledModels(database))
    (package,) = catalogue.all()
    with database.begin() as connection:
        introduce(connection, catalogue.all())
        ((known),) = states(connection, catalogue.all())
    assert (package.lane, known.enabled, package.error) == (lane, enabled, "")
    assert package.digest == "sha256:bright-1.0.0"


def test_versions_stand_beside_each_other_and_a_change_is_seen_at_once(
    install: Install, database: Database
) -> None:
    catalogue = PackageCatalogue(discover=list, models=InstalledModels(database, 0.0))
    assert catalogue.all() == ()
    install("active")
    install("shadow", version="1.1.0")
    lanes = {p.manifest.version: p.lane for p in catalogue.all() if p.manifest}
    assert lanes == {"1.0.0": Lane.ACTIVE, "1.1.0": Lane.SHADOW}
    read = catalogue.get("bright")
    assert read and read.manifest and read.manifest.version == "1.0.0"
    exact = catalogue.get("bright", "sha256:bright-1.1.0")
    assert exact and exact.manifest and exact.manifest.version == "1.1.0"
    assert catalogue.get("bright", "sha256:other") is None
    install("active", version="1.1.0")
    lanes = {p.manifest.version: p.lane for p in catalogue.all() if p.manifest}
    assert lanes == {"1.0.0": None, "1.1.0": Lane.ACTIVE}  # the older one is retired
    with database.begin() as connection:
        rollback(connection, "bright", SCIENTIST, reason="worse on thin slices")
    lanes = {p.manifest.version: p.lane for p in catalogue.all() if p.manifest}
    assert lanes == {"1.0.0": Lane.ACTIVE, "1.1.0": None}


def test_a_model_with_a_packages_id_is_broken(install: Install, database: Database) -> None:
    install("active", id="sample")
    catalogue = PackageCatalogue(
        discover=lambda: [sample_package()], models=InstalledModels(database)
    )
    package, model = catalogue.all()
    assert package.usable and not model.usable
    assert "same id" in model.error


def test_a_model_has_no_switch(install: Install, database: Database) -> None:
    install("active")
    catalogue = PackageCatalogue(discover=list, models=InstalledModels(database))
    with database.begin() as connection, pytest.raises(Conflict, match="ennead models"):
        switch(connection, catalogue.all(), "bright", SCIENTIST, enabled=False)


def test_a_pilot_names_readers_and_sources(install: Install, database: Database) -> None:
    install("pilot", Pilot(("bs.an", "bs.binh"), ("CT_SOUTH",)))
    with database.read() as connection:
        assert pilot_readers(connection) == {("bright", "1.0.0"): ("bs.an", "bs.binh")}
    (package,) = InstalledModels(database)()
    assert package.runs_for({"ct_south", "x"})
    assert not package.runs_for({"CT_NORTH"})
    install("active")
    (package,) = InstalledModels(database)()
    assert package.runs_for(set())
