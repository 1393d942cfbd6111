"""ennead_lung."""
