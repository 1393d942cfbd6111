"""An installed segmentation model as anatomy provider (setting ``pipelines.anatomy``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ennead.contracts import Anatomy, Volume
from ennead.settings import Settings
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.answer import ask
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.networks.source import ModelSource


@dataclass(frozen=True, slots=True)
class ModelAnatomy:
    """The :class:`~ennead.contracts.AnatomyProvider` of an active model; it can be pickled.

    Its structures are the model's labels, and both sides together where there is a label
    ``left_x`` and one ``right_x``: ``xs``.
    """

    source: ModelSource

    @property
    def id(self) -> str:
        """``model:<id>``."""
        return f"model:{self.source.manifest.id}"

    @property
    def version(self) -> str:
        """Version and digest: other weights are another provider."""
        return f"{self.source.manifest.version}+{self.source.digest.removeprefix('sha256:')[:16]}"

    @property
    def structures(self) -> Sequence[str]:
        """Every structure it looks for."""
        return tuple(self._values())

    def fits(self, volume: Volume) -> bool:
        """Whether the model takes such a volume: its modality, and more than one slice."""
        given = self.source.manifest.input
        return volume.modality in given.modality and volume.grid.shape[0] > 1

    def compute(self, volume: Volume) -> Anatomy:
        """Ask the model."""
        answer = ask(self.source, volume, {}, _silent)
        assert answer.labels is not None
        return Anatomy(answer.labels, self._values(), self.id, self.version)

    def _values(self) -> dict[str, tuple[int, ...]]:
        values: dict[str, tuple[int, ...]] = {
            label.id: (label.value,) for label in self.source.manifest.label
        }
        for name, value in list(values.items()):
            other = values.get(name.replace("left_", "right_", 1))
            if name.startswith("left_") and other:
                values.setdefault(f"{name.removeprefix('left_')}s", (*other, *value))
        return values


#: Where this process finds the installed models; nothing until :func:`use_models`.
_source: Callable[[str], ModelAnatomy | None] = lambda model_id: None  # noqa: E731


def use_models(models: Callable[[], Sequence[ModelPackage]], settings: Settings) -> None:
    """Let this process find installed models, as the worker and the web process do at start."""

    def find(model_id: str) -> ModelAnatomy | None:
        for package in models():
            active = package.id == model_id and package.lane is Lane.ACTIVE and package.usable
            if active and package.model is not None:
                source = ModelSource.of(package.model, settings)
                if source.manifest.output.kind != "classification":
                    return ModelAnatomy(source)
        return None

    global _source
    _source = find


def provider_of(model_id: str) -> ModelAnatomy | None:
    """The active version of a segmentation model; None where there is none."""
    return _source(model_id)


def _silent(fraction: float, text_key: str) -> None:
    del fraction, text_key
