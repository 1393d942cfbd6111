"""Models that stay loaded: within a budget, the longest unused leaves first, none while in use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from ennead.errors import DeviceBusy, DeviceMemoryExhausted

log = structlog.get_logger(__name__)

_EPSILON_MIB: Final = 1e-6


@dataclass(slots=True)
class _Resident:
    key: str
    mib: float
    used_at: float
    model: Any = None
    error: BaseException | None = None
    users: int = 0
    uses: int = 0
    ready: threading.Event = field(default_factory=threading.Event)


class WarmModels:
    """Loaded models by key.

    Parameters
    ----------
    budget_mib : float
        Most memory of all of them together, also while they load.
    close : callable
        Gives a model's memory back; called once for each, without any lock held.
    clock : callable
        Seconds that only rise.
    """

    def __init__(
        self,
        budget_mib: float,
        *,
        close: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget_mib = budget_mib
        self._close, self._clock = close, clock
        self._changed = threading.Condition()
        self._residents: dict[str, _Resident] = {}
        self._closing_mib = 0.0

    @contextmanager
    def use(
        self, key: str, load: Callable[[], Any], mib: float, timeout_s: float | None = None
    ) -> Iterator[Any]:
        """The model, loaded if it is not; it stays at least until the block ends.

        Whoever asks for a model that another thread loads waits for it; where loading fails, all
        who waited get the error and nothing stays booked, so the next one tries again.

        Raises
        ------
        DeviceMemoryExhausted
            It is larger than the whole budget.
        DeviceBusy
            Models in use left no room within ``timeout_s``.
        """
        resident, ours = self._enter(key, mib, timeout_s)
        try:
            if ours:
                self._load(resident, load)
            resident.ready.wait()
            if resident.error is not None:
                raise resident.error
            yield resident.model
        finally:
            with self._changed:
                resident.users -= 1
                resident.used_at = self._clock()
                self._changed.notify_all()

    def make_room(self, idle_mib: float, keep: str = "") -> None:
        """Let idle models go until those that are left take at most ``idle_mib``.

        Parameters
        ----------
        keep : str
            The model that is about to be used: it stays and does not count.
        """
        with self._changed:
            leaving = self._leaving(lambda: self._taken(True, keep) <= idle_mib, keep)
        self._let_go(leaving)
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._closing_mib or self._taken(True, keep) + self._closing_mib <= idle_mib
                )
            )

    def sweep(self, idle_s: float) -> None:
        """Let models go that were not used for ``idle_s`` seconds."""
        with self._changed:
            now = self._clock()
            old = [r for r in self._idle() if now - r.used_at >= idle_s]
            for resident in old:
                self._take_out(resident)
        self._let_go(old)

    def state(self) -> list[dict[str, Any]]:
        """Who is here, as JSON; the last used first."""
        with self._changed:
            now = self._clock()
            return [
                {
                    "model": r.key,
                    "mib": round(r.mib, 1),
                    "in_use": r.users,
                    "uses": r.uses,
                    "loading": not r.ready.is_set(),
                    "idle_s": 0.0 if r.users else round(now - r.used_at, 3),
                }
                for r in sorted(self._residents.values(), key=lambda r: -r.used_at)
            ]

    def _enter(self, key: str, mib: float, timeout_s: float | None) -> tuple[_Resident, bool]:
        if mib > self.budget_mib:
            raise DeviceMemoryExhausted(
                f"The model needs {mib:.0f} MiB; all models together may take "
                f"{self.budget_mib:.0f} MiB.",
                need_mib=mib,
            )
        end = None if timeout_s is None else self._clock() + timeout_s
        room = self.budget_mib - mib + _EPSILON_MIB
        while True:
            with self._changed:
                resident = self._residents.get(key)
                if resident is not None:
                    resident.users += 1
                    resident.uses += 1
                    return resident, False
                if self._taken() + self._closing_mib <= room:
                    resident = _Resident(key, mib, self._clock(), users=1, uses=1)
                    self._residents[key] = resident
                    return resident, True
                leaving: list[_Resident] = []
                if self._taken() - self._taken(True) <= room:
                    leaving = self._leaving(lambda: self._taken() <= room)
                if not leaving:
                    left = None if end is None else end - self._clock()
                    if left is not None and left <= 0:
                        raise DeviceBusy(
                            f"Models in use left no {mib:.0f} MiB within {timeout_s:g} s."
                        )
                    self._changed.wait(left)
            self._let_go(leaving)

    def _load(self, resident: _Resident, load: Callable[[], Any]) -> None:
        try:
            resident.model = load()
        except BaseException as error:
            resident.error = error
            with self._changed:
                del self._residents[resident.key]
                self._changed.notify_all()
        finally:
            resident.ready.set()

    def _taken(self, idle_only: bool = False, but: str = "") -> float:
        residents = self._idle() if idle_only else list(self._residents.values())
        return sum(r.mib for r in residents if r.key != but)

    def _idle(self) -> list[_Resident]:
        return [r for r in self._residents.values() if not r.users]

    def _leaving(self, enough: Callable[[], bool], but: str = "") -> list[_Resident]:
        """Take idle models out, longest unused first, until there is room."""
        leaving = []
        for resident in sorted(self._idle(), key=lambda r: r.used_at):
            if enough():
                break
            if resident.key != but:
                self._take_out(resident)
                leaving.append(resident)
        return leaving

    def _take_out(self, resident: _Resident) -> None:
        """Its memory counts until it is closed."""
        del self._residents[resident.key]
        self._closing_mib += resident.mib

    def _let_go(self, leaving: list[_Resident]) -> None:
        for resident in leaving:
            log.info("model leaves the device", model=resident.key, mib=resident.mib)
            model, resident.model = resident.model, None
            try:
                self._close(model)
            finally:
                del model
                with self._changed:
                    self._closing_mib -= resident.mib
                    if abs(self._closing_mib) < _EPSILON_MIB:
                        self._closing_mib = 0.0
                    self._changed.notify_all()
