"""A package's Python files, read without importing any of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sources:
    """The modules of one package.

    Parameters
    ----------
    name : str
        Of the top-level module.
    modules : mapping
        Dotted name → syntax tree.
    """

    name: str
    modules: dict[str, ast.Module]

    def strings(self) -> Iterator[str]:
        """Every string constant, docstrings too."""
        for tree in self.modules.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value

    def imports(self, module: str) -> Iterator[tuple[str, bool]]:
        """Names that ``module`` imports, and whether at its top level.

        ``from a import b`` gives ``a.b``, so that a submodule is seen; a relative import is made
        absolute. ``if TYPE_CHECKING:`` counts as deferred.
        """
        tree = self.modules[module]
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, id(node) in top
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    base = f"{self.name}.{base}".rstrip(".")
                for alias in node.names:
                    yield f"{base}.{alias.name}", id(node) in top

    def function(self, method: str) -> ast.FunctionDef | ast.ClassDef | None:
        """The function that ``module:name`` names, or None."""
        module, _, name = method.partition(":")
        tree = self.modules.get(module)
        for node in tree.body if tree else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return node
        return None


def read_sources(folder: Path) -> Sources:
    """Parse every ``.py`` file below a package's folder.

    Raises
    ------
    SyntaxError
        One is no Python.
    """
    modules = {}
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        dotted = ".".join((folder.name, *parts)).removesuffix(".__init__")
        modules[dotted] = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    return Sources(folder.name, modules)
