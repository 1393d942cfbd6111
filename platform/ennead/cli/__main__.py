"""``python -m ennead.cli``."""

from ennead.cli import main

main()
