"""What bundles and nnU-Net folders state about themselves, as suggested answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ennead_models.wizard.labels import labels_of

_MODALITIES: Final = {"CT": "CT", "MR": "MR", "MRI": "MR", "PET": "PT", "PT": "PT", "US": "US"}
_LICENCES: Final = (
    (r"apache license,?\s+version 2\.0|apache-2\.0", "Apache-2.0"),
    (r"\bmit license\b", "MIT"),
    (r"cc[- ]by[- ]nc[- ]sa[- ]?4|attribution-noncommercial-sharealike 4", "CC-BY-NC-SA-4.0"),
    (r"cc[- ]by[- ]nc[- ]?4|attribution-noncommercial 4", "CC-BY-NC-4.0"),
    (r"cc[- ]by[- ]sa[- ]?4|attribution-sharealike 4", "CC-BY-SA-4.0"),
    (r"cc[- ]by[- ]?4|attribution 4\.0", "CC-BY-4.0"),
    (r"bsd 3-clause|redistribution and use in source and binary", "BSD-3-Clause"),
)


def licence_of(text: str) -> str:
    """The SPDX name of a licence's text, where it is one of the common ones; else ""."""
    plain = " ".join(text.lower().split())
    return next((name for pattern, name in _LICENCES if re.search(pattern, plain)), "")


def modality_of(text: str) -> list[str]:
    """DICOM modalities named in a text: ``MRI`` → ``MR``."""
    words = re.findall(r"[A-Z]+", text.upper())
    return sorted({_MODALITIES[word] for word in words if word in _MODALITIES})


def bundle_suggestions(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Answers that a bundle's ``metadata.json`` holds."""
    formats = data.get("network_data_format", {})
    given: Mapping[str, Any] = next(iter(formats.get("inputs", {}).values()), {})
    out: Mapping[str, Any] = next(iter(formats.get("outputs", {}).values()), {})
    channels = out.get("num_channels")
    names = {
        int(key): str(name)
        for key, name in out.get("channel_def", {}).items()
        if str(key).isdigit()
    }
    background = names.get(0, "background").lower() in ("background", "bg", "")
    found: dict[str, Any] = {
        "title_en": str(data.get("name") or data.get("task") or "")[:64],
        "summary_en": str(data.get("intended_use") or data.get("description") or ""),
        "modality": modality_of(str(given.get("modality", ""))),
        "output_channels": channels,
        "input_channels": given.get("num_channels"),
        "trained_on": str(data.get("data_source", "")),
        "reported": _metrics(data.get("eval_metrics", {})),
        "owners": [str(data["authors"])] if data.get("authors") else [],
        "references": [str(r) for r in data.get("references", [])],
    }
    version = re.match(r"\d+\.\d+\.\d+", str(data.get("version", "")))
    found["version"] = version.group() if version else ""
    if background:
        found["kind"] = "labels"
        found["labels"] = labels_of({value: name for value, name in names.items() if value > 0})
    else:
        found |= {"kind": "probability", "activation": "none"}
        found["labels"] = labels_of({value + 1: name for value, name in names.items()})
    for file in ("LICENSE", "LICENSE.txt", "docs/LICENSE"):
        if (folder / file).is_file():
            text = (folder / file).read_text(encoding="utf-8", errors="replace")
            found |= {"licence": licence_of(text), "licence_text": text}
            break
    return found


def nnunet_suggestions(plans: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Answers that ``plans.json`` and ``dataset.json`` hold."""
    labels = {
        int(value): str(name)
        for name, value in dataset.get("labels", {}).items()
        if isinstance(value, int) and value > 0 and name != "ignore"
    }
    name = str(dataset.get("name") or plans.get("dataset_name", ""))
    channels = " ".join(str(c) for c in dataset.get("channel_names", {}).values())
    regions = any(isinstance(value, list) for value in dataset.get("labels", {}).values())
    reorients = plans.get("image_reader_writer") == "NibabelIOWithReorient"
    return {
        "title_en": re.sub(r"^Dataset\d+_", "", name).replace("_", " ")[:64],
        "summary_en": str(dataset.get("description", "")),
        "modality": modality_of(channels),
        "orientation": "SAR" if reorients else "SPL",
        "kind": "labels",
        "output_channels": None if regions else len(labels) + 1,
        "labels": labels_of(labels),
        "licence": licence_of(str(dataset.get("licence") or dataset.get("license") or "")),
        "trained_on": _training(dataset),
        "references": [str(dataset["reference"])] if dataset.get("reference") else [],
    }


def _training(dataset: Mapping[str, Any]) -> str:
    count = dataset.get("numTraining")
    return f"{count} cases (dataset.json)" if count else ""


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    """Figures that the bundle reports; it does not say of how many cases."""
    return [
        f"{name} {value:.4g} (reported in the bundle; cases not stated)"
        for name, value in metrics.items()
        if isinstance(value, int | float)
    ]
