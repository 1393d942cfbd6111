"""Who finds anatomy here, in the site's order of preference.

``classical`` is the platform's own. ``model:<id>`` is an installed segmentation model, from
:func:`ennead_pipelines.networks.anatomy.provider_of`, where that module and the model are there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from ennead.contracts import AnatomyProvider, Volume
from ennead.errors import ConfigurationError

#: What a site has that set nothing.
DEFAULT: Final = ("classical",)
_MODELS: Final = "ennead_pipelines.networks.anatomy"


def provider_named(name: str) -> AnatomyProvider | None:
    """The provider of an entry of the setting ``pipelines.anatomy``; None when it is not here.

    Raises
    ------
    ConfigurationError
        The entry is neither ``classical`` nor ``model:<id>``.
    """
    if name == "classical":
        return _classical()
    kind, _, model_id = name.partition(":")
    if kind != "model" or not model_id:
        raise ConfigurationError(
            f"pipelines.anatomy names {name!r}; write classical or model:<id of a model>."
        )
    if importlib.util.find_spec(_MODELS) is None:
        return None
    provider: AnatomyProvider | None = importlib.import_module(_MODELS).provider_of(model_id)
    return provider


def providers(preference: Sequence[str]) -> Iterator[tuple[str, AnatomyProvider]]:
    """The providers that are here, with the names they are preferred by."""
    for name in preference:
        provider = provider_named(name)
        if provider is not None:
            yield name, provider


def assign(
    wanted: Sequence[str], volume: Volume, preference: Sequence[str]
) -> Mapping[str, tuple[str, AnatomyProvider]]:
    """For each wanted structure the first provider that looks for it in such a volume.

    A structure that nobody here looks for is absent. ``volume`` may be :func:`header_only`.
    """
    found: dict[str, tuple[str, AnatomyProvider]] = {}
    for name, provider in providers(preference):
        new = [s for s in wanted if s not in found and s in provider.structures]
        if new and provider.fits(volume):
            found |= dict.fromkeys(new, (name, provider))
    return found


@cache
def _classical() -> AnatomyProvider:
    from ennead_pipelines.anatomy.classical_ct import ClassicalCT

    return ClassicalCT()
