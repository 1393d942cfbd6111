"""Runners: one file for each way a network is stored. Importing this loads no network library."""

from ennead_models.runners.open import RUNNERS, missing, open_model

__all__ = ["RUNNERS", "missing", "open_model"]
