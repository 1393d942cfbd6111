"""Tiny ONNX files: a 1 × 1 × 1 convolution is a threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

Kind = Literal["labels", "map", "probability", "classification"]


def write_onnx(
    path: Path,
    kind: Kind = "labels",
    *,
    threshold: float = 0.0,
    dimensions: int = 3,
    shape: tuple[int | str, ...] = (),
    channels: int = 1,
    scale: float = 1.0,
) -> Path:
    """Write a network that looks at the first channel's value.

    Parameters
    ----------
    kind : str
        ``labels``: two channels, the second is larger above ``threshold``; ``map``: one channel
        of 0 and 1; ``probability``: one channel, ``sigmoid(scale · (value - threshold))``;
        ``classification``: the same of the image's mean value, without spatial axes.
    shape : tuple
        Lengths of the input's spatial axes; names are free lengths. Free when empty.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    free = tuple("dhw"[-dimensions:])
    lengths = list(shape or free)
    ones = (1,) * dimensions
    wide = 2 if kind == "labels" else 1
    weight = np.zeros((wide, channels, *ones), np.float32)
    weight[-1, 0] = scale
    bias = np.zeros(wide, np.float32)
    bias[-1] = -threshold * scale
    constants = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
    nodes: list[Any] = []
    source = "image"
    out: list[int | str] = ["n", wide, *lengths]
    if kind == "classification":
        nodes.append(helper.make_node("GlobalAveragePool", [source], ["mean"]))
        source = "mean"
        out = ["n", wide, *ones]
    last = "logits" if kind != "labels" else "out"
    nodes.append(helper.make_node("Conv", [source, "weight", "bias"], [last]))
    if kind == "map":
        constants.append(numpy_helper.from_array(np.float32(0), "zero"))
        nodes.append(helper.make_node("Greater", ["logits", "zero"], ["above"]))
        nodes.append(helper.make_node("Cast", ["above"], ["out"], to=TensorProto.FLOAT))
    elif kind != "labels":
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, *lengths])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, out)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
