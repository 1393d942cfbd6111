"""ONNX files, run by ONNX Runtime: TensorRT or CUDA where they are, processors else.

Tensors stay where they are: inputs and outputs are bound by address (I/O binding), on processors
as on a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from ennead.errors import TensorMismatch, WeightsUnsafe
from ennead_models.manifest import ModelManifest
from ennead_models.runners.open import absent
from ennead_models.runners.tensor import TensorModel

if TYPE_CHECKING:
    import torch

log = structlog.get_logger(__name__)

_NEEDS: Final = ("torch", "onnxruntime")
_FLOATS: Final = {"tensor(float)": "float32", "tensor(float16)": "float16"}


def is_available() -> bool:
    """Whether ONNX Runtime and torch can be imported."""
    return not absent(_NEEDS)


def missing() -> str:
    """What is to be installed; "" when nothing is."""
    lacking = absent(_NEEDS)
    if not lacking:
        return ""
    return f"ONNX models need {', '.join(lacking)}; run: pip install 'ennead[models]'"


def open_network(
    manifest: ModelManifest,
    digest: str,
    path: Path,
    *,
    device: str,
    threads: int,
    code_accepted: bool,
) -> TensorModel:
    """Load an ONNX file.

    Raises
    ------
    TensorMismatch
        Its input is not what the manifest says: axes, channels, fixed lengths, element type.
    WeightsUnsafe
        ONNX Runtime cannot read it, or it needs operators or files from elsewhere.
    """
    del code_accepted  # a graph of standard operators; custom libraries are never loaded
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_deterministic_compute", "1")
    providers, device = _providers(manifest, path, device, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors share no base class
        raise WeightsUnsafe(
            f"ONNX Runtime cannot load the weights of {manifest.id}: {str(error)[:300]}. Export "
            "the network with standard operators, its weights inside the one file."
        ) from error
    bound = _Bound(manifest, session, device)
    return TensorModel(
        manifest,
        digest,
        device,
        bound,
        threads=threads,
        close=bound.close,
        batches=bound.takes_batches,
    )


def _providers(
    manifest: ModelManifest, path: Path, device: str, there: list[str]
) -> tuple[list[Any], str]:
    """Execution providers, the fastest first, and the device they work on."""
    if not device.startswith("cuda"):
        return ["CPUExecutionProvider"], "cpu"
    index = int(device.partition(":")[2] or 0)
    if "CUDAExecutionProvider" not in there:
        log.warning("onnxruntime has no CUDA provider", model=manifest.id, providers=there)
        return ["CPUExecutionProvider"], "cpu"
    chosen: list[Any] = []
    fixed = not any("n" in length for length in manifest.input.shape)
    if fixed and "TensorrtExecutionProvider" in there:  # an engine is built for one shape
        settings = {
            "device_id": index,
            "trt_fp16_enable": manifest.resources.precision[0] == "fp16",
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(path.parent / "engines" / manifest.weights.sha256),
        }
        chosen.append(("TensorrtExecutionProvider", settings))
    chosen.append(("CUDAExecutionProvider", {"device_id": index}))
    return [*chosen, "CPUExecutionProvider"], f"cuda:{index}"


class _Bound:
    """A session as a function of tensors, without copies."""

    def __init__(self, manifest: ModelManifest, session: Any, device: str) -> None:
        self._manifest, self._session, self._device = manifest, session, device
        self._input = _chosen("input", session.get_inputs(), manifest.options.input_name)
        self._output = _chosen("output", session.get_outputs(), manifest.options.output_name)
        if self._input.type not in _FLOATS:
            raise TensorMismatch(
                f"{manifest.id} takes {self._input.type}; expected float32 or float16. Export it "
                "with a floating-point input."
            )
        self._dtype = _FLOATS[self._input.type]
        self._shapes: dict[tuple[int, ...], tuple[tuple[int, ...], Any]] = {}
        check_input(manifest, list(self._input.shape))

    @property
    def takes_batches(self) -> bool:
        """Whether the graph leaves its first axis free."""
        return not isinstance(self._input.shape[0], int)

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """``float32[n, c, …]`` → the network's output, on the same device."""
        import torch

        given = tensor.to(getattr(torch, self._dtype)).contiguous()
        shape = tuple(given.shape)
        if shape not in self._shapes:
            self._shapes[shape] = self._learn(given)
        out_shape, out_type = self._shapes[shape]
        out = torch.empty(out_shape, dtype=getattr(torch, out_type.name), device=given.device)
        binding = self._session.io_binding()
        kind, index = given.device.type, given.device.index or 0
        dtype = given.new_empty(0).cpu().numpy().dtype
        binding.bind_input(self._input.name, kind, index, dtype, shape, given.data_ptr())
        binding.bind_output(self._output.name, kind, index, out_type, out_shape, out.data_ptr())
        if kind == "cuda":  # ONNX Runtime works in a stream of its own
            torch.cuda.current_stream(given.device).synchronize()
        self._session.run_with_iobinding(binding)
        return out if out.is_floating_point() else out.to(torch.float32)

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def _learn(self, given: torch.Tensor) -> tuple[tuple[int, ...], Any]:
        """Shape and type of the output for an input of this shape, found by running it once."""
        try:
            (found,) = self._session.run(
                [self._output.name], {self._input.name: given.cpu().numpy()}
            )
        except Exception as error:  # onnxruntime's errors share no base class
            raise TensorMismatch(
                f"{self._manifest.id} does not take a tensor of shape {list(given.shape)} (its "
                f"input is {self._input.shape}): {str(error)[:300]}. Correct input.shape and "
                "input.channels, or resources.tile."
            ) from error
        return tuple(found.shape), found.dtype


def _chosen(what: str, every: list[Any], name: str) -> Any:
    if name:
        named = [each for each in every if each.name == name]
        if named:
            return named[0]
    elif len(every) == 1 or what == "output":
        return every[0]
    known = ", ".join(each.name for each in every)
    raise TensorMismatch(
        f"The graph has the {what}s {known}; name one of them in options.{what}_name"
        + (f" (got {name!r})." if name else ".")
    )


def check_input(manifest: ModelManifest, declared: list[Any]) -> None:
    """Compare a graph's declared input with the manifest.

    Parameters
    ----------
    declared : list
        Lengths as numbers; names or None where they are free.

    Raises
    ------
    TensorMismatch
        Another number of axes or channels, or a fixed length that the manifest does not give.
    """
    given = manifest.input
    wanted = ["1", str(len(given.channels)), *given.shape]
    fits = len(declared) == len(wanted) and all(
        not isinstance(length, int) or axis == 0 or str(length) == rule
        for axis, (length, rule) in enumerate(zip(declared, wanted, strict=True))
    )
    if not fits:
        said = ", ".join(wanted[1:])
        raise TensorMismatch(
            f"{manifest.id} takes a tensor {declared}; its manifest says [n, {said}] (channels, "
            "then input.shape). Correct the manifest, or take the right weights."
        )
