"""UIDs as types, and the UIDs that Ennead derives.

A result's UID is a function of what it was computed from, so that computing it again finds it
instead of storing it twice (docs/adr/0005-identity-of-results.md).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from typing import NewType

from ennead.errors import InvalidUID

StudyUID = NewType("StudyUID", str)
SeriesUID = NewType("SeriesUID", str)
InstanceUID = NewType("InstanceUID", str)
SOPClassUID = NewType("SOPClassUID", str)
TransferSyntaxUID = NewType("TransferSyntaxUID", str)
FrameOfReferenceUID = NewType("FrameOfReferenceUID", str)
TrackingUID = NewType("TrackingUID", str)
PatientID = NewType("PatientID", str)
AccessionNumber = NewType("AccessionNumber", str)
PackageID = NewType("PackageID", str)
JobID = NewType("JobID", str)
FindingID = NewType("FindingID", str)

_UID = re.compile(r"[0-9.]{1,64}")


def check_uid(value: str, what: str = "UID") -> str:
    """Return ``value`` when it may serve as a UID.

    Raises
    ------
    InvalidUID
        When it is not 1–64 characters of digits and dots (PS3.5 §9.1; components with leading
        zeros are tolerated, since real archives hold them).
    """
    if not _UID.fullmatch(value):
        raise InvalidUID(
            f"{what} must be 1 to 64 characters of digits and dots (PS3.5 §9.1); got "
            f"{value[:80]!r}. Ask the sender to correct it.",
            value=value[:80],
        )
    return value


def derive_uid(role: str, *fields: str | Iterable[str]) -> str:
    """A ``2.25.`` UID that is a function of its arguments.

    Parameters
    ----------
    role : str
        What the UID names: ``series.seg``, ``instance.seg``, ``instance.sr``, ``tracking`` …
    fields : str or iterable of str
        The identity, in order. An iterable is sorted and length-prefixed as one field.

    Returns
    -------
    str
        At most 44 characters; the 128 bits are SHA-256 with UUID version 8 and variant set.

    Notes
    -----
    PS3.5 §B.2 (UUID-derived UIDs). Fields are length-prefixed, so ``["ab"]`` and ``["a", "b"]``
    differ. No time, host or device enters.
    """
    digest = hashlib.sha256()
    for field in ("ennead/1", role, *fields):
        digest.update(_canonical(field))
    number = bytearray(digest.digest()[:16])
    number[6] = (number[6] & 0x0F) | 0x80
    number[8] = (number[8] & 0x3F) | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(number)).int}"


def _canonical(field: str | Iterable[str]) -> bytes:
    if isinstance(field, str):
        data = field.encode()
    else:
        data = b"".join(_canonical(item) for item in sorted(field))
    return str(len(data)).encode() + b":" + data
