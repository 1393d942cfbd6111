"""Phantoms whose measurements are known before a voxel exists.

The truth of :func:`chest_phantom` comes from formulas: ellipsoid volumes, chord integrals of the
vessels, and the distribution that lung attenuation is drawn from. It is never measured in the
image it belongs to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ennead.geometry import Grid
from ennead.testing.noise import ct_noise
from ennead.testing.shapes import Box, Ellipsoid, EllipticTube, Solid, Tube, paint

GridKind = Literal["isotropic", "anisotropic", "oblique", "flipped", "coronal"]

RIGHT_LUNG = Ellipsoid((-74.0, 2.0, 0.0), (56.0, 76.0, 115.0))
LEFT_LUNG = Ellipsoid((72.0, 2.0, 3.0), (50.0, 74.0, 112.0))

#: Values of :attr:`Phantom.labels`.
LABELS = {"right_lung": 1, "left_lung": 2, "airway": 3, "oesophagus": 4, "bowel": 5, "table": 6}

_AIR, _FAT, _MUSCLE, _BLOOD, _BONE, _NODULE = -1000, -100, 50, 45, 350, 30
_FIELD_MM = ((-190.0, -130.0, -172.0), (190.0, 156.0, 143.0))
_AIRWAY = (
    Tube((-5.0, 0.0, 400.0), (0.0, 5.0, 42.0), 8.5),
    Tube((0.0, 5.0, 50.0), (-36.0, 8.0, 20.0), 6.5),
    Tube((0.0, 5.0, 50.0), (38.0, 8.0, 14.0), 5.5),
)
_OESOPHAGUS = Tube((10.0, 32.0, 400.0), (8.0, 30.0, -70.0), 3.5)
_BOWEL = (
    Ellipsoid((55.0, -25.0, -124.0), (30.0, 25.0, 14.0)),
    Ellipsoid((-80.0, -50.0, -152.0), (28.0, 22.0, 17.0)),
)
_BLOOD_POOL = (
    Ellipsoid((2.0, -32.0, -30.0), (17.0, 32.0, 45.0)),
    Tube((8.0, 52.0, -400.0), (8.0, 52.0, 60.0), 11.0),
)


@dataclass(frozen=True, slots=True)
class Phantom:
    """An image and what must be measured in it.

    Parameters
    ----------
    values : float32[z, y, x]
        Whole HU, so that writing it as DICOM changes nothing.
    truth : dict
        ``volume_right_cm3``, ``volume_left_cm3``, ``volume_total_cm3``, ``lr_ratio``,
        ``laa950_percent``, ``laa910_percent``, ``perc15_hu``, ``perc15_density_g_l``, and
        ``nodules``: diameter, volume, side and centre of each.
    labels : uint8[z, y, x]
        What each voxel belongs to, by :data:`LABELS`; vessels and nodules belong to their lung.
    attributes : dict
        DICOM keywords that go with it, for :func:`ennead.testing.dicomize.write_series`.
    """

    values: npt.NDArray[np.float32]
    grid: Grid
    truth: dict[str, Any]
    labels: npt.NDArray[np.uint8] = field(repr=False)
    attributes: dict[str, Any]


def phantom_grid(kind: GridKind, spacing_mm: float | None = None) -> Grid:
    """The grid of that kind over the chest phantom's field of view.

    ``isotropic`` 1.5 mm; ``anisotropic`` 0.7 × 0.7 × 3 mm; ``oblique`` turned about all three
    axes; ``flipped`` with rows running to the patient's right and slices to the feet; ``coronal``.
    ``spacing_mm`` scales the in-plane spacing (and the slice spacing alike) to this value.
    """
    spacing = {"isotropic": (1.5, 1.5, 1.5), "anisotropic": (3.0, 0.7, 0.7)}.get(
        kind, (2.0, 1.25, 1.25)
    )
    if spacing_mm is not None:
        spacing = tuple(s * spacing_mm / spacing[1] for s in spacing)  # type: ignore[assignment]
    z, y, x = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
    axes = np.array({"coronal": (y, (0.0, 0.0, -1.0), x)}.get(kind, (z, y, x)))
    if kind == "flipped":
        axes = axes * np.array([[-1.0], [1.0], [-1.0]])
    if kind == "oblique":
        axes = axes @ _rotation(17.0, -11.0, 8.0).T
    low, high = np.array(_FIELD_MM[0]), np.array(_FIELD_MM[1])
    extent = np.abs(axes.round()) @ (high - low)
    shape = np.ceil(extent / spacing).astype(int)
    step = axes * np.array(spacing)[:, None]
    origin = (low + high) / 2 - ((shape - 1) / 2) @ step
    return Grid(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        axes=tuple(tuple(float(v) for v in row) for row in axes),  # type: ignore[arg-type]
        spacing_mm=spacing,
        frame_of_reference_uid="",
    )


def chest_phantom(
    grid_kind: GridKind = "isotropic",
    *,
    seed: int = 0,
    emphysema: float = 0.08,
    noise_hu: float = 0.0,
    blood_hu: int = _BLOOD,
    spacing_mm: float | None = None,
    grid: Grid | None = None,
) -> Phantom:
    """A chest with two unequal lungs, airways, vessels, nodules, gut gas, bones and a table.

    Parameters
    ----------
    grid_kind : str
        See :func:`phantom_grid`; ignored when ``grid`` is given.
    seed : int
        Shifts the attenuation pattern and seeds the noise.
    emphysema : float
        Share of the lung parenchyma (without vessels and nodules) at or below -950 HU, 0 to 0.5.
    noise_hu : float
        Standard deviation of white noise; the truth accounts for it.
    blood_hu : int
        Attenuation of heart, aorta and lung vessels: 45 unenhanced, 150 to 400 enhanced.

    Notes
    -----
    Lung voxels take attenuation from a table through the additive low-discrepancy sequence of
    their index, so every share of the distribution appears exactly, on any grid, in any region.
    """
    grid = grid or phantom_grid(grid_kind, spacing_mm)
    table = _attenuation_table(emphysema)
    values = np.full(grid.shape, _AIR, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for solid, hu, label in _surroundings(blood_hu):
        paint(grid, solid, (values, hu), (labels, label))
    truth: dict[str, Any] = {"nodules": []}
    tissue_mm3 = 0.0
    for side, lung in (("right", RIGHT_LUNG), ("left", LEFT_LUNG)):
        block, inside = paint(grid, lung, (labels, LABELS[f"{side}_lung"]))
        values[block][inside] = table[_ranks(block, inside, table.size, seed)]
        for vessel in _vessels(lung):
            block, within = paint(grid, vessel)
            values[block][within & (labels[block] == LABELS[f"{side}_lung"])] = blood_hu
            tissue_mm3 += vessel.volume_inside_mm3(lung)
        for nodule in _nodules(lung):
            paint(grid, nodule, (values, _NODULE))
            tissue_mm3 += nodule.volume_mm3
            truth["nodules"].append(
                {
                    "side": side,
                    "centre_mm": nodule.centre_mm,
                    "diameter_mm": 2 * nodule.semi_axes_mm[0],
                    "volume_mm3": nodule.volume_mm3,
                }
            )
    if noise_hu > 0:
        values += ct_noise(grid, noise_hu, seed=seed)
        np.rint(values, out=values)
    np.maximum(values, -1024, out=values)
    truth |= _truth(table, tissue_mm3, noise_hu)
    return Phantom(values, grid, truth, labels, _attributes(grid, blood_hu))


def _surroundings(blood_hu: int) -> list[tuple[Solid, int, int]]:
    tall = (-400.0, 400.0)
    parts: list[tuple[Solid, int, int]] = [
        (EllipticTube((0, 0), (176, 119), tall), _FAT, 0),
        (EllipticTube((0, 0), (162, 108), tall), _MUSCLE, 0),
    ]
    for height in range(-100, 140, 32):
        ring = EllipticTube((0, 0), (155, 103), (height, height + 9.0), (147, 96))
        parts.append((ring, _BONE, 0))
    parts += [
        (Tube((0, 82, -400), (0, 82, 400), 17.0), _BONE - 100, 0),
        (Tube((0, 95, -400), (0, 95, 400), 7.0), 30, 0),
        (Box((-188, 124, -400), (188, 152, 400)), 80, 0),
        (Box((-184, 128, -400), (184, 148, 400)), -880, LABELS["table"]),
    ]
    parts += [(solid, blood_hu, 0) for solid in _BLOOD_POOL]
    parts += [(solid, _AIR + 5, LABELS["bowel"]) for solid in _BOWEL]
    parts.append((_OESOPHAGUS, _AIR, LABELS["oesophagus"]))
    parts += [(solid, _AIR, LABELS["airway"]) for solid in _AIRWAY]
    return parts


def _vessels(lung: Ellipsoid) -> list[Tube]:
    """Parallel branches inside the lung, and one that enters from the hilum."""
    (cx, cy, cz), (a, b, c) = lung.centre_mm, lung.semi_axes_mm
    outward = math.copysign(1.0, cx)
    branches = []
    for row, height in enumerate((-0.6, -0.45, -0.3, -0.15, 0.0, 0.15, 0.35, 0.5, 0.65)):
        for column, depth in enumerate((-0.45, -0.15, 0.15, 0.45)):
            radius = 1.4 + 0.35 * ((row + 2 * column) % 5)
            reach = 0.85 * math.sqrt(max(0.05, 1 - (abs(height) + 0.12) ** 2 - depth**2))
            start = (cx - outward * 0.8 * reach * a, cy + depth * b, cz + height * c - 4)
            end = (cx + outward * reach * a, cy + depth * b, cz + height * c + 4)
            branches.append(Tube(start, end, radius))
    hilum = (cx - outward * (a + 9), cy + 0.28 * b, cz + 0.07 * c)
    branches.append(Tube(hilum, (cx - outward * 0.4 * a, hilum[1], hilum[2]), 4.5))
    return branches


def _nodules(lung: Ellipsoid) -> list[Ellipsoid]:
    (cx, cy, cz), (a, _, c) = lung.centre_mm, lung.semi_axes_mm
    outward = math.copysign(1.0, cx)
    sites = ((0.2, -0.225, 20.0), (0.5, 0.075, 12.0), (-0.3, 0.425, 8.0), (0.6, 0.25, 6.0))
    return [
        Ellipsoid((cx + outward * u * a, cy, cz + w * c), (d / 2, d / 2, d / 2))
        for u, w, d in sites
    ]


def _attenuation_table(emphysema: float) -> npt.NDArray[np.float32]:
    """HU by rank, 100 000 equal shares of the parenchyma."""
    if not 0 <= emphysema <= 0.5:
        raise ValueError(f"emphysema must be a share of 0 to 0.5; got {emphysema}.")
    size = 100_000
    low, middle = round(emphysema * size), round(0.2 * size)
    return (
        np.concatenate(
            [
                np.linspace(-985.49, -949.51, low),
                np.linspace(-949.49, -909.51, middle),
                np.linspace(-909.49, -780.51, size - low - middle),
            ]
        )
        .round()
        .astype(np.float32)
    )


def _ranks(
    block: tuple[slice, slice, slice], inside: npt.NDArray[np.bool_], size: int, seed: int
) -> npt.NDArray[np.int64]:
    # Powers of the root of g^4 = g + 1: the additive recurrence of least discrepancy in 3-D.
    root = 1.2207440846057596
    parts = [np.arange(s.start, s.stop) * root ** -(n + 1) for n, s in enumerate(block)]
    total = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
    share = np.modf(total[inside] + 0.5 + seed * 0.7548776662466927)[0]
    return np.asarray(share * size, dtype=np.int64)


def _truth(table: npt.NDArray[np.float32], tissue_mm3: float, noise_hu: float) -> dict[str, Any]:
    right, left = RIGHT_LUNG.volume_mm3 / 1000, LEFT_LUNG.volume_mm3 / 1000
    parenchyma = 1 - tissue_mm3 / 1000 / (right + left)
    levels, counts = np.unique(table, return_counts=True)
    shares = counts / table.size * parenchyma

    def at_or_below(hu: int) -> float:
        if noise_hu <= 0:
            return float(shares[levels <= hu].sum())
        z = (hu + 0.5 - levels) / noise_hu
        return float(
            sum(s * 0.5 * math.erfc(-v / math.sqrt(2)) for s, v in zip(shares, z, strict=True))
        )

    perc15 = next(hu for hu in range(-1200, 0) if at_or_below(hu) >= 0.15)
    return {
        "volume_right_cm3": right,
        "volume_left_cm3": left,
        "volume_total_cm3": right + left,
        "lr_ratio": left / right,
        "laa950_percent": 100 * at_or_below(-950),
        "laa910_percent": 100 * at_or_below(-910),
        "perc15_hu": float(perc15),
        "perc15_density_g_l": float(perc15) + 1000,
    }


def _attributes(grid: Grid, blood_hu: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "PatientName": "Đặng^Thị Mẫu",
        "PatientID": "PHANTOM-CHEST",
        "PatientSex": "F",
        "PatientBirthDate": "19600101",
        "PatientPosition": "HFS",
        "StudyID": "1",
        "StudyDescription": "CT ngực (phantom)",
        "SeriesDescription": "Chest phantom",
        "BodyPartExamined": "CHEST",
        "KVP": 120,
        "ConvolutionKernel": "B30f",
        "SliceThickness": round(grid.spacing_mm[0], 3),
    }
    if blood_hu > 100:
        found["ContrastBolusAgent"] = "Iohexol"
    return found


def _rotation(about_x: float, about_y: float, about_z: float) -> npt.NDArray[np.float64]:
    a, b, c = (math.radians(v) for v in (about_x, about_y, about_z))
    x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return np.asarray(z @ y @ x)


def named_phantom(name: str) -> Phantom:
    """The phantom that a manifest's reference case calls ``phantom:<name>``.

    ``chest_<grid kind>``: unenhanced; ``chest_<grid kind>_enhanced``: blood at 180 HU.
    ``ball_ct``, ``ball_mr``: a bright ball in nothing (:mod:`ennead.testing.ball`).

    Raises
    ------
    KeyError
        No phantom has that name.
    """
    if name in ("ball_ct", "ball_mr"):
        from ennead.testing.ball import ball_phantom

        return ball_phantom(name.removeprefix("ball_").upper())
    kind, _, phase = name.removeprefix("chest_").partition("_")
    known = get_args(GridKind)
    if not name.startswith("chest_") or kind not in known or phase not in ("", "enhanced"):
        raise KeyError(
            f"phantom {name!r} is unknown; there are ball_ct, ball_mr, chest_{{{','.join(known)}}}"
        )
    return chest_phantom(kind, blood_hu=180 if phase else _BLOOD)  # type: ignore[arg-type]
