"""A run as files that ship: ``python -m head_structures.train.export --run RUN``.

Writes ``weights/head_structures.onnx``, ``bundle/models/model.pt`` and the reference case, and
pins the weights in ``model.toml``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import torch

from ennead_models.cases import write_case
from ennead_models.manifest import read_model
from ennead_models.predict import predict
from ennead_models.runners.onnx import open_network
from head_structures.train.network import HeadNetwork
from head_structures.train.reference import reference_image
from network_training.checkpoints import load_checkpoint
from network_training.export import pin_weights, rounded, write_onnx, write_state

FOLDER: Final = Path(__file__).resolve().parents[1]


def export(run: Path) -> None:
    """Write the averaged weights of a run.

    Raises
    ------
    FileNotFoundError
        The run holds no checkpoint.
    """
    state = load_checkpoint(run / "checkpoint.pt")
    if state is None:
        raise FileNotFoundError(run / "checkpoint.pt")
    network = HeadNetwork()
    network.load_state_dict(state["averaged"])
    network = rounded(network)
    weights = FOLDER / "weights" / "head_structures.onnx"
    write_onnx(network, torch.rand(1, 1, 64, 80, 64), weights, any_size=True)
    write_state(network, FOLDER / "bundle" / "models" / "model.pt")
    pin_weights(FOLDER / "model.toml", weights)
    write_reference()


def write_reference() -> None:
    """Write what the shipped network says of the reference image."""
    case = FOLDER / "reference" / "case01.npz"
    case.parent.mkdir(exist_ok=True)
    case.touch()  # the manifest names it, and is read first
    manifest, digest = read_model(FOLDER)
    opened = open_network(
        manifest, digest, FOLDER / manifest.weights.file, device="cpu", threads=1,
        code_accepted=False,
    )  # fmt: skip
    values, grid = reference_image()
    write_case(case, values, grid, predict(opened, values, grid))


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    export(parser.parse_args().run)


if __name__ == "__main__":
    main()
