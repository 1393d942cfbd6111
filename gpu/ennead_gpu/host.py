"""One device's host: admission by megabytes, warm models, and what it is doing right now.

Used in a process, or as a Ray actor that asks for no CPU (:func:`host_actor`). Each run holds a
lease of all the memory it needs, its model's included. Models that nobody uses fill what is left,
and leave when a lease needs their place.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from ennead.errors import NotFound
from ennead_gpu.admission import Admission
from ennead_gpu.devices import Inventory
from ennead_gpu.warm import WarmModels

Stop = Callable[[], bool]
#: Runs and questions that an actor answers at one time.
ACTOR_THREADS: Final = 64
#: Priority of a run that names none; smaller is more urgent.
ROUTINE: Final = 5


@dataclass(slots=True)
class _Run:
    id: str
    model: str
    priority: int
    began_at: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class ModelHost:
    """Runs models on one device.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda:N``.
    budget_mib : float, optional
        Memory of all leases and warm models; None takes the device's usual share.
    inventory : Inventory, optional
        Who is asked about the device.
    clock : callable
        Seconds that only rise.

    Raises
    ------
    NotFound
        This machine has no such device.

    Examples
    --------
    ::

        host = ModelHost("cpu", 4096)
        labels = host.run(
            digest, lambda: open_model(path), lambda model, stop: model(image), mib=900, priority=1
        )
    """

    def __init__(
        self,
        device: str,
        budget_mib: float | None = None,
        *,
        inventory: Inventory | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self._inventory, self._clock = inventory or Inventory(), clock
        if budget_mib is None:
            budget_mib = self._read_device().budget_mib
        else:
            self._read_device()
        self._admission = Admission({device: budget_mib}, clock=clock)
        self._warm = WarmModels(budget_mib, close=self._close, clock=clock)
        self._budget_mib = budget_mib
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._count, self._done = 0, 0

    def run(
        self,
        model_key: str,
        load: Callable[[], Any],
        call: Callable[[Any, Stop], Any],
        mib: float,
        priority: int = ROUTINE,
        cancel: Stop | None = None,
        *,
        run_id: str | None = None,
        timeout_s: float | None = None,
        resident_mib: float | None = None,
    ) -> Any:
        """Run a model, when the device has memory for it.

        Parameters
        ----------
        model_key : str
            The model's digest; equal keys share one loaded model.
        load : callable
            Loads it, when it is not here.
        call : callable
            Gets the model and a function that says whether to stop; its answer is returned.
        mib : float
            Memory of the whole run, the loaded model included.
        priority : int
            Smaller is more urgent.
        cancel : callable, optional
            Asked while waiting, and handed to ``call``.
        run_id : str, optional
            By which :meth:`cancel` finds it; shown in :meth:`state`.
        timeout_s : float, optional
            Longest wait for the device.
        resident_mib : float, optional
            What of ``mib`` stays taken while the model is warm; absent, all of it.

        Raises
        ------
        DeviceMemoryExhausted, DeviceBusy, PredictionCancelled
            As :meth:`ennead_gpu.admission.Admission.lease` says; else what ``load`` and ``call``
            raise.
        """
        entry = self._enter(model_key, priority, run_id)

        def stop() -> bool:
            return entry.cancelled.is_set() or (cancel is not None and cancel())

        resident = min(mib, resident_mib if resident_mib is not None else mib)
        try:
            with self._leased(entry, mib, timeout_s, stop):
                with self._warm.use(model_key, load, resident) as model:
                    return call(model, stop)
        finally:
            with self._lock:
                self._runs.pop(entry.id, None)
                self._done += 1

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop, wherever it stands.

        Raises
        ------
        NotFound
            No such run here, or it is over.
        """
        with self._lock:
            entry = self._runs.get(run_id)
        if entry is None:
            raise NotFound(f"No run {run_id!r} on {self.device}; it may be over.")
        entry.cancelled.set()

    def sweep(self, idle_s: float) -> None:
        """Let models go that were not used for ``idle_s`` seconds."""
        self._warm.sweep(idle_s)

    def state(self) -> dict[str, Any]:
        """All about this device, as JSON.

        Returns
        -------
        dict
            ``device`` (:class:`ennead_gpu.devices.Device`), ``budget_mib``, ``leased_mib``,
            ``resident_mib``, ``residents`` (model, mib, in_use, uses, loading, idle_s), ``running``
            (run, model, priority, mib, waited_s, since_s), ``queue`` (the same without since_s, in
            the order of service), ``finished`` and ``at``.
        """
        admission, residents = self._admission.state(self.device), self._warm.state()
        with self._lock:
            entries, done, now = dict(self._runs), self._done, self._clock()
        return {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "device": self._read_device().as_json(),
            "budget_mib": admission["budget_mib"],
            "leased_mib": admission["leased_mib"],
            "resident_mib": round(sum(r["mib"] for r in residents), 1),
            "residents": residents,
            "running": [_shown(ticket, entries, now) for ticket in admission["leases"]],
            "queue": [_shown(ticket, entries, now) for ticket in admission["queue"]],
            "finished": done,
        }

    def _enter(self, model_key: str, priority: int, run_id: str | None) -> _Run:
        with self._lock:
            self._count += 1
            entry = _Run(run_id or f"{self.device}-{self._count}", model_key, priority)
            if entry.id in self._runs:
                entry.id = f"{entry.id}-{self._count}"
            self._runs[entry.id] = entry
        return entry

    @contextmanager
    def _leased(
        self, entry: _Run, mib: float, timeout_s: float | None, stop: Stop
    ) -> Iterator[None]:
        with self._admission.lease(
            self.device,
            mib,
            label=entry.id,
            priority=entry.priority,
            timeout_s=timeout_s,
            stop=stop,
        ):
            entry.began_at = self._clock()
            # A lease contains its model; idle models may have what no lease has.
            idle_mib = self._budget_mib - self._admission.leased_mib(self.device)
            self._warm.make_room(idle_mib, keep=entry.model)
            yield

    def _read_device(self) -> Any:
        for found in self._inventory.devices():
            if found.id == self.device:
                return found
        raise NotFound(f"There is no device {self.device!r} on this machine.")

    def _close(self, model: Any) -> None:
        close = getattr(model, "close", None)
        if callable(close):
            close()
        del model
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()


def _shown(ticket: dict[str, Any], entries: dict[str, _Run], now: float) -> dict[str, Any]:
    entry = entries.get(ticket["label"])
    shown = {
        "run": ticket["label"],
        "model": entry.model if entry else "",
        "priority": ticket["priority"],
        "mib": ticket["mib"],
        "waited_s": ticket["since_s"],
    }
    if entry is not None and entry.began_at is not None:
        running_s = round(now - entry.began_at, 3)
        shown |= {"waited_s": round(ticket["since_s"] - running_s, 3), "since_s": running_s}
    return shown


def host_actor(device: str, budget_mib: float | None = None, *, place: str = "0") -> Any:
    """The Ray actor that hosts a device; started at the first call, the same one afterwards.

    Parameters
    ----------
    place : str
        The node's id in Ray's cluster, where the actor then stays; each machine hosts its own
        devices. ``0`` is wherever Ray puts it.

    Returns
    -------
    ray.actor.ActorHandle
        Of :class:`ModelHost`: ``ray.get(actor.run.remote(…))``; ``load`` and ``call`` are pickled.
    """
    import ray
    import ray.util.scheduling_strategies

    remote: Any = ray.remote(num_cpus=0, max_concurrency=ACTOR_THREADS, max_restarts=-1)(ModelHost)
    options: dict[str, Any] = {
        "name": _name(device, place),
        "get_if_exists": True,
        # It outlives the task that was the first to ask: models stay warm for the next ones.
        "lifetime": "detached",
    }
    if place != "0":
        strategies = ray.util.scheduling_strategies
        options["scheduling_strategy"] = strategies.NodeAffinitySchedulingStrategy(
            place, soft=False
        )
    return remote.options(**options).remote(device, budget_mib)


def host_state(device: str, *, place: str = "0", timeout_s: float = 1.0) -> dict[str, Any] | None:
    """What a device's actor says of itself; None while nobody has used it, or it does not answer.

    Parameters
    ----------
    place : str
        As :func:`host_actor` has it.
    """
    import ray
    import ray.exceptions

    try:
        actor: Any = ray.get_actor(_name(device, place))
        found: dict[str, Any] = ray.get(actor.state.remote(), timeout=timeout_s)
    except (ValueError, ray.exceptions.RayError):  # ValueError: there is no such actor
        return None
    return found


def _name(device: str, place: str) -> str:
    return f"ennead-gpu-{place}-{device.replace(':', '-')}"
