"""Running an exported network as it ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def onnx_network(path: Path, threads: int = 2) -> Callable[[FloatArray], FloatArray]:
    """A function ``float32[1, c, x, y, z]`` → the network's output, by ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image: FloatArray) -> FloatArray:
        found: FloatArray = session.run(None, {"image": image})[0]
        return found

    return run
