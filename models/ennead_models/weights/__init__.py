"""Weights: kept by SHA-256, fetched only when told to, packed and unpacked safely."""

from ennead_models.weights.archive import pack_folder
from ennead_models.weights.fetch import fetch_weights
from ennead_models.weights.store import WeightsProgress, WeightsStore, sha256_of

__all__ = ["WeightsProgress", "WeightsStore", "fetch_weights", "pack_folder", "sha256_of"]
