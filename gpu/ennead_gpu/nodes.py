"""Whether the nodes of a cluster may compute for this instance: same code, same files.

A node with other code would give other results under the same identity, and one that does not see
the objects cannot read a series. Such a node is named in the log and is given no task.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import structlog

from ennead import __version__

log = structlog.get_logger(__name__)

#: Everything that takes part in a result.
_ROOMS: Final = ("ennead", "ennead_gpu", "ennead_models", "ennead_pacs", "ennead_pipelines")


@dataclass(frozen=True, slots=True)
class Passport:
    """What must agree between two machines.

    Parameters
    ----------
    python : str
        Major and minor version: results travel between interpreters.
    code : str
        ``sha256:…`` over Ennead's own modules.
    storage : int
        Identity of the directory of stored objects (its inode); 0 where it is not there.
    """

    version: str
    python: str
    code: str
    storage: int

    @classmethod
    def here(cls, objects: Path) -> Passport:
        """Of this machine."""
        try:
            storage = objects.stat().st_ino
        except OSError:
            storage = 0
        python = ".".join(map(str, sys.version_info[:2]))
        return cls(__version__, python, code_digest(), storage)

    def differs(self, other: Passport, objects: Path) -> str:
        """Why ``other`` may not compute for us, and what to do; "" when it may."""
        if other.python != self.python:
            return f"runs Python {other.python}, here it is {self.python}: use the same image"
        if (other.version, other.code) != (self.version, self.code):
            return (
                f"has Ennead {other.version} with other code ({other.code[:15]}), here it is "
                f"{self.version} ({self.code[:15]}): use the same image"
            )
        if other.storage != self.storage:
            return f"does not see the stored objects at {objects}: mount the shared storage there"
        return ""


@cache
def code_digest() -> str:
    """``sha256:…`` over names and content of Ennead's modules on this machine."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        spec = importlib.util.find_spec(room)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        for path in sorted(folder.rglob("*.py")) if folder else ():
            assert folder is not None
            data = path.read_bytes()
            digest.update(f"{room}/{path.relative_to(folder)}:{len(data)}:".encode() + data)
    return "sha256:" + digest.hexdigest()


class NodeWatch:
    """Looks at every node that joins, once.

    Parameters
    ----------
    objects : Path
        Directory of stored objects, at the same place on every node.
    """

    def __init__(self, objects: Path) -> None:
        self._objects = objects
        self._here = Passport.here(objects)
        self._judged: dict[str, str] = {}
        self._asked: dict[str, Any] = {}

    @property
    def excluded(self) -> tuple[str, ...]:
        """Ids of nodes that must not be given tasks: refused, or not looked at yet."""
        return tuple(
            sorted(
                node for node in {*self._judged, *self._asked} if self._judged.get(node, "?") != ""
            )
        )

    @property
    def waiting(self) -> bool:
        """Whether a node has not answered yet."""
        return bool(self._asked)

    def look(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Take in the cluster's nodes as ``ray.nodes()`` gives them."""
        import ray

        alive = {node["NodeID"]: node for node in nodes if node["Alive"]}
        for gone in self._asked.keys() - alive.keys():
            del self._asked[gone]
        self._judged = {node: why for node, why in self._judged.items() if node in alive}
        for node_id in alive:
            if node_id not in self._judged and node_id not in self._asked:
                self._asked[node_id] = _ask(node_id, self._objects)
        waiting = {reference: node_id for node_id, reference in self._asked.items()}
        ready: list[Any] = []
        if waiting:
            ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0.1)
        for reference in ready:
            node_id = waiting[reference]
            del self._asked[node_id]
            self._judge(node_id, alive[node_id], reference)

    def _judge(self, node_id: str, node: Mapping[str, Any], reference: Any) -> None:
        import ray

        address = node.get("NodeManagerAddress", "?")
        try:
            why = self._here.differs(ray.get(reference), self._objects)
        except ray.exceptions.RayTaskError as error:
            why = f"cannot run Ennead ({type(error.cause or error).__name__}): use the same image"
        except ray.exceptions.RayError:
            return  # it has left; should it still be there, it is asked again
        self._judged[node_id] = why
        if why:
            log.error("a node is left out", node=node_id[:12], address=address, why=why)
        else:
            log.info("a node joins", node=node_id[:12], address=address)


def _ask(node_id: str, objects: Path) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    pinned = NodeAffinitySchedulingStrategy(node_id, soft=False)
    probe = ray.remote(num_cpus=0, max_retries=0)(_probe)
    return probe.options(scheduling_strategy=pinned).remote(os.fspath(objects))


def _probe(objects: str) -> Passport:
    return Passport.here(Path(objects))
