"""What makes two calls the same call: function, canonical inputs, thresholds, and the series."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ennead.identifiers import PackageID, StudyUID
from ennead.plugins import FunctionRule, Manifest
from ennead_pipelines.functions.series import ReadSeries
from ennead_pipelines.functions.values import canonical_text
from ennead_pipelines.jobs import JobIdentity, input_digest


def call_identity(
    study_uid: StudyUID,
    manifest: Manifest,
    manifest_digest: str,
    rule: FunctionRule,
    read: ReadSeries,
    inputs: Mapping[str, Any],
    thresholds: Mapping[str, float],
    models: Mapping[str, str],
) -> JobIdentity:
    """The identity of a call; its series and objects derive from it, so they are its own.

    Who asks and when is not in it: the same question finds the first answer.
    """
    said = {
        "function": rule.id,
        "inputs": dict(inputs),
        "thresholds": {name: repr(value) for name, value in thresholds.items()},
    }
    if models:
        said["models"] = dict(models)
    digest = hashlib.sha256(b"ennead/call/1\0" + canonical_text(said).encode()).hexdigest()
    return JobIdentity(
        study_uid,
        PackageID(manifest.id),
        manifest.version,
        manifest_digest,
        input_digest({rule.series: read.candidate}),
        f"sha256:{digest}",
    )
