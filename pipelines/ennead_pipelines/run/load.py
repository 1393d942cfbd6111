"""Decode a series into one rescaled volume.

Reads the archive's files. Writes nothing. Refuses (as ``UNDECODABLE``) what no decoder accepts.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ennead.contracts import Volume
from ennead.errors import InputError
from ennead_pacs.rendering import decode_files
from ennead_pipelines.run.requests import Loaded, LoadRequest


def load(request: LoadRequest) -> Loaded:
    """The volume of a series: float32[z, y, x], rescaled (HU for CT), read-only.

    Raises
    ------
    Undecodable, LimitExceeded
        From the decoder, or a slice whose pixels do not fit the grid.
    """
    begun = time.perf_counter()
    values = np.empty(request.grid.shape, dtype=np.float32)
    files = decode_files(
        [Path(path) for path in request.paths], limit_bytes=request.decode_limit_bytes
    )
    for k, (decoded, (slope, intercept)) in enumerate(zip(files, request.rescale, strict=True)):
        stored = decoded.values[0]
        if stored.shape != values.shape[1:]:
            raise InputError(
                f"Slice {k + 1} decodes to {stored.shape}; its series has {values.shape[1:]}. "
                "Ask for the series to be sent again."
            )
        # In float64: a slope and an intercept that are exact in decimal stay so to 1e-7.
        values[k] = stored * np.float64(slope) + np.float64(intercept)
    values.flags.writeable = False
    volume = Volume(
        values=values,
        grid=request.grid,
        study_uid=request.study_uid,
        series_uid=request.series_uid,
        modality=request.modality,
        instance_uids=request.instance_uids,
        attributes=request.attributes,
    )
    return Loaded(volume, request.paths, time.perf_counter() - begun)
