"""Cheap looks at a handful of slices before a run: whether they are what the header says.

Reads a few decoded slices. Writes nothing. Each probe answers with numbers that show why, or
``unknown``: it never guesses.
"""
