"""The published JSON Schema says what the manifest reader says."""

import json
import tomllib
from pathlib import Path

import pytest

from ennead.plugins.schema import schema_text

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(schema_text())
MANIFESTS = sorted(
    [
        *ROOT.glob("packages/*/ennead_*/package.toml"),
        *ROOT.glob("examples/*/ennead_*/package.toml"),
        *ROOT.glob("platform/ennead/testing/*/package.toml"),
    ]
)


def test_it_is_the_published_one() -> None:
    assert (ROOT / "docs/reference/package.schema.json").read_text() == schema_text()


def resolve(node: dict) -> dict:
    while "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def problems(value: object, node: dict, where: str = "") -> list[str]:
    """What a small validator finds: unknown keys, missing keys, values that are none of an enum."""
    node = resolve(node)
    if "anyOf" in node:
        found = [problems(value, each, where) for each in node["anyOf"]]
        return [] if any(not each for each in found) else found[0]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float)}
    kind = kinds.get(node.get("type", ""))
    if kind is not None and not isinstance(value, kind):
        return [f"{where} is no {node['type']}"]
    if "enum" in node and value not in node["enum"]:
        return [f"{where}: {value!r} is none of {node['enum']}"]
    found = []
    if isinstance(value, dict) and node.get("properties"):
        known = node["properties"]
        found += [f"{where}.{k} is unknown" for k in value if k not in known]
        found += [f"{where}.{k} is missing" for k in node.get("required", ()) if k not in value]
        for key, each in value.items():
            found += problems(each, known.get(key, {}), f"{where}.{key}")
    elif isinstance(value, dict) and isinstance(node.get("additionalProperties"), dict):
        for key, each in value.items():
            found += problems(each, node["additionalProperties"], f"{where}.{key}")
    elif isinstance(value, list) and "items" in node:
        for number, each in enumerate(value):
            found += problems(each, node["items"], f"{where}[{number}]")
    return found


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_manifest_here_keeps_it(file: Path) -> None:
    assert problems(tomllib.loads(file.read_text()), SCHEMA) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "colour is unknown"),
        ({"quality": "platinum"}, "platinum"),
        ({"input": [{"name": "ct", "probe": [{"id": "x", "kind": "smell"}]}]}, "smell"),
        ({"schema": 2}, "const"),
    ],
)
def test_it_refuses_what_the_reader_refuses(change: dict, said: str) -> None:
    manifest = tomllib.loads(MANIFESTS[0].read_text()) | change
    if said == "const":
        assert resolve(SCHEMA["properties"]["schema"])["const"] == 1
        return
    assert any(said in each for each in problems(manifest, SCHEMA))
