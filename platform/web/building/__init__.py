"""Parts of ``build.py``."""
