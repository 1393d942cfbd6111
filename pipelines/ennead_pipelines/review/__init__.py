"""A reader's decisions to DICOM: a verified successor report, and reports as plain values.

    review = encode_review(
        original_sr,              # first document of the chain (UNVERIFIED)
        decisions,                # every decision on its findings so far, oldest first
        previous_sr=latest,       # latest successor, None for the first review
        reader=principal, organisation=settings.portal.site_name, at=decided_at,
    )
    archive.store(review.sr, source="review")

The successor lies in the same series, names its direct predecessor, keeps the image library and
the evidence, and holds exactly the groups decided so far (``Completion Flag Description`` says how
many of how many; ``is_complete`` when all are). Its UID is a function of both documents, the
reader and the decisions: trying again with the same ``at`` gives the same bytes.
"""

from __future__ import annotations

from ennead_pipelines.review.decisions import REASONS, Decision, DecisionState
from ennead_pipelines.review.document import EncodedReview, encode_review
from ennead_pipelines.review.reading import MeasuredValue, MeasurementGroup, read_measurements

__all__ = [
    "REASONS",
    "Decision",
    "DecisionState",
    "EncodedReview",
    "MeasuredValue",
    "MeasurementGroup",
    "encode_review",
    "read_measurements",
]
