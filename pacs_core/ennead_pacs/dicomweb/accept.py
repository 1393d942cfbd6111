"""What a request accepts: Accept header, ``accept`` parameter, multipart types, transfer syntaxes.

PS3.18 §8.7 with the forms that viewers really send: quotes around ``type`` may be missing and the
transfer syntax may be ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fastapi import Request

from ennead.errors import NotAcceptable

DICOM: Final = "application/dicom"
JSON: Final = "application/dicom+json"
OCTETS: Final = "application/octet-stream"
MULTIPART: Final = "multipart/related"

_PART: Final = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PARAMETER: Final = re.compile(r';\s*([\w-]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;\s]*)')
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Acceptable:
    """One media range. For multipart, ``media_type`` is that of the parts."""

    media_type: str
    multipart: bool
    transfer_syntax: str
    quality: float = field(default=1.0, compare=False)

    def covers(self, media_type: str) -> bool:
        """Whether ``media_type`` falls into this range."""
        if self.media_type in ("*/*", media_type):
            return True
        kind, _, name = self.media_type.partition("/")
        return name == "*" and media_type.startswith(kind + "/")

    def allows(self, transfer_syntax_uid: str) -> bool:
        """Whether the transfer syntax is asked for or left open."""
        return self.transfer_syntax in ("", "*", transfer_syntax_uid)


def acceptable(request: Request) -> Sequence[Acceptable]:
    """The media ranges of a request, the most wanted first.

    The ``accept`` query parameter goes before the header (PS3.18 §8.3.3.1).

    Raises
    ------
    NotAcceptable
        The header is longer than 4 KiB.
    """
    parameter = ",".join(request.query_params.getlist("accept"))
    header = ",".join(request.headers.getlist("accept"))
    if len(parameter) + len(header) > _LONGEST:
        raise NotAcceptable(f"An Accept header has at most {_LONGEST} characters; send fewer.")
    return parse_accept(parameter or header)


@lru_cache(maxsize=256)
def parse_accept(value: str) -> Sequence[Acceptable]:
    """Media ranges by falling quality; nothing stated means everything.

    Examples
    --------
    >>> parse_accept('multipart/related; type="image/jls"; transfer-syntax=*')
    (Acceptable(media_type='image/jls', multipart=True, transfer_syntax='*', quality=1.0),)
    """
    found: list[Acceptable] = []
    for match in _PART.finditer(value):
        text = match.group().strip()
        name = text.split(";", 1)[0].strip().lower()
        if not name:
            continue
        parameters = {k.lower(): v.strip('"') for k, v in _PARAMETER.findall(text)}
        multipart = name == MULTIPART
        media_type = parameters.get("type", "*/*").lower() if multipart else name
        try:
            quality = float(parameters.get("q", 1))
        except ValueError:
            quality = 1.0
        if quality > 0:
            syntax = parameters.get("transfer-syntax", "")
            found.append(Acceptable(media_type, multipart, syntax, quality))
    if not found:
        return (Acceptable("*/*", False, ""),)
    return tuple(sorted(found, key=lambda a: -a.quality))


def choose(request: Request, offered: Sequence[str]) -> str:
    """The first offered single-part media type that the request accepts.

    Raises
    ------
    NotAcceptable
        None is accepted.
    """
    for wanted in acceptable(request):
        if not wanted.multipart:
            for media_type in offered:
                if wanted.covers(media_type):
                    return media_type
    raise nothing_fits(offered)


def choose_json(request: Request) -> str:
    """``application/dicom+json`` or ``application/json``.

    Raises
    ------
    NotAcceptable
        Neither; XML is not offered.
    """
    return choose(request, (JSON, "application/json"))


def nothing_fits(offered: Sequence[str]) -> NotAcceptable:
    """The 406 that names what there is."""
    return NotAcceptable(
        f"This resource comes as {', '.join(offered)} (PS3.18 §8.7); the Accept header allows "
        "none of them."
    )
