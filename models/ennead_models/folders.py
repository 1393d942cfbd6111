"""Find models: folders that hold a ``model.toml``. Nothing of a model is imported or loaded.

Looked through, in this order: ``<home>/models`` (what was added or installed here), the setting
``models.folders``, folders offered by distributions through the entry-point group
``ennead.models`` (value ``module`` or ``module:subfolder``), and the models shipped beside this
package. In each, ``<id>/model.toml`` and ``<id>/<version>/model.toml`` count. A broken model
becomes a value with its error, and the rest goes on.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from ennead.errors import ModelError, ModelManifestInvalid
from ennead.settings import Settings
from ennead_models.manifest import MANIFEST_NAME, ModelManifest, read_model

GROUP: Final = "ennead.models"


@dataclass(frozen=True, slots=True)
class DiscoveredModel:
    """A model as found: with its manifest, or with why it cannot be used.

    Parameters
    ----------
    id, version : str
        From the manifest; the folder's name and "" when it cannot be read.
    manifest : ModelManifest or None
        None when ``error`` is set before it could be read.
    digest : str
        :func:`ennead_models.manifest.model_digest`, or "".
    folder : Path
        The folder that holds ``model.toml``.
    source : str
        Where it was found: ``home``, ``setting``, ``shipped``, or a distribution's name.
    error : str
        What is broken and how to mend it; "" when usable.
    """

    id: str
    version: str
    manifest: ModelManifest | None
    digest: str
    folder: Path
    source: str
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether it may be installed."""
        return not self.error


def home_models(settings: Settings) -> Path:
    """Where models added or installed here lie."""
    return settings.home / "models"


def model_roots(settings: Settings) -> list[tuple[Path, str]]:
    """Every folder looked through, with the name of its source, first looked at first."""
    roots = [(home_models(settings), "home")]
    roots += [(Path(folder).expanduser(), "setting") for folder in settings.models.folders]
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        module, _, inside = entry.value.partition(":")
        spec = importlib.util.find_spec(module) if "." not in module else None
        if spec is not None and spec.origin is not None:
            name = entry.dist.name if entry.dist else entry.name
            roots.append((Path(spec.origin).parent / inside, name))
    beside = Path(__file__).parents[1]
    if beside.name == "models":  # a checkout; in a wheel this is site-packages
        roots.append((beside, "shipped"))
    return roots


def discover_models(settings: Settings) -> list[DiscoveredModel]:
    """All models found here, by id and version. Never raises for one of them.

    The same model (id, version and digest) in two places counts once, the first. Two models of
    one id and version that differ are both reported broken: a version is never changed silently.
    """
    found: dict[tuple[str, str, str], DiscoveredModel] = {}
    for root, source in model_roots(settings):
        for folder in _folders(root):
            model = _read(folder, source)
            key = (model.id, model.version, model.digest or str(folder))
            found.setdefault(key, model)
    return _without_rivals(sorted(found.values(), key=_order))


def find_model(settings: Settings, model_id: str, version: str = "") -> DiscoveredModel:
    """The model of that id, and of that version or the newest.

    Raises
    ------
    ModelError
        There is none, or it is broken; the message says which are there.
    """
    every = discover_models(settings)
    fitting = [m for m in every if m.id == model_id and version in ("", m.version)]
    if not fitting:
        known = ", ".join(sorted({f"{m.id} {m.version}".strip() for m in every})) or "none"
        wanted = f"{model_id} {version}".strip()
        raise ModelError(f"No model {wanted!r} is found here; found are: {known}.")
    usable = [m for m in fitting if m.usable]
    if not usable:
        raise ModelManifestInvalid(f"Model {model_id!r} is broken: {fitting[-1].error}")
    return usable[-1]


def version_key(version: str) -> tuple[int, ...]:
    """For sorting: ``1.10.0`` after ``1.9.0``; what is no version first."""
    parts = version.split(".")
    return tuple(int(p) for p in parts) if all(p.isdigit() for p in parts) else (-1,)


def _order(model: DiscoveredModel) -> tuple[str, tuple[int, ...], str]:
    return model.id, version_key(model.version), str(model.folder)


def _folders(root: Path) -> Iterator[Path]:
    """Folders under ``root``, at most two levels down, that hold a ``model.toml``."""
    try:
        children = sorted(c for c in root.iterdir() if c.is_dir() and not c.name.startswith("."))
    except OSError:
        return
    if (root / MANIFEST_NAME).is_file():
        yield root
    for child in children:
        inside = (f.parent for f in child.glob(f"*/{MANIFEST_NAME}"))
        yield from sorted(f for f in inside if not f.name.startswith("."))
        if (child / MANIFEST_NAME).is_file():
            yield child


def _read(folder: Path, source: str) -> DiscoveredModel:
    try:
        manifest, digest = read_model(folder)
    except Exception as error:  # a third party's file: any failure is its own
        return DiscoveredModel(folder.name, "", None, "", folder, source, str(error))
    return DiscoveredModel(manifest.id, manifest.version, manifest, digest, folder, source)


def _without_rivals(models: list[DiscoveredModel]) -> list[DiscoveredModel]:
    rivals: dict[tuple[str, str], list[DiscoveredModel]] = {}
    for model in models:
        if model.version:
            rivals.setdefault((model.id, model.version), []).append(model)
    checked = []
    for model in models:
        others = [m for m in rivals.get((model.id, model.version), []) if m is not model]
        if others:
            model = replace(
                model,
                error=f"{model.id} {model.version} is also in {others[0].folder}, with other "
                "content; give one of them a new version, or remove it",
            )
        checked.append(model)
    return checked
