"""Tiles of several studies in one batch, when they wait for the same network at the same time.

There is no thread of its own: whoever comes first waits a moment for the others, runs the batch
for all, and each gets back what is its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Waiting(Generic[_Item, _Answer]):
    item: _Item
    size: int
    answer: _Answer | None = None
    error: BaseException | None = None
    done: bool = False


@dataclass(slots=True)
class _Group(Generic[_Item, _Answer]):
    """Items that may go together, in the order they came."""

    waiting: list[_Waiting[_Item, _Answer]] = field(default_factory=list)
    led: bool = False


class Collector(Generic[_Item, _Answer]):
    """Gathers items of several threads.

    Parameters
    ----------
    run : callable
        Items of one group → as many answers in the same order.
    max_batch : int
        Most items (by their sizes) in one run.
    max_wait_s : float
        How long the first waits for others; nobody waits when all who have joined are there.
    """

    def __init__(
        self,
        run: Callable[[Sequence[_Item]], Sequence[_Answer]],
        max_batch: int,
        max_wait_s: float = 0.01,
    ) -> None:
        self._run, self._max_batch, self._max_wait_s = run, max_batch, max_wait_s
        self._changed = threading.Condition()
        self._groups: dict[object, _Group[_Item, _Answer]] = {}
        self._joined = 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """For the block, this thread is one whose items are worth waiting for."""
        with self._changed:
            self._joined += 1
        try:
            yield
        finally:
            with self._changed:
                self._joined -= 1
                self._changed.notify_all()

    def submit(self, item: _Item, group: object = None, size: int = 1) -> _Answer:
        """The answer to ``item``; runs together with others of its group.

        Raises
        ------
        Exception
            Whatever the run raised; everybody in that run gets it.
        """
        mine: _Waiting[_Item, _Answer] = _Waiting(item, size)
        with self._changed:
            queue = self._groups.setdefault(group, _Group())
            queue.waiting.append(mine)
            self._changed.notify_all()
            while not mine.done:
                if not queue.led:
                    self._lead(queue)
                else:
                    self._changed.wait()
            spent = not queue.waiting and not queue.led
            if spent and self._groups.get(group) is queue:  # a later one may have its name
                del self._groups[group]
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]

    def _lead(self, queue: _Group[_Item, _Answer]) -> None:
        """Wait a moment, run a batch, hand its answers out. Called and left with the lock held."""
        queue.led = True
        try:
            end = time.monotonic() + self._max_wait_s
            while not self._full(queue) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            batch = self._take(queue)
            self._changed.release()
            try:
                self._serve(batch)
            finally:
                self._changed.acquire()
        finally:
            queue.led = False
            self._changed.notify_all()

    def _full(self, queue: _Group[_Item, _Answer]) -> bool:
        present = sum(len(group.waiting) for group in self._groups.values())
        return present >= self._joined or sum(w.size for w in queue.waiting) >= self._max_batch

    def _take(self, queue: _Group[_Item, _Answer]) -> list[_Waiting[_Item, _Answer]]:
        """The first items, as many as fit; always one at least."""
        taken, size = [queue.waiting.pop(0)], 0
        size = taken[0].size
        while queue.waiting and size + queue.waiting[0].size <= self._max_batch:
            size += queue.waiting[0].size
            taken.append(queue.waiting.pop(0))
        return taken

    def _serve(self, batch: list[_Waiting[_Item, _Answer]]) -> None:
        try:
            answers = self._run([waiting.item for waiting in batch])
            for waiting, answer in zip(batch, answers, strict=True):
                waiting.answer = answer
        except BaseException as error:
            for waiting in batch:
                waiting.error = error
        finally:
            for waiting in batch:
                waiting.done = True


class BatchedNetwork:
    """A network whose tiles of several threads go through it together.

    Batches of another size may round differently in the last bit, so a model that promises the
    same answer every time is not run through this.

    Parameters
    ----------
    network : callable
        ``float32[n, c, z, y, x]`` → ``float[n, classes, z, y, x]``.
    max_tiles : int
        Most tiles in one batch.
    max_wait_s : float
        See :class:`Collector`.

    Examples
    --------
    ::

        shared = BatchedNetwork(network, max_tiles=8)
        with shared.joined():                    # in each study's thread
            labels = segment(shared, image, tiling)
    """

    def __init__(
        self, network: Callable[[Any], Any], max_tiles: int, max_wait_s: float = 0.01
    ) -> None:
        self._network = network
        self._collector: Collector[Any, Any] = Collector(self._together, max_tiles, max_wait_s)
        self.joined = self._collector.joined

    def __call__(self, batch: Any) -> Any:
        """The network's output of this thread's tiles."""
        import torch

        kind = torch.is_autocast_enabled(batch.device.type)
        precision = torch.get_autocast_dtype(batch.device.type) if kind else None
        group = (tuple(batch.shape[1:]), batch.dtype, batch.device, precision)
        return self._collector.submit(batch, group, len(batch))

    def _together(self, batches: Sequence[Any]) -> Sequence[Any]:
        import torch

        if len(batches) == 1:
            return [self._network(batches[0])]
        out = self._network(torch.cat(list(batches)))
        return list(out.split([len(batch) for batch in batches]))
