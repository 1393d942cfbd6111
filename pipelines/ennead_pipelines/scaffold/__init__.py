"""``ennead new package``: a package that works, to begin from."""
