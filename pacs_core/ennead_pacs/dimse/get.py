from __future__ import annotations

from typing import Any


def serve(association: Any, context: Any, command: Any) -> None:
    association.drain(context, command)
