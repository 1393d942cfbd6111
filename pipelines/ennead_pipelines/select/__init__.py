"""Which series fit a package, which do not and why: from headers alone, before anything is decoded.

Reads the archive's JSON headers and the manifests. Writes nothing. Refuses with a
:class:`~ennead.findings.RefusalCode`, a text key and the values people read.
"""

from ennead_pipelines.select.candidates import (
    OWN_SERIES_NUMBERS,
    Candidate,
    is_own_result,
    read_candidates,
)
from ennead_pipelines.select.match import (
    Choice,
    ChosenInput,
    Selection,
    Verdict,
    judge,
    match,
)
from ennead_pipelines.select.reasons import Reason
from ennead_pipelines.select.stack import Stack, stack_of

__all__ = [
    "OWN_SERIES_NUMBERS",
    "Candidate",
    "Choice",
    "ChosenInput",
    "Reason",
    "Selection",
    "Stack",
    "Verdict",
    "is_own_result",
    "judge",
    "match",
    "read_candidates",
    "stack_of",
]
