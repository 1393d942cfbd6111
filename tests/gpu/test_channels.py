"""Intensities beside numpy and MONAI."""

from __future__ import annotations

import numpy as np
import pytest

from ennead.errors import ModelManifestInvalid

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from ennead_gpu.channels import Channel, percentile  # noqa: E402


@pytest.fixture
def image() -> np.ndarray:
    values = np.random.default_rng(5).normal(100, 300, (9, 10, 11)).astype(np.float32)
    values[:3] = 0
    return values


def applied(channel: Channel, image: np.ndarray) -> np.ndarray:
    tensor = torch.from_numpy(image.copy())
    channel.apply_(tensor)
    return tensor.numpy()


@pytest.mark.parametrize("percent", [0, 0.5, 37.2, 50, 99.5, 100])
def test_percentile_is_numpys(image: np.ndarray, percent: float) -> None:
    assert percentile(torch.from_numpy(image), percent) == pytest.approx(
        np.percentile(image, percent), rel=1e-5, abs=1e-4
    )


def test_minmax_is_monais(image: np.ndarray) -> None:
    from monai.transforms import ScaleIntensity, ScaleIntensityRange

    ours = applied(Channel(clip=(-200, 500), scale="minmax", to=(-1, 1)), image)
    theirs = ScaleIntensityRange(-200, 500, -1, 1, clip=True)(image)
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)
    ours = applied(Channel(scale="minmax"), image)
    np.testing.assert_allclose(ours, np.asarray(ScaleIntensity()(image)), atol=1e-5)


@pytest.mark.parametrize("nonzero", [False, True])
def test_zscore_is_monais(image: np.ndarray, nonzero: bool) -> None:
    from monai.transforms import NormalizeIntensity

    ours = applied(Channel(scale="zscore", nonzero=nonzero), image)
    theirs = NormalizeIntensity(nonzero=nonzero)(image.copy())
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-4)


def test_percentiles_of_what_is_not_zero(image: np.ndarray) -> None:
    ours = applied(Channel(clip_percentiles=(5, 95), scale="minmax", nonzero=True), image)
    low, high = np.percentile(image[image != 0], (5, 95))
    truth = (np.clip(image, low, high) - low) / (high - low)
    truth[image == 0] = 0
    np.testing.assert_allclose(ours, truth, atol=1e-4)


def test_fixed_and_none(image: np.ndarray) -> None:
    ours = applied(Channel(clip=(-100, 100), scale="fixed", mean=10, std=5), image)
    np.testing.assert_allclose(ours, (np.clip(image, -100, 100) - 10) / 5, atol=1e-4)
    np.testing.assert_array_equal(applied(Channel(), image), image)


@pytest.mark.parametrize("scale", ["minmax", "zscore"])
@pytest.mark.parametrize("nonzero", [False, True])
def test_an_even_image_gives_numbers(scale, nonzero: bool) -> None:
    for value in (0.0, 7.0):
        even = applied(Channel(scale=scale, nonzero=nonzero), np.full((3, 3, 3), value, np.float32))
        assert np.isfinite(even).all()
        assert (even == 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"clip": (1, 0)},
        {"clip": (0, 1), "clip_percentiles": (0, 1)},
        {"clip_percentiles": (50, 101)},
        {"clip_percentiles": (-1, 50)},
        {"scale": "fixed"},
        {"scale": "fixed", "mean": 0, "std": 0},
    ],
)
def test_rules_that_mean_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(ModelManifestInvalid):
        Channel(**wrong)
