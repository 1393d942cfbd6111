"""A streaming parser of ``multipart/related`` bodies (RFC 2046 §5.1, RFC 2387).

It is fed blocks of any size and calls back; it never holds more than one delimiter and one header
block, whatever lengths the sender claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from enum import Enum
from typing import Final, Protocol

from ennead.errors import InputError, LimitExceeded, UnsupportedMedia

HEADER_LIMIT: Final = 16 * 1024
_PREAMBLE_LIMIT: Final = 64 * 1024
_BOUNDARY_CHARACTERS: Final = frozenset(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "
)


class PartReceiver(Protocol):
    """What is told of the parts."""

    def begin_part(self, headers: Mapping[str, str]) -> None:
        """A part begins; header names are lower-case."""
        ...

    def part_data(self, data: memoryview) -> None:
        """More of its body; valid during the call only."""
        ...

    def end_part(self) -> None:
        """The part is complete."""
        ...


class _State(Enum):
    PREAMBLE = 1
    AFTER_DELIMITER = 2
    HEADERS = 3
    BODY = 4
    EPILOGUE = 5


def boundary_of(content_type: str) -> tuple[str, str]:
    """Boundary and ``type`` parameter of a ``multipart/related`` Content-Type.

    Raises
    ------
    UnsupportedMedia
        It is another media type.
    InputError
        There is no boundary, or it breaks RFC 2046 §5.1.1.
    """
    message = Message()
    message["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")[:2048]
    if message.get_content_type() != "multipart/related":
        raise UnsupportedMedia(
            'Send multipart/related; type="application/dicom" (PS3.18 §10.5); this is '
            f"{message.get_content_type()}."
        )
    boundary = str(message.get_param("boundary") or "")
    if not 1 <= len(boundary) <= 70 or not set(boundary) <= _BOUNDARY_CHARACTERS:
        raise InputError(
            "The Content-Type of a multipart body names a boundary of 1 to 70 characters "
            "(RFC 2046 §5.1.1); this one does not."
        )
    kind = str(message.get_param("type") or "")
    # Unquoted values end at the slash for strict parsers; take them from the text.
    if kind and "/" not in kind:
        kind = content_type.partition("type=")[2].split(";")[0].strip(' "')
    return boundary.rstrip(" "), kind.lower()


class MultipartParser:
    """Feeds a :class:`PartReceiver`.

    Parameters
    ----------
    boundary : str
        From :func:`boundary_of`.
    receiver : PartReceiver
        Its exceptions pass through.
    parts_limit : int
        Most parts.
    """

    def __init__(self, boundary: str, receiver: PartReceiver, parts_limit: int) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._receiver = receiver
        self._parts_limit = parts_limit
        self._state = _State.PREAMBLE
        # The first delimiter may stand at the very beginning.
        self._held = b"\r\n"
        self._skipped = 0
        self._lead = 0
        self.parts = 0

    def feed(self, block: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        InputError
            The body breaks the grammar.
        LimitExceeded
            Too many parts, or a header block beyond 16 KiB.
        """
        data = self._held + block if self._held else block
        self._held = b""
        position: int | None = 0
        steps = {
            _State.PREAMBLE: self._until_delimiter,
            _State.BODY: self._until_delimiter,
            _State.AFTER_DELIMITER: self._after_delimiter,
            _State.HEADERS: self._headers,
        }
        while position is not None and self._state is not _State.EPILOGUE:
            position = steps[self._state](data, position)

    # Each step returns the position to go on from, or None after keeping what it must wait with.

    def _until_delimiter(self, data: bytes, position: int) -> int | None:
        found = data.find(self._delimiter, position)
        stop = found if found >= 0 else max(position, len(data) - len(self._delimiter) + 1)
        if self._state is _State.BODY:
            begin = min(position + self._lead, stop)
            self._lead -= begin - position
            if stop > begin:
                self._receiver.part_data(memoryview(data)[begin:stop])
            if found >= 0:
                self._receiver.end_part()
        else:
            self._skipped += stop - position
            if self._skipped > _PREAMBLE_LIMIT:
                raise InputError("No boundary in the first 64 KiB; is the Content-Type right?")
        if found < 0:
            self._held = data[stop:]
            return None
        self._state = _State.AFTER_DELIMITER
        return found + len(self._delimiter)

    def _after_delimiter(self, data: bytes, position: int) -> int | None:
        if data[position : position + 2] == b"--":
            self._state = _State.EPILOGUE
            return position + 2
        end = data.find(b"\r\n", position, position + 256)
        if end < 0:
            if len(data) - position >= 256:
                raise InputError("A boundary line ends with CR LF (RFC 2046 §5.1.1).")
            self._held = data[position:]
            return None
        if data[position:end].strip(b" \t"):
            raise InputError("A boundary line holds nothing but the boundary (RFC 2046 §5.1.1).")
        self.parts += 1
        if self.parts > self._parts_limit:
            raise LimitExceeded(
                f"One request holds at most {self._parts_limit} parts (http.stow_parts_limit); "
                "send the rest in another.",
                limit=self._parts_limit,
            )
        self._state = _State.HEADERS
        return end  # the line end before an empty header block may be this one

    def _headers(self, data: bytes, position: int) -> int | None:
        end = data.find(b"\r\n\r\n", position, position + HEADER_LIMIT)
        if end < 0:
            if len(data) - position >= HEADER_LIMIT:
                raise LimitExceeded("The header of a part has at most 16 KiB.", limit=HEADER_LIMIT)
            self._held = data[position:]
            return None
        headers: dict[str, str] = {}
        for line in data[position:end].decode("latin-1").split("\r\n"):
            name, colon, value = line.partition(":")
            if line and not colon:
                raise InputError("A part's header lines are name: value (RFC 2046 §5.1).")
            headers[name.strip().lower()] = value.strip()
        headers.pop("", None)
        self._receiver.begin_part(headers)
        self._state = _State.BODY
        # The blank line's end may already belong to the delimiter of an empty body.
        self._lead = 2
        return end + 2

    def finish(self) -> None:
        """The body has ended.

        Raises
        ------
        InputError
            Before its closing delimiter.
        """
        if self._state is not _State.EPILOGUE:
            raise InputError(
                "The body ended before its closing boundary (RFC 2046 §5.1.1); send it again. "
                "Parts that were complete are stored."
            )
