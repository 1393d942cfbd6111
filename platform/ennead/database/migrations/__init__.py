"""The floor's branch (label ``ennead``) and the environment that runs every owner's."""
