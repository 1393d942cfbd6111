"""The base of what a site may write down: frozen, nothing unknown."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SitePart(BaseModel):
    """Keys as written in JSON and TOML; attribute names are accepted too."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
    )
