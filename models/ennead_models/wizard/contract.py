"""The tensor contract of a network, read from its own files, and what it suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ennead.errors import TensorMismatch, WeightsUnsafe
from ennead_models.wizard.labels import labels_of, slug
from ennead_models.wizard.prepare import Prepared


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the file declares it; free lengths have a name or are "n"."""

    name: str
    dtype: str
    shape: list[int | str]


@dataclass(frozen=True, slots=True)
class Contract:
    """What is known of a network without being told.

    Parameters
    ----------
    runner : str
        As in ``model.toml``.
    name : str
        What the file was called.
    inputs, outputs : list of Tensor
        As declared; empty where the file declares none.
    facts : list of str
        Further things found, a line each.
    suggestions : mapping
        Answers (:mod:`ennead_models.wizard.questions`) that follow from the file.
    """

    runner: str
    name: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    suggestions: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"suggestions": dict(self.suggestions)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Contract:
        """From :meth:`document`."""
        tensors = {side: [Tensor(**t) for t in data[side]] for side in ("inputs", "outputs")}
        return cls(**{**data, **tensors})


def read_contract(prepared: Prepared) -> Contract:
    """Read what the network's files say of it.

    Raises
    ------
    WeightsUnsafe
        They cannot be read.
    TensorMismatch
        The network cannot be run here: several inputs, no floating-point tensor.
    """
    reader = {
        "onnx": _onnx,
        "torchscript": _torchscript,
        "monai-bundle": _bundle,
        "nnunet": _nnunet,
    }[prepared.runner]
    contract = reader(prepared)
    common = {"id": slug(prepared.name), "title_en": prepared.name.replace("_", " ")}
    known = {k: v for k, v in contract.suggestions.items() if v not in (None, "", [], {})}
    return Contract(
        contract.runner,
        contract.name,
        contract.inputs,
        contract.outputs,
        contract.facts,
        common | known,
    )


def _onnx(prepared: Prepared) -> Contract:
    import onnx

    try:
        model = onnx.load(str(prepared.weights), load_external_data=False)
    except Exception as error:  # protobuf's and onnx's errors share no base class
        raise WeightsUnsafe(f"{prepared.name} cannot be read as ONNX: {error}") from error
    graph = model.graph
    outside = [t.name for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise WeightsUnsafe(
            f"{prepared.name} keeps its weights in another file ({outside[0]} …). Save it as one "
            "file: onnx.save_model(model, path, save_as_external_data=False)."
        )
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [_value(v, onnx) for v in graph.input if v.name not in constants]
    outputs = [_value(v, onnx) for v in graph.output]
    if len(inputs) != 1:
        raise TensorMismatch(
            f"{prepared.name} takes {len(inputs)} inputs "
            f"({', '.join(t.name for t in inputs)}); a model here takes one image."
        )
    last = {name: node.op_type for node in graph.node for name in node.output}
    ending = last.get(outputs[0].name, "")
    facts = [
        f"{len(graph.node)} operators, opset {max(o.version for o in model.opset_import)}",
        f"made by {model.producer_name or 'unknown'} {model.producer_version}".strip(),
        f"last operator {ending}",
    ]
    extra = {entry.key: entry.value for entry in model.metadata_props}
    facts += [f"{key} = {value[:200]}" for key, value in sorted(extra.items())]
    suggestions = _tensors(inputs[0], outputs[0], ending)
    suggestions |= _names(extra, suggestions)
    suggestions |= {"summary_en": model.doc_string[:500], "version": extra.get("version", "")}
    return Contract("onnx", prepared.name, inputs, outputs, facts, suggestions)


def _value(value: Any, onnx: Any) -> Tensor:
    kind = value.type.tensor_type
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    shape = [d.dim_value if d.HasField("dim_value") else d.dim_param or "n" for d in kind.shape.dim]
    return Tensor(value.name, dtype, shape)


def _tensors(given: Tensor, out: Tensor, ending: str) -> dict[str, Any]:
    """What shapes and the last operator say: axes, channels, kind of output."""
    dimensions = len(given.shape) - 2
    if dimensions not in (2, 3):
        raise TensorMismatch(
            f"The input {given.name!r} has shape {given.shape}; expected [n, c, d, h, w] or "
            "[n, c, h, w]. Export the network with a batch and a channel axis."
        )
    spatial = [str(v) if isinstance(v, int) else "n" for v in given.shape[2:]]
    found: dict[str, Any] = {"dimensions": dimensions, "shape": spatial}
    if isinstance(given.shape[1], int):
        found["input_channels"] = given.shape[1]
    channels = out.shape[1] if len(out.shape) > 1 and isinstance(out.shape[1], int) else None
    if channels:
        found["output_channels"] = channels
    flat = len(out.shape) == 2 or all(length == 1 for length in out.shape[2:])
    activation = {"Sigmoid": "none", "Softmax": "none"}.get(ending, "")
    if flat:
        several = bool(channels and channels > 1)
        found |= {"kind": "classification", "fit": "resize" if "n" not in spatial else "tile"}
        found["activation"] = activation or ("softmax" if several else "sigmoid")
    elif "int" in out.dtype:
        found |= {"kind": "labels", "form": "map"}
    elif channels == 1:
        found |= {"kind": "probability", "activation": activation or "sigmoid"}
    else:
        found["kind"] = "labels"
    return found


def _names(extra: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
    """Label names where the file's metadata hold them (``names``, ``labels``, ``classes``)."""
    import ast

    for key in ("labels", "names", "classes", "class_names"):
        try:
            value = ast.literal_eval(extra.get(key, ""))
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, list | tuple):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            names = {int(k): str(v) for k, v in value.items() if str(k).isdigit()}
            background = found.get("kind") == "labels"
            return {"labels": labels_of(_without_background(names, background))}
    return {}


def _without_background(names: Mapping[int, str], background: bool) -> dict[int, str]:
    if background:
        return {value: name for value, name in names.items() if value > 0}
    first = min(names, default=1)
    return {value + (1 - first if first < 1 else 0): name for value, name in names.items()}


def _torchscript(prepared: Prepared) -> Contract:
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(prepared.weights), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise WeightsUnsafe(f"{prepared.name} is no TorchScript file: {error}") from error
    weights = [(n, p) for n, p in module.state_dict().items() if p.ndim >= 2]
    facts = [f"{sum(p.numel() for _, p in weights)} weights in {len(weights)} tensors"]
    found: dict[str, Any] = {}
    convolutions = [(n, p) for n, p in weights if p.ndim in (4, 5)]
    if convolutions:
        name, first = convolutions[0]
        found |= {"dimensions": first.ndim - 2, "input_channels": int(first.shape[1])}
        found["shape"] = ["n"] * (first.ndim - 2)
        facts.append(f"guessed from the first convolution {name} {list(first.shape)}")
        name, last = weights[-1]
        flat = last.ndim == 2
        found["output_channels"] = int(last.shape[0])
        found["kind"] = "classification" if flat else "labels"
        if not flat and last.shape[0] == 1:
            found |= {"kind": "probability", "activation": "sigmoid"}
        facts.append(f"guessed from the last layer {name} {list(last.shape)}")
    return Contract("torchscript", prepared.name, [], [], facts, found)


def _bundle(prepared: Prepared) -> Contract:
    from ennead_models.runners.monai_bundle import metadata
    from ennead_models.wizard.published import bundle_suggestions

    assert prepared.folder is not None
    data = metadata(prepared.folder)
    formats = data.get("network_data_format", {})
    tensors: dict[str, list[Tensor]] = {"inputs": [], "outputs": []}
    for side, found in tensors.items():
        for name, each in formats.get(side, {}).items():
            shape = [each.get("num_channels", "c"), *each.get("spatial_shape", [])]
            found.append(Tensor(name, str(each.get("dtype", "")), ["n", *shape]))
    return Contract(
        "monai-bundle",
        prepared.name,
        tensors["inputs"],
        tensors["outputs"],
        [f"{k}: {str(data[k])[:200]}" for k in ("task", "monai_version", "authors") if k in data],
        bundle_suggestions(data, prepared.folder),
    )


def _nnunet(prepared: Prepared) -> Contract:
    from ennead_models.runners.nnunet import folder_facts
    from ennead_models.wizard.published import nnunet_suggestions

    assert prepared.folder is not None
    facts = folder_facts(Path(prepared.folder))
    plans, dataset = facts["plans"], facts["dataset"]
    names = list(plans.get("configurations", {}))
    lines = [
        f"dataset {plans.get('dataset_name', '')}, folds {', '.join(facts['folds'])}",
        f"configurations {', '.join(names)}",
        f"spacing {plans.get('original_median_spacing_after_transp', '')} mm (median, training)",
    ]
    inputs = [
        Tensor("image", "float32", ["n", len(dataset.get("channel_names", {})), "d", "h", "w"])
    ]
    return Contract("nnunet", prepared.name, inputs, [], lines, nnunet_suggestions(plans, dataset))
