"""Specialty packages, found by static manifest; nothing of theirs is imported here."""

from ennead.plugins.discovery import DiscoveredPackage, discover_packages, load_pipeline
from ennead.plugins.manifest import (
    FunctionInput,
    FunctionRule,
    InputRule,
    Manifest,
    OutputRule,
    ProbeRule,
    ThresholdRule,
    read_manifest,
)

__all__ = [
    "DiscoveredPackage",
    "FunctionInput",
    "FunctionRule",
    "InputRule",
    "Manifest",
    "OutputRule",
    "ProbeRule",
    "ThresholdRule",
    "discover_packages",
    "load_pipeline",
    "read_manifest",
]
