"""Admission by megabytes: a run starts when its device has the memory, the most urgent first.

Threads wait here; the order in which they are let in is :class:`ennead_gpu._queue.LeaseQueue`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from ennead.errors import DeviceBusy, DeviceMemoryExhausted, NotFound, PredictionCancelled
from ennead_gpu._queue import AGEING_S, PATIENCE_S, LeaseQueue, Ticket

#: Longest sleep between two questions whether a waiter is cancelled.
_LOOK_S: Final = 0.05


class Admission:
    """Leases of the memory of some devices.

    Parameters
    ----------
    budgets_mib : mapping
        Device → MiB that leases may take together.
    clock : callable
        Seconds that only rise.
    ageing_s, patience_s : float
        See :mod:`ennead_gpu._queue`.
    """

    def __init__(
        self,
        budgets_mib: Mapping[str, float],
        *,
        clock: Callable[[], float] = time.monotonic,
        ageing_s: float = AGEING_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._queues = {
            device: LeaseQueue(mib, ageing_s, patience_s) for device, mib in budgets_mib.items()
        }

    @contextmanager
    def lease(
        self,
        device: str,
        mib: float,
        *,
        label: str = "",
        priority: int = 5,
        timeout_s: float | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Ticket]:
        """Hold memory of a device for the block; waits until it is free.

        Parameters
        ----------
        priority : int
            Smaller is more urgent; equals are served in the order they came.
        timeout_s : float, optional
            Longest wait.
        stop : callable, optional
            Asked while waiting; True gives the place up.

        Raises
        ------
        NotFound
            No such device.
        DeviceMemoryExhausted
            The device has less in all; waiting would not help.
        DeviceBusy
            Not let in within ``timeout_s``.
        PredictionCancelled
            ``stop`` said so.
        """
        queue = self._queue(device)
        if mib > queue.budget_mib:
            raise DeviceMemoryExhausted(
                f"{mib:.0f} MiB are needed; {device} has {queue.budget_mib:.0f} MiB for models. "
                "Take smaller tiles, or another device.",
                need_mib=mib,
            )
        with self._changed:
            ticket = queue.ask(label, mib, priority, self._clock())
            self._grant(queue)
        try:
            self._wait(queue, ticket, device, timeout_s, stop)
            yield ticket
        finally:
            with self._changed:
                queue.withdraw(ticket)
                self._grant(queue)

    def leased_mib(self, device: str) -> float:
        """Memory of the device that is leased now."""
        queue = self._queue(device)
        with self._changed:
            return queue.leased_mib

    def state(self, device: str) -> dict[str, Any]:
        """Budget, leases and queue of a device, as JSON."""
        queue = self._queue(device)
        with self._changed:
            now = self._clock()
            return {
                "budget_mib": round(queue.budget_mib, 1),
                "leased_mib": round(queue.leased_mib, 1),
                "leases": [_as_json(ticket, now) for ticket in queue.leased()],
                "queue": [_as_json(ticket, now) for ticket in queue.waiting()],
            }

    def _queue(self, device: str) -> LeaseQueue:
        if device not in self._queues:
            raise NotFound(f"No device {device!r} here; there are {sorted(self._queues)}.")
        return self._queues[device]

    def _grant(self, queue: LeaseQueue) -> None:
        if queue.grant(self._clock()):
            self._changed.notify_all()

    def _wait(
        self,
        queue: LeaseQueue,
        ticket: Ticket,
        device: str,
        timeout_s: float | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        while True:
            if stop is not None and stop():
                raise PredictionCancelled("The run was cancelled while it waited for its device.")
            with self._changed:
                if queue.holds(ticket):
                    return
                waited = self._clock() - ticket.asked_at
                if timeout_s is not None and waited >= timeout_s:
                    raise DeviceBusy(
                        f"{device} had no {ticket.mib:.0f} MiB free within {timeout_s:g} s; "
                        f"{queue.leased_mib:.0f} of {queue.budget_mib:.0f} MiB are leased. Try "
                        "again later, or with a more urgent priority.",
                        waited_s=waited,
                    )
                left = timeout_s - waited if timeout_s is not None else _LOOK_S
                self._changed.wait(_LOOK_S if stop is not None else max(min(left, 1.0), 0.001))


def _as_json(ticket: Ticket, now: float) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "label": ticket.label,
        "mib": round(ticket.mib, 1),
        "priority": ticket.priority,
        "since_s": round(now - ticket.asked_at, 3),
    }
