"""The JSON Schema of ``package.toml``, for editors and for people who write tools."""

from __future__ import annotations

import json

from ennead.plugins.manifest import Manifest

#: JSON Schema dialect that pydantic writes.
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The schema as indented JSON with a final newline; keys as written in TOML.

    What needs several keys at once (a requirement has exactly one test, outputs that are named must
    be declared) is checked when the manifest is read, and not said here.
    """
    schema = Manifest.model_json_schema(by_alias=True, mode="validation")
    head = {"$schema": DIALECT, **schema, "title": "package.toml"}
    return json.dumps(head, indent=2, ensure_ascii=False) + "\n"
