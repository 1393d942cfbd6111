"""Models for a package in the sandbox: it asks, the platform's own process computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ennead.contracts import ModelAnswer, Volume
from ennead.errors import ModelError
from ennead.sandbox import codec
from ennead_pipelines.sandbox.faults import Stopped


class Models:
    """Answers questions of :mod:`ennead.sandbox.child`.

    Parameters
    ----------
    models : mapping
        Those of the context, by id.
    context : RunContext
        Whose volumes a question may name.
    """

    def __init__(self, models: Mapping[str, Callable[[Volume], ModelAnswer]], context: Any) -> None:
        self._models = models
        self._volumes: Mapping[str, Volume] = getattr(context, "volumes", {})

    def answer(self, message: bytearray) -> list[bytes | memoryview]:
        """The parts of the answer to a question; a sentence where the model fails.

        Raises
        ------
        Stopped
            The question makes no sense.
        """
        asked: tuple[str, str, Volume | None] = codec.decode_message(
            tuple[str, str, Volume | None], message
        )
        model, name, volume = asked
        if volume is None:
            volume = self._volumes.get(name)
        if volume is None or model not in self._models:
            raise Stopped("garbled", {}, f"asked model {model!r:.40} about {name!r:.40}")
        try:
            return codec.encode(self._models[model](volume)).parts()
        except ModelError as error:
            return codec.encode(error.message).parts()
