"""What a site decides about packages it did not write: rules, thresholds, certificates.

Rules and thresholds are evaluated when a study settles, from facts that the index holds. They are
kept in revisions, and may be tried on stored studies before they count (docs/reference/rules.md).
"""
