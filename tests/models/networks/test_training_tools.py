"""Loss, schedule, averaged weights, checkpoints and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from network_training.checkpoints import AveragedWeights, load_checkpoint, save_checkpoint
from network_training.export import (
    rounded,
    write_onnx,
    write_state,
    write_torchscript,
)
from network_training.losses import dice_and_cross_entropy, dice_of_labels
from network_training.running import onnx_network
from network_training.schedule import learning_rate


def test_loss_is_0_for_a_sure_and_right_answer() -> None:
    target = torch.randint(0, 4, (1, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    logits = 50.0 * nn.functional.one_hot(target, 4).movedim(-1, 1).float()
    assert float(dice_and_cross_entropy(logits, target)) == pytest.approx(0.0, abs=1e-4)


def test_loss_of_a_guess_is_known() -> None:
    """Even odds: cross entropy ln 2; soft Dice (2·n/2 + 1) / (2n/2 + n + 1), n voxels a class."""
    target = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    target[:, :2] = 1
    found = float(dice_and_cross_entropy(torch.zeros(1, 2, 4, 4, 4), target))
    assert found == pytest.approx(np.log(2) + 1 - (32 + 1) / (32 + 32 + 1), abs=1e-5)


def test_loss_of_nothing_is_cross_entropy_alone() -> None:
    target = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    assert float(dice_and_cross_entropy(torch.zeros(1, 2, 4, 4, 4), target)) == pytest.approx(
        np.log(2), abs=1e-5
    )


def test_dice_of_labels() -> None:
    one, two = torch.tensor([1, 1, 2, 0]), torch.tensor([1, 0, 2, 2])
    scores = dice_of_labels(one, two, 3)
    assert scores[:2] == [pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert np.isnan(scores[2])


def test_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    rates = [learning_rate(step, 500, 1.0) for step in range(500)]
    assert rates[0] == pytest.approx(1 / 60)
    assert max(rates) == rates[60] == pytest.approx(1.0)
    assert rates[60:] == sorted(rates[60:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=0.001)


def test_averaged_weights_follow_and_forget_the_start() -> None:
    network = nn.Linear(1, 1, bias=False)
    averaged = AveragedWeights(network, decay=0.9)
    with torch.no_grad():
        network.weight.fill_(5.0)
    for _ in range(200):
        averaged.update(network)
    assert float(averaged.network.weight) == pytest.approx(5.0, abs=1e-4)


def test_checkpoint_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    assert load_checkpoint(path) is None
    save_checkpoint(path, {"step": 3, "network": {"w": torch.ones(2)}})
    found = load_checkpoint(path)
    assert found is not None
    assert found["step"] == 3
    assert torch.equal(found["network"]["w"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return rounded(
        nn.Sequential(
            nn.Conv3d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv3d(16, 2, kernel_size=3, padding=1)
        )
    )


def test_onnx_holds_half_weights_and_gives_the_same(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(network, torch.rand(1, 1, 8, 8, 8), path, any_size=True)
    kinds = {
        weight.data_type for weight in onnx.load(path).graph.initializer if len(weight.dims) > 1
    }
    assert kinds == {onnx.TensorProto.FLOAT16}
    run = onnx_network(path, threads=1)
    for shape in ((8, 8, 8), (5, 9, 12)):
        image = torch.rand(1, 1, *shape)
        with torch.no_grad():
            expected = network(image).numpy()
        assert np.abs(run(image.numpy()) - expected).max() < 1e-5


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript_and_state_hold_the_same(network: nn.Module, tmp_path: Path) -> None:
    image = torch.rand(1, 1, 8, 8, 8)
    write_torchscript(network, image, tmp_path / "net.ts")
    write_state(network, tmp_path / "net.pt")
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    assert all(value.dtype == torch.float16 for value in state.values())
    assert all(torch.equal(state[n].float(), v) for n, v in network.state_dict().items())
    with torch.no_grad():
        assert torch.equal(torch.jit.load(tmp_path / "net.ts")(image), network(image))
