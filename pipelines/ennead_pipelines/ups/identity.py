"""Workitem UIDs, which are a function of the job and of how often it was put back."""

from __future__ import annotations

import hashlib
import re
from typing import Final

#: SOP classes (PS3.4 Table CC.3-1) and well-known instances (PS3.6 Table A-1).
UPS_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
UPS_EVENT: Final = "1.2.840.10008.5.1.4.34.6.4"
GLOBAL: Final = "1.2.840.10008.5.1.4.34.5"
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"

_OWN: Final = re.compile(r"2\.25\.([1-9]\d{0,38}|0)(?:\.([1-9]\d{0,8}))?")


def workitem_uid(job_id: str, generation: int) -> str:
    """The UID of a job's workitem.

    A job's id has 128 bits, as the number of a ``2.25.`` UID has (PS3.5 §B.2); later generations
    are arcs below it.

    Examples
    --------
    >>> workitem_uid("000000000000000000000000000000ff", 0)
    '2.25.255'
    >>> workitem_uid("000000000000000000000000000000ff", 2)
    '2.25.255.2'
    """
    uid = f"2.25.{int(job_id, 16)}"
    return f"{uid}.{generation}" if generation else uid


def job_of(uid: str) -> tuple[str, int] | None:
    """The job id and generation that a UID of ours names; None for any other UID.

    Examples
    --------
    >>> job_of("2.25.255.2")
    ('000000000000000000000000000000ff', 2)
    >>> job_of("1.2.3") is None
    True
    """
    found = _OWN.fullmatch(uid)
    if found is None or int(found[1]) >= 2**128:
        return None
    return f"{int(found[1]):032x}", int(found[2] or 0)


def transaction_digest(transaction_uid: str) -> str:
    """What is kept of a Transaction UID."""
    return hashlib.sha256(transaction_uid.encode()).hexdigest()[:32]
