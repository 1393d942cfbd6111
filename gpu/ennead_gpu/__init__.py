"""ennead_gpu."""
