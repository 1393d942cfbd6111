"""Checking what a package claims in its ``quality.toml``; one module for each family of rules."""

from ennead_pipelines.quality.check import Report, check_quality
from ennead_pipelines.quality.verdict import Verdict

__all__ = ["Report", "Verdict", "check_quality"]
