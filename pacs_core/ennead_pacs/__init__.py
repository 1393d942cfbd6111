"""ennead_pacs."""
