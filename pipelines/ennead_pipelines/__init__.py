"""ennead_pipelines."""
