"""Installed models that run in the pipelines like packages, without code of their own.

:mod:`~ennead_pipelines.networks.as_package` derives the manifest, ``pipeline`` does the work in a
Ray worker, ``lifecycle`` tells which version runs in which lane and for whom.
"""
