"""Transfer syntaxes that are taken in, in the order in which they are preferred.

Deflated ones are absent on purpose: 800 KB may inflate to 800 MB (PS3.5 §A.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ennead.errors import UnusableObject

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """How a dataset's bytes are to be read (PS3.5 §10, Annex A)."""

    uid: str
    name: str
    implicit: bool = False
    big_endian: bool = False
    encapsulated: bool = True
    lossy: bool = False


def _table() -> Mapping[str, TransferSyntax]:
    jpeg = "1.2.840.10008.1.2.4."
    rows = [
        TransferSyntax(EXPLICIT_LITTLE, "Explicit VR Little Endian", encapsulated=False),
        TransferSyntax(
            IMPLICIT_LITTLE, "Implicit VR Little Endian", implicit=True, encapsulated=False
        ),
        TransferSyntax(f"{jpeg}80", "JPEG-LS Lossless"),
        TransferSyntax(f"{jpeg}90", "JPEG 2000 Lossless"),
        TransferSyntax(f"{jpeg}201", "High-Throughput JPEG 2000 Lossless"),
        TransferSyntax(f"{jpeg}202", "High-Throughput JPEG 2000 RPCL Lossless"),
        TransferSyntax(f"{jpeg}70", "JPEG Lossless SV1"),
        TransferSyntax(f"{jpeg}57", "JPEG Lossless"),
        TransferSyntax(f"{jpeg}110", "JPEG XL Lossless"),
        TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless"),
        TransferSyntax("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR LE"),
        TransferSyntax(EXPLICIT_BIG, "Explicit VR Big Endian", big_endian=True, encapsulated=False),
        TransferSyntax(f"{jpeg}50", "JPEG Baseline", lossy=True),
        TransferSyntax(f"{jpeg}51", "JPEG Extended", lossy=True),
        TransferSyntax(f"{jpeg}81", "JPEG-LS Near-Lossless", lossy=True),
        TransferSyntax(f"{jpeg}91", "JPEG 2000", lossy=True),
        TransferSyntax(f"{jpeg}203", "High-Throughput JPEG 2000", lossy=True),
        TransferSyntax(f"{jpeg}92", "JPEG 2000 Part 2 Lossless"),
        TransferSyntax(f"{jpeg}93", "JPEG 2000 Part 2", lossy=True),
        TransferSyntax(f"{jpeg}111", "JPEG XL JPEG Recompression", lossy=True),
        TransferSyntax(f"{jpeg}112", "JPEG XL", lossy=True),
    ]
    video = ["100", "101", "102", "103", "104", "105", "106"]
    rows += [TransferSyntax(f"{jpeg}{v}", "MPEG", lossy=True) for v in video]
    rows += [TransferSyntax(f"{jpeg}{v}.1", "MPEG, fragmentable", lossy=True) for v in video]
    rows += [TransferSyntax(f"{jpeg}{v}", "HEVC", lossy=True) for v in ("107", "108")]
    return MappingProxyType({row.uid: row for row in rows})


TRANSFER_SYNTAXES: Final = _table()


def transfer_syntax(uid: str) -> TransferSyntax:
    """The transfer syntax of that UID.

    Raises
    ------
    UnusableObject
        When it is not taken in; ``details["reason"]`` is 0xC122 (PS3.18 Table 10.5.3-1).
    """
    found = TRANSFER_SYNTAXES.get(uid)
    if found is None:
        raise UnusableObject(
            f"Transfer syntax {uid[:64]!r} is not taken in (deflated and referenced syntaxes are "
            "refused); send the object as Explicit VR Little Endian or another listed syntax.",
            reason=0xC122,
        )
    return found
