"""What a MONAI bundle's configuration would run that is not MONAI, torch or NumPy.

A bundle's JSON may name any callable (``_target_``) and hold Python expressions (``$…``). Most
need none of that beyond MONAI's own transforms; the rest is listed here, so that a person can say
yes or no to it before the model is installed. This is a list for people, not a sandbox.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ennead.errors import TensorMismatch
from ennead_models.weights.archive import single_root

METADATA: Final = "configs/metadata.json"
_LIBRARIES: Final = frozenset({"monai", "torch", "numpy", "np", "math"})
#: Parts of those libraries that write, download, start programs or load pickles.
_FOREIGN: Final = (
    "monai.apps",
    "monai.bundle",
    "monai.fl",
    "torch.hub",
    "torch.load",
    "torch.jit.load",
    "torch.save",
    "torch.distributed",
    "torch.multiprocessing",
    "torch.utils",
    "torch.serialization",
    "torch.ops",
    "torch.classes",
    "numpy.load",
    "numpy.save",
    "numpy.fromfile",
    "numpy.f2py",
    "numpy.ctypeslib",
    "np.load",
    "np.save",
    "np.fromfile",
    "np.f2py",
    "np.ctypeslib",
)
_REFERENCE: Final = re.compile(r"[@%][\w:#.]*\w")
#: Sections of the configuration without which a bundle is not run.
REQUIRED: Final = ("network_def", "preprocessing", "inferer", "postprocessing")
#: Modules that a bundle may import; what expressions do with them is judged where they are used.
_IMPORTS: Final = _LIBRARIES | {"os", "glob", "pathlib", "json", "re", "itertools", "functools"}


def needed_config(folder: Path, config: str) -> dict[str, Any]:
    """The sections of a bundle's configuration that prediction uses, and what they refer to.

    Everything else (data set, handlers, evaluator, their imports) is left out, and so never run.

    Raises
    ------
    TensorMismatch
        The configuration cannot be read, or lacks a section.
    """
    path = single_root(folder, METADATA) / config
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise TensorMismatch(
            f"The bundle's {config} cannot be read as JSON: {error}. Name the right file in "
            "options.config."
        ) from error
    absent = [section for section in REQUIRED if section not in content]
    if absent:
        raise TensorMismatch(
            f"The bundle's {config} lacks {', '.join(absent)}; a bundle is run by its "
            f"{', '.join(REQUIRED)}."
        )
    open_ends = ["imports", *REQUIRED] if "imports" in content else list(REQUIRED)
    needed: dict[str, Any] = {}
    while open_ends:
        section = open_ends.pop()
        needed[section] = content[section]
        named = _REFERENCE.findall(json.dumps(content[section]))
        heads = {re.split(r"::|#", reference[1:])[0] for reference in named}
        open_ends += [h for h in heads if h in content and h not in needed and h not in open_ends]
    return needed


def code_of(folder: Path, config: str) -> list[str]:
    """Lines for what a bundle would run besides MONAI, torch and NumPy; empty for most.

    Raises
    ------
    TensorMismatch
        :func:`needed_config`.
    """
    content = needed_config(folder, config)
    found = {f"{where}: {what}" for where, what in _walk("", content)}
    return sorted(found)


def _walk(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        target = value.get("_target_")
        if isinstance(target, str) and not target.startswith("$") and _is_foreign(target):
            yield where, f"calls {target}"
        for key, inside in value.items():
            yield from _walk(f"{where}.{key}".lstrip("."), inside)
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from _walk(f"{where}.{index}", inside)
    elif isinstance(value, str) and value.startswith("$"):
        problem = _foreign_expression(value[1:])
        if problem:
            yield where, f"runs {value[:120]} ({problem})"
    elif isinstance(value, str) and value.startswith("%") and "::" in value:
        yield where, f"takes in {value[:120]}"


def _is_foreign(target: str) -> bool:
    if "." not in target:
        return False  # a component of MONAI by its class name
    return target.split(".")[0] not in _LIBRARIES or target.startswith(_FOREIGN)


def _foreign_expression(expression: str) -> str:
    """What an expression does beyond arithmetic with the known libraries; "" for nothing."""
    try:
        tree = ast.parse(_REFERENCE.sub("reference", expression).strip())
    except SyntaxError:
        return "cannot be read"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            foreign = [n for n in names if not n or n.split(".")[0] not in _IMPORTS]
            if foreign:
                return f"imports {', '.join(map(str, foreign))}"
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            if node.attr.startswith("_") or dotted.startswith(_FOREIGN):
                return f"uses {dotted}"
        if isinstance(node, ast.Name) and node.id not in _NAMES | _LIBRARIES:
            return f"uses {node.id}"
    return ""


_NAMES: Final = frozenset(
    "reference True False None int float str bool list tuple dict set len min max sum abs round "
    "range sorted zip any all x i k v".split()
)
