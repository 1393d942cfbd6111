"""Lung volume and densitometry on chest CT; see README.md and package.toml.

Nothing is imported here: the platform reads the manifest without running this package.
"""
