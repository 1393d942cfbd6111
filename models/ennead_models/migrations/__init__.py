"""Alembic branch ``models``."""
