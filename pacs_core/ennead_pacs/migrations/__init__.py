"""Alembic branch ``pacs``: the index."""
