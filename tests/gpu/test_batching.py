"""Tiles of several studies in one batch, each answer to its own study."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ennead_gpu.batching import BatchedNetwork, Collector


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Results of ``work(0)`` … in as many threads that start together."""
    start = threading.Barrier(count)

    def begin(n: int) -> Any:
        start.wait(5)
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_those_who_come_together_go_together() -> None:
    runs: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        runs.append(len(items))
        return [n * n for n in items]

    collector: Collector[int, int] = Collector(run, max_batch=4, max_wait_s=5)

    def work(n: int) -> int:
        with collector.joined():
            everybody.wait(5)
            return collector.submit(n)

    everybody = threading.Barrier(8)
    assert at_once(8, work) == [n * n for n in range(8)]
    assert sum(runs) == 8 and max(runs) == 4 and len(runs) <= 3


def test_they_go_together_round_after_round() -> None:
    runs: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        runs.append(len(items))
        return list(items)

    collector: Collector[int, int] = Collector(run, max_batch=4, max_wait_s=5)
    everybody = threading.Barrier(4)

    def work(n: int) -> list[int]:
        with collector.joined():
            everybody.wait(5)
            answers = [collector.submit(n + 10 * turn) for turn in range(200)]
            everybody.wait(5)  # nobody leaves before the last round is done
            return answers

    assert at_once(4, work) == [[n + 10 * t for t in range(200)] for n in range(4)]
    assert runs == [4] * 200


def test_one_alone_does_not_wait() -> None:
    collector: Collector[int, int] = Collector(list, max_batch=8, max_wait_s=60)
    with collector.joined():
        assert [collector.submit(n) for n in range(50)] == list(range(50))


def test_one_who_waits_for_a_late_one_gives_up_in_time() -> None:
    collector: Collector[int, int] = Collector(list, max_batch=8, max_wait_s=0.02)
    with collector.joined(), collector.joined():
        assert collector.submit(3) == 3


def test_groups_do_not_mix_and_large_items_go_alone() -> None:
    runs: list[list[tuple[str, int]]] = []

    def run(items: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        runs.append(list(items))
        return list(items)

    collector: Collector[tuple[str, int], tuple[str, int]] = Collector(run, 3, max_wait_s=0.02)

    def work(n: int) -> tuple[str, int]:
        group = "even" if n % 2 == 0 else "odd"
        with collector.joined():
            return collector.submit((group, n), group, size=2 if group == "odd" else 1)

    for n, answer in enumerate(at_once(9, work)):
        assert answer[1] == n
    for items in runs:
        assert len({group for group, _ in items}) == 1
        assert len(items) <= (3 if items[0][0] == "even" else 1)


def test_an_error_reaches_all_who_were_in_it_and_nobody_else() -> None:
    def run(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("thirteen")
        return list(items)

    collector: Collector[int, int] = Collector(run, max_batch=2, max_wait_s=0.01)

    def work(n: int) -> object:
        try:
            return collector.submit(n)
        except ValueError as error:
            return str(error)

    answers = at_once(6, lambda n: work(13 if n == 3 else n))
    assert 1 <= answers.count("thirteen") <= 2
    assert all(a in ("thirteen", n) for n, a in enumerate(answers))
    assert collector.submit(1) == 1


def test_too_few_answers_are_an_error_not_a_mix_up() -> None:
    collector: Collector[int, int] = Collector(lambda items: [], max_batch=2)
    with pytest.raises(ValueError, match="zip"):
        collector.submit(1)


def test_studies_in_one_batch_get_the_labels_they_would_get_alone() -> None:
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    from ennead_gpu.tiled import Tiling, segment
    from ennead_gpu.windows import Windows

    torch.manual_seed(1)
    inner, sizes = torch.nn.Conv3d(1, 3, 3, padding=1).eval(), []

    def network(batch: Any) -> Any:
        sizes.append(len(batch))
        return inner(batch)

    images = [torch.randn(1, 14 + n, 16, 16) for n in range(4)]
    tiling = Tiling((12, 12, 12), 0.25)
    alone = [segment(inner, image, tiling) for image in images]
    sizes.clear()
    shared = BatchedNetwork(network, max_tiles=4, max_wait_s=5)
    everybody = threading.Barrier(4)

    def work(n: int) -> Any:
        with shared.joined():
            everybody.wait(5)
            return segment(shared, images[n], tiling)

    for labels, truth in zip(at_once(4, work), alone, strict=True):
        assert (labels != truth).float().mean() < 1e-3
    assert max(sizes) > 1
    windows = [Windows.of(tuple(i.shape[1:]), tiling.tile, tiling.overlaps) for i in images]
    assert sum(sizes) == sum(len(w.starts(0, 16)) for w in windows)
