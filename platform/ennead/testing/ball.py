"""The simplest phantom: one bright ball in nothing, for packages that begin."""

from __future__ import annotations

from typing import Final

import numpy as np

from ennead.geometry import Grid
from ennead.testing.noise import ct_noise
from ennead.testing.phantoms import Phantom
from ennead.testing.shapes import Ellipsoid, paint

RADIUS_MM: Final = 20.0
#: Background and ball, in HU on CT and in signal on MR.
VALUES: Final = {"CT": (-1000, 100), "MR": (60, 500)}
NOISE: Final = 10.0


def ball_phantom(modality: str) -> Phantom:
    """A ball of 20 mm radius off the middle of a 2 mm grid, with a little noise.

    ``truth``: ``volume_cm3`` (4/3 π r³) and ``mean``. ``labels`` are 1 in the ball.

    Raises
    ------
    KeyError
        ``modality`` is neither CT nor MR.
    """
    outside, inside = VALUES[modality]
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid((30, 40, 48), (-47.0, -39.0, -29.0), axes, (2.0, 2.0, 2.0))
    ball = Ellipsoid((6.0, -4.0, 2.0), (RADIUS_MM, RADIUS_MM, RADIUS_MM))
    values = np.full(grid.shape, outside, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    paint(grid, ball, (values, inside), (labels, 1))
    values = np.rint(values + ct_noise(grid, NOISE, seed=1))
    if modality == "CT":
        np.maximum(values, -1024, out=values)
    truth = {"volume_cm3": ball.volume_mm3 / 1000, "mean": float(inside)}
    attributes = {
        "modality": modality,
        "PatientName": "Ennead^Ball",
        "PatientID": "PHANTOM-BALL",
        "PatientSex": "O",
        "PatientBirthDate": "19600101",
        "SeriesDescription": "Ball phantom",
        "SliceThickness": 2,
    }
    return Phantom(values, grid, truth, labels, attributes)
