"""Jobs that another system works on (UPS-RS): a lease like any other, with its name in the owner.

Our workers leave such a job alone until the lease runs out; then they take it as they would from
a worker that died.
"""

from __future__ import annotations

from typing import Final

_PREFIX: Final = "ups:"


def external_owner(transaction_digest: str, name: str) -> str:
    """The lease owner of a claim.

    Parameters
    ----------
    transaction_digest : str
        Digest of the Transaction UID, which only the claiming system knows.
    """
    return f"{_PREFIX}{transaction_digest}/{name}"[:120]


def external_name(lease_owner: str) -> str | None:
    """Who claimed the job, or None when no other system did.

    Examples
    --------
    >>> external_name("ups:8f14/AI_BOX"), external_name("host:1:0/ab12")
    ('AI_BOX', None)
    """
    if not lease_owner.startswith(_PREFIX):
        return None
    return lease_owner.partition("/")[2]
