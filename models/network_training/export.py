"""A trained network as files: ONNX, TorchScript, state dictionary; weights in half precision.

Weights are rounded to 16 bits once, before anything is written, and computed with in 32 bits
everywhere; so all files hold the same network at half the size.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ennead_models.weights import sha256_of

OPSET: Final = 17
#: Smaller tensors stay in single precision: shapes, scales, biases.
_SMALL: Final = 256


def rounded(network: nn.Module) -> nn.Module:
    """The network with its weights rounded to 16 bits, in evaluation mode; still float32."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network


def write_onnx(network: nn.Module, example: Tensor, path: Path, *, any_size: bool) -> None:
    """Write ``path`` with input ``image`` and output ``prediction``.

    Parameters
    ----------
    network : nn.Module
        From :func:`rounded`.
    example : float32[1, c, x, y, z]
    path : Path
    any_size : bool
        Whether the three lengths may differ from the example's.
    """
    axes = {0: "batch"} | ({2: "x", 3: "y", 4: "z"} if any_size else {})
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that are constants on purpose
        torch.onnx.export(
            network,
            (example,),
            stream,
            input_names=["image"],
            output_names=["prediction"],
            dynamic_axes={"image": axes, "prediction": axes},
            opset_version=OPSET,
            dynamo=False,
        )
    model = _half(onnx.load_from_string(stream.getvalue()))
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _half(model: Any) -> Any:
    """Large weights as float16 with a cast in front of their use."""
    graph = model.graph
    casts = []
    for index, weight in enumerate(list(graph.initializer)):
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        short = numpy_helper.from_array(values.astype("float16"), weight.name + "_half")
        casts.append(helper.make_node("Cast", [short.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer[index].CopyFrom(short)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def write_torchscript(network: nn.Module, example: Tensor, path: Path) -> None:
    """Write ``path``, traced with ``example``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, example, check_trace=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    traced.save(str(path))


def write_state(network: nn.Module, path: Path) -> None:
    """Write the weights alone, as 16 bits; they load into a network of 32 bits.

    A weight that a network knows by several names (MONAI's DynUNet) is written once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    halves: dict[int, Tensor] = {}
    state = {}
    for name, value in network.state_dict().items():
        state[name] = halves.setdefault(value.data_ptr(), value.half())
    torch.save(state, path)


def pin_weights(manifest: Path, weights: Path) -> None:
    """Write the hash and size of ``weights`` into the ``[weights]`` table of a ``model.toml``.

    Raises
    ------
    ValueError
        The manifest has not exactly one of each.
    """
    text = manifest.read_text()
    for pattern, value in (
        (r'(?m)^sha256 = "[0-9a-f]{64}"$', f'sha256 = "{sha256_of(weights)}"'),
        (r"(?m)^size_bytes = \d+$", f"size_bytes = {weights.stat().st_size}"),
    ):
        text, many = re.subn(pattern, value, text)
        if many != 1:
            raise ValueError(f"{manifest} needs one line like {value!r}; found {many}")
    manifest.write_text(text)
