"""Anatomy of one series inside a Ray worker.

Reads the decoded volume from the object store. Writes nothing. Refuses nothing: what was sought and
not found is an empty structure.
"""

from __future__ import annotations

import datetime as dt
import time

import numpy as np

from ennead.contracts import AnatomyProvider, Volume
from ennead.errors import ContractError
from ennead_pipelines.anatomy import provider_named
from ennead_pipelines.run.requests import AnatomyFound


def find_anatomy(
    name: str, volume: Volume, provider: AnatomyProvider | None = None
) -> AnatomyFound:
    """Ask the provider that the setting calls ``name``.

    Parameters
    ----------
    provider : AnatomyProvider, optional
        It, where this process cannot find it by its name, such as an installed model.

    Raises
    ------
    ContractError
        It is not here, or what it gave does not lie on the volume's grid.
    """
    provider = provider or provider_named(name)
    if provider is None:
        raise ContractError(
            f"Anatomy provider {name!r} is not here; install it or change settings."
        )
    begun = time.perf_counter()
    anatomy = provider.compute(volume)
    shape, kind = anatomy.labels.shape, anatomy.labels.dtype
    if shape != volume.grid.shape or kind not in _LABELS:
        raise ContractError(
            f"Anatomy provider {name!r} gave {kind}{shape}; uint8 or uint16{volume.grid.shape} is "
            "needed."
        )
    anatomy.labels.flags.writeable = False
    return AnatomyFound(anatomy, time.perf_counter() - begun, dt.datetime.now(dt.UTC))


_LABELS = (np.dtype(np.uint8), np.dtype(np.uint16))
