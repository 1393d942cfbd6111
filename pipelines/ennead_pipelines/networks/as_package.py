"""A model of the registry → a package with a derived manifest: which series, which outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ennead.plugins import DiscoveredPackage, Manifest
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import ModelInput, ModelLabel, ModelManifest
from ennead_models.records import InstalledModel
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.names import score_id, volume_id

#: All models share the last block of result series: 9800 … 9899.
SERIES_BLOCK: Final = 8
PIPELINE: Final = "ennead_pipelines.networks.pipeline:ModelPipeline"
VOLUME_METHOD: Final = "ennead_pipelines.networks.measure:volume_cm3"
SCORE_METHOD: Final = "ennead_pipelines.networks.measure:score"
#: Said on every output of a model whose manifest does not tell.
NOT_STATED: Final = "not stated by the model"

_LANES: Final[Mapping[ModelState, Lane]] = {
    ModelState.ACTIVE: Lane.ACTIVE,
    ModelState.PILOT: Lane.PILOT,
    ModelState.SHADOW: Lane.SHADOW,
}
#: One image an instance, without a place in the patient.
_PROJECTIONS: Final = frozenset({"CR", "DX", "MG", "IO", "PX", "RG", "XC", "GM", "ES", "OP", "SM"})
_ARTIFICIAL_INTELLIGENCE: Final = {
    "scheme": "DCM",
    "value": "123110",
    "meaning": "Artificial Intelligence",
}
_VOLUME: Final = {"scheme": "SCT", "value": "118565006", "meaning": "Volume"}
_PROBABILITY: Final = {"scheme": "DCM", "value": "122157", "meaning": "Probability"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage(DiscoveredPackage):
    """A version of a model as the pipelines see it.

    Parameters
    ----------
    model : InstalledModel or None
        Its row in the registry.
    state : ModelState
        Its place in the lifecycle.
    """

    model: InstalledModel | None = None
    state: ModelState = ModelState.REGISTERED

    @property
    def lane(self) -> Lane | None:
        """The lane it runs in on arrival; None when it does not run."""
        return _LANES.get(self.state)

    def runs_for(self, sources: Iterable[str]) -> bool:
        """Whether a study from these senders is for it: a pilot may be limited to some.

        Parameters
        ----------
        sources : iterable of str
            AE titles and station names of the study's series.
        """
        wanted = self.model.pilot.sources if self.model and self.lane is Lane.PILOT else ()
        return not wanted or not {w.casefold() for w in wanted}.isdisjoint(
            source.casefold() for source in sources
        )


def lane_of(package: DiscoveredPackage) -> Lane | None:
    """The lane a package runs in on arrival: packages are active, models as their state says."""
    return package.lane if isinstance(package, ModelPackage) else Lane.ACTIVE


def as_package(model: InstalledModel) -> ModelPackage:
    """The package that an installed version becomes; a broken one says what is wrong."""
    manifest, error = None, ""
    try:
        manifest = derive(model.manifest)
    except ValueError as problem:  # pydantic's: a rule of packages that models do not have
        error = f"model {model.model} {model.version} cannot run as a package: {problem}"
    return ModelPackage(
        id=model.model,
        manifest=manifest,
        digest=model.digest,
        folder=model.folder,
        distribution="",
        error=error,
        model=model,
        state=model.state,
    )


def derive(model: ModelManifest) -> Manifest:
    """The package manifest of a model.

    One input from its modality, body part and bounds; a segmentation and a volume for each label,
    or a finding with its probability for each class; a threshold wherever a label has one.
    """
    use = model.intended_use
    trained_on = use.trained_on or model.evidence.training or NOT_STATED
    resources = model.resources
    return Manifest.model_validate(
        {
            "schema": 1,
            "id": model.id,
            "title": dict(model.title),
            "version": model.version,
            "pipeline": PIPELINE,
            "licence": model.licence,
            "owners": list(model.owners),
            "quality": "bronze",
            "algorithm_family": _ARTIFICIAL_INTELLIGENCE,
            "series_block": SERIES_BLOCK,
            "procedure": model.procedure.model_dump(),
            "intended_use": use.model_dump() | {"trained_on": trained_on},
            "input": [_input(model.input)],
            "runtime": {
                "cpu": resources.cpu,
                "ram_mib": max(1, round(resources.ram_gib * 1024)),
                "vram_mib": round(resources.vram_gib * 1024),
                "timeout_s": resources.timeout_s,
                "deterministic": resources.deterministic,
            },
            "output": [each for label in model.label for each in _outputs(model, label)],
            "threshold": [
                {
                    "id": label.id,
                    "default": label.threshold.default,
                    "site_bounds": label.threshold.site_bounds,
                    "title": dict(label.title),
                }
                for label in model.label
                if label.threshold
            ],
        }
    )


def _input(rule: ModelInput) -> dict[str, Any]:
    projections = set(rule.modality) <= _PROJECTIONS
    least = rule.slices.min
    return {
        "name": rule.name,
        "modality": list(rule.modality),
        "body_part": list(rule.body_part),
        "volumetric": not projections,
        "quantitative": not projections,
        "min_slices": max(1, int(least)) if least is not None else 1,
        "require": list(_requirements(rule)),
        "prefer": [{"attribute": "slice_count", "descending": True}],
    }


def _requirements(rule: ModelInput) -> Iterator[dict[str, Any]]:
    """Bounds of the model's input; which ends they have decides the text."""
    most = {"max": rule.slices.max} if rule.slices.max is not None else {}
    for name, attribute, bounds in (
        ("slice_spacing", "slice_spacing_mm", rule.slice_spacing_mm.model_dump(exclude_none=True)),
        ("pixel_spacing", "00280030", rule.pixel_spacing_mm.model_dump(exclude_none=True)),
        ("slices", "slice_count", most),
    ):
        if bounds:
            ends = "range" if len(bounds) == 2 else next(iter(bounds))
            yield {
                "id": name,
                "attribute": attribute,
                "code": "TECHNIQUE",
                "text": f"networks.refusal.{name}.{ends}",
                "bounds": bounds,
            }


def _outputs(model: ModelManifest, label: ModelLabel) -> Iterator[dict[str, Any]]:
    several = len(model.label) > 1
    if model.output.kind == "classification":
        yield _output("finding", label.id, label.title, label.type.model_dump())
        yield _output(
            "measurement", score_id(label.id), _titled("score", label, several), _PROBABILITY
        ) | {"unit": "1", "method": SCORE_METHOD, "plausible": (0.0, 1.0), "decimals": 3}
        return
    yield _output("segmentation", label.id, label.title, label.type.model_dump())
    yield _output(
        "measurement", volume_id(label.id), _titled("volume", label, several), _VOLUME
    ) | {"unit": "cm3", "method": VOLUME_METHOD, "plausible": label.plausible_ml, "decimals": 2}


def _output(kind: str, name: str, titles: Mapping[str, str], code: Any) -> dict[str, Any]:
    return {"kind": kind, "id": name, "title": dict(titles), "code": code}


_QUANTITIES: Final = {
    "volume": {"vi": "Thể tích", "en": "Volume"},
    "score": {"vi": "Xác suất", "en": "Probability"},
}


def _titled(quantity: str, label: ModelLabel, several: bool) -> dict[str, str]:
    titles = _QUANTITIES[quantity]
    if not several:
        return titles
    return {language: f"{text} ({label.title[language]})" for language, text in titles.items()}
