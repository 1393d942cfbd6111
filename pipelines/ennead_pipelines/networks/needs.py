"""Which installed models a specialty package may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ennead.contracts import ModelAnswer, ProgressSink, Volume
from ennead.plugins import DiscoveredPackage, Manifest
from ennead.plugins.models import ModelNeed
from ennead_models.folders import version_key
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.answer import ask
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.networks.source import ModelSource


def models_for(
    manifest: Manifest, packages: Iterable[DiscoveredPackage], lane: Lane
) -> dict[str, str]:
    """Model id → digest of the version for each of the package's models that is there.

    An active version; for a job in the shadow, a version in the shadow before it. Of several the
    newest.
    """
    wanted = (Lane.SHADOW, Lane.ACTIVE) if lane is Lane.SHADOW else (Lane.ACTIVE,)
    models = [p for p in packages if isinstance(p, ModelPackage) and p.usable]
    found: dict[str, str] = {}
    for text in manifest.models:
        need = ModelNeed.parse(text)
        fitting = [
            (-wanted.index(m.lane), version_key(m.manifest.version), m.digest)
            for m in models
            if m.id == need.id and m.lane in wanted and m.manifest is not None
            if need.fits(m.manifest.version)
        ]
        if fitting:
            found[need.id] = max(fitting)[2]
    return found


def callables(
    sources: Sequence[ModelSource], thresholds: Mapping[str, float], progress: ProgressSink
) -> dict[str, Callable[[Volume], ModelAnswer]]:
    """``context.models`` for a run: each may be asked with any volume of the context.

    Parameters
    ----------
    thresholds : mapping
        The package's own; one named ``<model id>_<label id>`` sets that label's threshold.
    """

    def asker(source: ModelSource) -> Callable[[Volume], ModelAnswer]:
        mark = f"{source.manifest.id}_"
        mine = {k.removeprefix(mark): v for k, v in thresholds.items() if k.startswith(mark)}
        return lambda volume: ask(source, volume, mine, progress)

    return {source.manifest.id: asker(source) for source in sources}
