"""What every table of ``model.toml`` is made of."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from ennead.plugins.manifest import CodeRule

#: Identifiers of models, labels and channels (the same rule as for packages and their outputs).
ID = r"^[a-z][a-z0-9_]{1,30}$"
_CODE = re.compile(r"(?P<scheme>\S+?):(?P<value>\S+)\s+(?P<meaning>\S.*)")


class Table(BaseModel):
    """A table of the manifest: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value:
        raise ValueError(f"must be a path inside the model's folder; got {value!r}")
    return value


def _bilingual(value: dict[str, str]) -> dict[str, str]:
    missing = [language for language in ("vi", "en") if not value.get(language, "").strip()]
    if missing:
        raise ValueError(f"needs a text in {' and '.join(missing)}")
    return value


def _code(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _CODE.fullmatch(value.strip())
    if not found:
        raise ValueError(f"a code is written 'SCT:10200004 Liver'; got {value!r}")
    return found.groupdict()


def _with_meaning(code: CodeRule) -> CodeRule:
    if not code.code.meaning:
        raise ValueError(f"code {code.scheme}:{code.value} needs its meaning")
    return code


InsidePath = Annotated[str, AfterValidator(_inside)]
"""A path in the model's folder, with ``/`` between its parts."""

Bilingual = Annotated[dict[str, str], AfterValidator(_bilingual)]
"""A text by language; ``vi`` and ``en`` are required."""

CodedConcept = Annotated[CodeRule, BeforeValidator(_code), AfterValidator(_with_meaning)]
"""A code with its meaning, as a table or as ``"SCT:10200004 Liver"``."""
