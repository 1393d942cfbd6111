"""The ball phantom is where and what its truth says."""

import numpy as np
import pytest

from ennead.testing.ball import ball_phantom
from ennead.testing.phantoms import named_phantom


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_ball_of_known_volume(modality: str) -> None:
    ball = ball_phantom(modality)
    inside = ball.labels == 1
    volume = inside.sum() * ball.grid.voxel_volume_mm3 / 1000
    assert ball.truth["volume_cm3"] == pytest.approx(4 / 3 * np.pi * 2**3)
    assert volume == pytest.approx(ball.truth["volume_cm3"], rel=0.01)
    assert ball.values[inside].mean() == pytest.approx(ball.truth["mean"], abs=1)
    assert ball.values[inside].min() > ball.values[~inside].max() + 100
    centre = ball.grid.to_patient(np.argwhere(inside).mean(axis=0))
    assert centre == pytest.approx([6, -4, 2], abs=0.3)
    assert np.array_equal(named_phantom(f"ball_{modality.lower()}").values, ball.values)


def test_other_modalities_have_none() -> None:
    with pytest.raises(KeyError):
        ball_phantom("US")
    with pytest.raises(KeyError, match="ball_ct"):
        named_phantom("ball_us")
