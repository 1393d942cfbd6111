"""``model.toml``: what a network is, needs, gives, and may claim. Reading it imports no network."""

from ennead_models.manifest.model import ModelManifest, ModelUse, RunnerOptions, Weights
from ennead_models.manifest.parts import (
    Channel,
    Evidence,
    EvidenceTest,
    ModelInput,
    ModelLabel,
    ModelOutput,
    Reference,
    Resources,
    Threshold,
    Tolerance,
)
from ennead_models.manifest.read import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    model_digest,
    parse_model,
    read_model,
)

__all__ = [
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Channel",
    "Evidence",
    "EvidenceTest",
    "ModelInput",
    "ModelLabel",
    "ModelManifest",
    "ModelOutput",
    "ModelUse",
    "Reference",
    "Resources",
    "RunnerOptions",
    "Threshold",
    "Tolerance",
    "Weights",
    "model_digest",
    "parse_model",
    "read_model",
]
