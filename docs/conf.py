"""Sphinx settings."""

project = "Ennead"
author = "The Ennead authors"
copyright = "The Ennead authors; Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Ennead"
html_static_path = ["pictures"]
nitpicky = False
