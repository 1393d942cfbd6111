"""What the outputs of a model are called when it runs as a package."""

from __future__ import annotations

import hashlib

_LONGEST = 31


def volume_id(label_id: str) -> str:
    """The output id of a label's volume.

    Examples
    --------
    >>> volume_id("liver")
    'liver_volume'
    """
    return _with_suffix(label_id, "_volume")


def score_id(label_id: str) -> str:
    """The output id of a class's score.

    Examples
    --------
    >>> score_id("pneumothorax")
    'pneumothorax_score'
    """
    return _with_suffix(label_id, "_score")


def _with_suffix(label_id: str, suffix: str) -> str:
    if len(label_id) + len(suffix) <= _LONGEST:
        return label_id + suffix
    mark = "_" + hashlib.sha256(label_id.encode()).hexdigest()[:4]
    return label_id[: _LONGEST - len(suffix) - len(mark)] + mark + suffix
