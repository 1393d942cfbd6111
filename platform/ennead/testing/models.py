"""Small model manifests for tests, as the mapping that a ``model.toml`` holds."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_MANIFEST: dict[str, Any] = {
    "schema": 1,
    "id": "bright",
    "title": {"vi": "Vùng sáng", "en": "Bright region"},
    "version": "1.0.0",
    "runner": "onnx",
    "licence": "Apache-2.0",
    "intended_use": {
        "text": {"vi": "Chỉ dùng để kiểm thử.", "en": "For tests only."},
        "status": "research",
        "trained_on": "nothing: a threshold at 0 HU",
    },
    "weights": {"sha256": "0" * 64, "size_bytes": 1, "file": "weights.onnx"},
    "input": {
        "modality": ["CT"],
        "orientation": "RAS",
        "shape": ["n", "n", "n"],
        "channels": [{"name": "hu"}],
    },
    "output": {"kind": "labels", "channels": 2},
    "label": [
        {
            "value": 1,
            "id": "bright",
            "title": {"vi": "Vùng sáng", "en": "Bright region"},
            "type": "SCT:52101004 Present",
        }
    ],
    "resources": {"ram_gib": 1.0, "tile": [16, 16, 16], "overlap": 0.25},
    "reference": {"case": "reference/case01.npz"},
}


def model_data(**changes: Any) -> dict[str, Any]:
    """A valid ``model.toml`` as a mapping; ``section__key=value`` replaces one entry.

    A value of None removes the entry.
    """
    data = deepcopy(_MANIFEST)
    for name, value in changes.items():
        *parents, key = name.split("__")
        table: Any = data
        for parent in parents:
            table = table[int(parent)] if isinstance(table, list) else table.setdefault(parent, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return data
