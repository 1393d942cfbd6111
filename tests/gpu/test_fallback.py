"""Out of memory: recognised, answered with smaller tiles and then the processors, and told."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from typing import Any

import pytest

from ennead.errors import DeviceMemoryExhausted
from ennead.texts import LANGUAGES, platform_texts, translate
from ennead_gpu.fallback import Plan, Step, attempt, is_out_of_memory, ladder


def real_errors() -> list[Any]:
    """Exceptions that the libraries themselves raise here."""
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    found: list[BaseException] = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")]
    for ask in (lambda: torch.empty(10**15), lambda: bytearray(10**18)):
        try:
            ask()
        except (RuntimeError, MemoryError) as error:
            found.append(error)
    return found


def test_what_pytorch_and_python_say_is_understood() -> None:
    errors = real_errors()
    assert len(errors) == 3
    assert all(map(is_out_of_memory, errors))


def onnx_model(voxels: int) -> bytes:
    """A model that multiplies ``voxels`` ones by its input: as much memory as one likes."""
    from onnx import TensorProto, helper

    ones = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph(
        [
            helper.make_node("ConstantOfShape", ["n"], ["ones"], value=ones),
            helper.make_node("Mul", ["ones", "x"], ["y"]),
        ],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        initializer=[helper.make_tensor("n", TensorProto.INT64, [1], [voxels])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def test_what_onnx_runtime_says_is_understood() -> None:
    """A real run that asks for four million gigabytes, and one that is wrong for another reason."""
    import numpy as np

    runtime = pytest.importorskip("onnxruntime", reason="ONNX models need ONNX Runtime")
    pytest.importorskip("onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    one = np.ones(1, np.float32)
    session = runtime.InferenceSession(onnx_model(10**15), options, ["CPUExecutionProvider"])
    with pytest.raises(Exception) as caught:
        session.run(None, {"x": one})
    assert is_out_of_memory(caught.value)
    with pytest.raises(Exception) as wrong:
        session.run(None, {"x": np.ones((2, 2), np.float32)})
    assert not is_out_of_memory(wrong.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("CUDA out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("CUDA error: device-side assert triggered"),
        KeyError("memory"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_a_wrapped_error_is_recognised() -> None:
    try:
        try:
            raise MemoryError
        except MemoryError as inner:
            raise ValueError("tile failed") from inner
    except ValueError as outer:
        assert is_out_of_memory(outer)
    assert is_out_of_memory(DeviceMemoryExhausted("too small"))
    assert is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))


def test_the_ladder_goes_from_the_wish_to_small_tiles_on_the_processors() -> None:
    plans = list(ladder((128, 128, 64), ("cuda:0", "cpu"), batch=4, multiple=(16, 16, 16)))
    assert plans[:4] == [
        Plan("cuda:0", (128, 128, 64), 4),
        Plan("cuda:0", (128, 128, 64), 1),
        Plan("cuda:0", (64, 128, 64), 1),
        Plan("cuda:0", (64, 64, 64), 1),
    ]
    assert plans[-1] == Plan("cpu", (32, 32, 32), 1)
    assert [p.device for p in plans] == sorted((p.device for p in plans), reverse=True)
    on_card = [p for p in plans if p.device == "cuda:0"][1:]
    for larger, smaller in pairwise(on_card):
        assert sum(a > b for a, b in zip(larger.tile, smaller.tile, strict=True)) == 1


@pytest.mark.parametrize("multiple", [(16, 16, 16), (32, 32, 32), (1, 1, 1), (24, 16, 8)])
def test_tiles_stay_multiples_and_end(multiple: tuple[int, int, int]) -> None:
    tile = tuple(m * 5 for m in multiple)
    plans = list(ladder(tile, ("cpu",), multiple=multiple))  # type: ignore[arg-type]
    assert len(plans) < 20
    for plan in plans:
        assert all(t % m == 0 and t > 0 for t, m in zip(plan.tile, multiple, strict=True))


def test_a_flat_tile_keeps_its_single_plane() -> None:
    plans = list(ladder((1, 256, 256), ("cpu",), multiple=(1, 16, 16)))
    assert {plan.tile[0] for plan in plans} == {1}
    assert plans[-1].tile == (1, 32, 32)


def test_every_step_is_recorded_and_told() -> None:
    told: list[Step] = []

    def run(plan: Plan) -> str:
        if plan.device != "cpu" or max(plan.tile) > 32:
            raise MemoryError(f"no {plan.tile}")
        return "labels"

    outcome = attempt(run, ladder((64, 32, 32), ("cuda:0", "cpu")), told=told.append)
    assert outcome.result == "labels"
    assert list(outcome.steps) == told
    assert [(s.plan.device, s.plan.tile[0], s.outcome) for s in told] == [
        ("cuda:0", 64, "out_of_memory"),
        ("cuda:0", 32, "out_of_memory"),
        ("cpu", 64, "out_of_memory"),
        ("cpu", 32, "done"),
    ]
    assert told[0].message == "MemoryError: no (64, 32, 32)"


def test_every_step_can_be_read_in_both_languages() -> None:
    for outcome in ("done", "out_of_memory"):
        shown = Step(Plan("cuda:0", (64, 32, 32), 2), outcome, 1.5).as_json()
        for language in LANGUAGES:
            assert shown["key"] in platform_texts(language)
            text = translate(shown["key"], language, shown["values"])
            assert "cuda:0" in text and "64 × 32 × 32" in text and "{" not in text


def test_when_nothing_helps_the_error_says_what_was_tried() -> None:
    def run(plan: Plan) -> None:
        raise MemoryError

    with pytest.raises(DeviceMemoryExhausted, match="cpu with tiles of") as caught:
        attempt(run, ladder((64, 64, 64), ("cuda:0", "cpu")))
    steps = caught.value.details["steps"]
    assert len(steps) == 8  # type: ignore[arg-type]
    assert is_out_of_memory(caught.value)


def test_other_errors_end_the_attempts() -> None:
    ran: list[Plan] = []

    def run(plan: Plan) -> None:
        ran.append(plan)
        raise KeyError("weights")

    with pytest.raises(KeyError):
        attempt(run, ladder((64, 64, 64), ("cpu",)))
    assert len(ran) == 1


def test_what_the_failed_run_held_is_free_before_the_next() -> None:
    class Tensor:
        pass

    held: list[weakref.ref[Tensor]] = []

    def run(plan: Plan) -> int:
        gc.disable()
        try:
            assert not any(ref() for ref in held)
            large = Tensor()
            held.append(weakref.ref(large))
            if len(held) < 3:
                raise MemoryError
            return len(held)
        finally:
            gc.enable()

    assert attempt(run, ladder((64, 64, 64), ("cpu",))).result == 3
