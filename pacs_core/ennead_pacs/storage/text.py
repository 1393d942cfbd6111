"""Header text as the index keeps it: decoded by SpecificCharacterSet, NFC, without padding.

The object itself is never touched. What its character set cannot explain is read as well as
possible and flagged (PS3.3 §C.12.1.1.2, PS3.5 §6.1).
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = b"\x1b"
_DELIMITERS = re.compile(rb"([\\^=\r\n\t\f])")


class Decoder:
    """Decodes the text values of one dataset.

    Parameters
    ----------
    character_set : bytes
        Value of SpecificCharacterSet (0008,0005), possibly empty.

    Attributes
    ----------
    suspect : bool
        Some value did not fit the character set ("sai bảng mã").
    """

    def __init__(self, character_set: bytes) -> None:
        from pydicom.charset import python_encoding

        self.suspect = False
        names = [n.strip(b" \0").decode("ascii", "replace") for n in character_set.split(b"\\")]
        self._declared = bool(names[0]) or len(names) > 1
        self._extended = len(names) > 1
        encodings: list[str] = []
        for name in names:
            encoding = python_encoding.get(name)
            if encoding is None:
                self.suspect = True
            encodings.append(encoding or "latin_1")
        self._first = encodings[0] if names[0] not in ("", "ISO_IR 6") else "ascii"
        if self._extended and self._first == "ascii":
            self._first = "latin_1"

    def text(self, value: bytes) -> str:
        """``value`` as NFC text without padding and without NUL."""
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii").replace("\0", "").strip()
        if self._extended and _ESCAPE in value:
            parts = _DELIMITERS.split(value)
            decoded = "".join(self._with_escapes(part) for part in parts)
        else:
            decoded = self._decode(value, self._first)
        return unicodedata.normalize("NFC", decoded).replace("\0", "").strip()

    def _with_escapes(self, part: bytes) -> str:
        from pydicom.charset import CODES_TO_ENCODINGS

        first, *fragments = part.split(_ESCAPE)
        decoded = self._decode(first, self._first)
        for fragment in fragments:
            for length in (2, 3):
                encoding = CODES_TO_ENCODINGS.get(_ESCAPE + fragment[:length])
                if encoding is None:
                    continue
                if encoding in ("iso2022_jp", "iso2022_jp_2"):  # their codecs want the escape
                    decoded += self._decode(_ESCAPE + fragment, encoding)
                else:
                    decoded += self._decode(fragment[length:], encoding)
                break
            else:
                self.suspect = True
                decoded += fragment.decode("latin_1")
        return decoded

    def _decode(self, value: bytes, encoding: str) -> str:
        try:
            return value.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            self.suspect = True
        try:
            return value.decode("utf-8")  # what senders that declare nothing mostly mean
        except UnicodeDecodeError:
            return value.decode(encoding if self._declared else "latin_1", "replace")
