"""This room's branch of the schema (label ``pipelines``)."""
