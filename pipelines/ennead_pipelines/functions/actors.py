"""The warm processes that interactive functions run in; neither asks Ray for a processor.

``CallActor`` measures and nothing else: when a function does not return, it is killed and another
takes its place. ``ErrandActor`` does what nobody waits for: decoding a series and writing DICOM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import ray

from ennead_pipelines.functions.requests import CallAnswer, CallRequest
from ennead_pipelines.run.requests import JobOutput, Loaded, LoadRequest

_MEASURING: Final = ("numpy", "scipy.ndimage", "ennead_pipelines.functions.execute")
_ERRANDS: Final = (
    "ennead_pacs.rendering",
    "ennead_pipelines.run.load",
    "highdicom",
    "ennead_pipelines.functions.execute",
)


class CallWorker:
    """Measures calls, one at a time."""

    def warm(self, modules: Sequence[str]) -> int:
        """Import what calls need, packages' own modules included."""
        from ennead_pipelines.functions.execute import warm

        return warm([*_MEASURING, *modules])

    def call(self, request: CallRequest, loaded: Loaded) -> CallAnswer:
        """Run a function on a decoded series."""
        from ennead_pipelines.functions.execute import call

        return call(request, loaded, _silent)


class ErrandWorker:
    """Decodes series and encodes answers."""

    def warm(self) -> int:
        """Import what errands need."""
        from ennead_pipelines.functions.execute import warm

        return warm(_ERRANDS)

    def load(self, request: LoadRequest) -> Loaded:
        """Decode a series."""
        from ennead_pipelines.run.load import load

        return load(request)

    def encode(
        self,
        request: CallRequest,
        answer: CallAnswer,
        loaded: Loaded,
        parameters: Mapping[str, str],
    ) -> JobOutput:
        """Write an answer as DICOM."""
        from ennead_pipelines.functions.execute import encode_call

        return encode_call(request, answer, loaded, parameters)


def _silent(fraction: float, text_key: str) -> None:
    del fraction, text_key


# A restarting actor refuses calls, so a dead one is replaced instead (see CallSlot).
CallActor = ray.remote(num_cpus=0, max_restarts=0)(CallWorker)
ErrandActor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=2)(ErrandWorker)


class CallSlot:
    """A place for one call at a time: its warm process, and another when that one has died.

    Parameters
    ----------
    modules : callable
        Names what the process imports while nobody waits.
    """

    def __init__(self, modules: Callable[[], Sequence[str]]) -> None:
        self._modules = modules
        self._start()

    def _start(self) -> None:
        self._actor: Any = CallActor.remote()
        self._warming: Any = self._actor.warm.remote(self._modules())

    def is_warm(self) -> bool:
        """Whether a call would begin at once; a process that died while warming is replaced."""
        if self._warming is None:
            return True
        ready, _ = ray.wait([self._warming], timeout=0)
        if not ready:
            return False
        try:
            ray.get(self._warming)
        except ray.exceptions.RayError:
            self._start()
            return False
        self._warming = None
        return True

    def call(self, request: CallRequest, volume: Any) -> Any:
        """Begin a call; returns the reference of its answer."""
        return self._actor.call.remote(request, volume)

    def replace(self) -> None:
        """End the process, whatever it does, and start another."""
        ray.kill(self._actor, no_restart=True)
        self._start()
