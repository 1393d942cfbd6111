"""Protocol data units of the upper layer (PS3.8 §9.3), read strictly and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
KNOWN_TYPES: Final = frozenset(range(1, 8))

# A-ABORT reasons of the service provider (PS3.8 Table 9-26).
NOT_SPECIFIED, UNRECOGNISED_PDU, UNEXPECTED_PDU = 0, 1, 2
INVALID_PARAMETER: Final = 6

APPLICATION_CONTEXT: Final = b"1.2.840.10008.3.1.1.1"
_ITEM = Struct(">BxH").unpack_from
_CONTEXTS: Final = 128
_SYNTAXES: Final = 64
_USER_ITEMS: Final = 512
_IDENTITY_LIMIT: Final = 8 * 1024


class Aborted(Exception):
    """The association must end with A-ABORT; ``reason`` None when the peer ended it already."""

    def __init__(self, reason: int | None, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why


class Rejected(Exception):
    """The association request is answered A-ASSOCIATE-RJ."""

    def __init__(self, result: int, source: int, reason: int, why: str) -> None:
        super().__init__(why)
        self.triple = (result, source, reason)
        self.why = why


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context of a request."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User Identity Negotiation (PS3.7 §D.3.3.7)."""

    type: int
    response_requested: bool
    primary: bytes = field(repr=False)
    secondary: bytes = field(repr=False)


@dataclass(slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ."""

    called: bytes
    calling: bytes
    contexts: list[ProposedContext] = field(default_factory=list)
    maximum_length: int = 16384
    implementation_class_uid: str = ""
    implementation_version: str = ""
    # SOP class → (SCU role, SCP role) proposed for the requestor.
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    identity: UserIdentity | None = None


@dataclass(frozen=True, slots=True)
class ContextAnswer:
    """One presentation context of an answer: ``result`` 0 accepts (PS3.8 Table 9-18)."""

    id: int
    result: int
    abstract_syntax: str
    transfer_syntax: str


def decode_request(body: memoryview) -> AssociateRequest:
    """The variable part of an A-ASSOCIATE-RQ, without its six-byte header.

    Raises
    ------
    Aborted
        A length, count or presentation context id breaks the rules (reason 6).
    Rejected
        The protocol version or the application context is not supported.
    """
    if len(body) < 68:
        raise Aborted(INVALID_PARAMETER, f"association request of {len(body)} bytes")
    request = AssociateRequest(bytes(body[4:20]), bytes(body[20:36]))
    application = b""
    seen_user = False
    for kind, item in _items(body[68:], _CONTEXTS + 4):
        if kind == 0x10:
            application = bytes(item)
        elif kind == 0x20:
            _context(request, item)
        elif kind == 0x50 and not seen_user:
            seen_user = True
            _user_information(request, item)
        else:
            raise Aborted(INVALID_PARAMETER, f"item of type {kind:#x} in an association request")
    if not int.from_bytes(body[0:2], "big") & 1:
        raise Rejected(1, 2, 2, "protocol version not supported")
    if application.rstrip(b"\0") != APPLICATION_CONTEXT:
        raise Rejected(1, 1, 2, "application context not supported")
    return request


def _items(data: memoryview, limit: int) -> list[tuple[int, memoryview]]:
    found: list[tuple[int, memoryview]] = []
    offset, size = 0, len(data)
    while offset < size:
        if offset + 4 > size:
            raise Aborted(INVALID_PARAMETER, "a truncated item")
        kind, length = _ITEM(data, offset)
        end = offset + 4 + length
        if end > size:
            raise Aborted(INVALID_PARAMETER, f"an item of {length} bytes passes its container")
        found.append((kind, data[offset + 4 : end]))
        if len(found) > limit:
            raise Aborted(INVALID_PARAMETER, f"more than {limit} items")
        offset = end
    return found


def _uid(data: memoryview) -> str:
    raw = bytes(data).rstrip(b"\0 ")
    if not 1 <= len(raw) <= 64 or raw.strip(b"0123456789."):
        raise Aborted(INVALID_PARAMETER, "a UID that is not 1 to 64 digits and dots")
    return raw.decode("ascii")


def _context(request: AssociateRequest, item: memoryview) -> None:
    if len(item) < 4:
        raise Aborted(INVALID_PARAMETER, "a truncated presentation context")
    identifier = item[0]
    if identifier % 2 == 0 or any(c.id == identifier for c in request.contexts):
        raise Aborted(INVALID_PARAMETER, f"presentation context id {identifier}")
    if len(request.contexts) >= _CONTEXTS:
        raise Aborted(INVALID_PARAMETER, f"more than {_CONTEXTS} presentation contexts")
    abstract, transfers = "", []
    for kind, sub in _items(item[4:], _SYNTAXES + 1):
        if kind == 0x30 and not abstract:
            abstract = _uid(sub)
        elif kind == 0x40:
            transfers.append(_uid(sub))
        else:
            raise Aborted(INVALID_PARAMETER, f"item of type {kind:#x} in a presentation context")
    if not abstract or not transfers:
        raise Aborted(INVALID_PARAMETER, "a presentation context without syntaxes")
    request.contexts.append(ProposedContext(identifier, abstract, tuple(transfers)))


def _user_information(request: AssociateRequest, data: memoryview) -> None:
    for kind, item in _items(data, _USER_ITEMS):
        if kind == 0x51:
            if len(item) != 4:
                raise Aborted(INVALID_PARAMETER, "a maximum length item that is not 4 bytes")
            request.maximum_length = int.from_bytes(item, "big")
        elif kind == 0x52:
            request.implementation_class_uid = _uid(item)
        elif kind == 0x55:
            request.implementation_version = bytes(item[:16]).decode("ascii", "replace")
        elif kind == 0x54:
            length = int.from_bytes(item[:2], "big")
            if len(item) != length + 4:
                raise Aborted(INVALID_PARAMETER, "a truncated role selection")
            roles = (bool(item[length + 2]), bool(item[length + 3]))
            request.roles[_uid(item[2 : 2 + length])] = roles
        elif kind == 0x58:
            request.identity = _identity(item)


def _identity(item: memoryview) -> UserIdentity:
    if len(item) > _IDENTITY_LIMIT:
        raise Rejected(1, 1, 1, f"a user identity of {len(item)} bytes")
    if len(item) < 6:
        raise Aborted(INVALID_PARAMETER, "a truncated user identity")
    first = int.from_bytes(item[2:4], "big")
    if len(item) < 6 + first:
        raise Aborted(INVALID_PARAMETER, "a truncated user identity")
    second = int.from_bytes(item[4 + first : 6 + first], "big")
    if len(item) != 6 + first + second:
        raise Aborted(INVALID_PARAMETER, "a truncated user identity")
    return UserIdentity(
        item[0], bool(item[1]), bytes(item[4 : 4 + first]), bytes(item[6 + first :])
    )


def _item(kind: int, data: bytes) -> bytes:
    return bytes((kind, 0)) + len(data).to_bytes(2, "big") + data


def encode_accept(
    request: AssociateRequest,
    answers: list[ContextAnswer],
    *,
    maximum_length: int,
    implementation_class_uid: str,
    implementation_version: str,
    roles: dict[str, tuple[bool, bool]],
) -> bytes:
    """A-ASSOCIATE-AC; AE titles are echoed as PS3.8 Table 9-17 wants."""
    body = [bytes((0, 1, 0, 0)), request.called, request.calling, bytes(32)]
    body.append(_item(0x10, APPLICATION_CONTEXT))
    for answer in answers:
        inner = bytes((answer.id, 0, answer.result, 0))
        body.append(_item(0x21, inner + _item(0x40, answer.transfer_syntax.encode())))
    user = _item(0x51, maximum_length.to_bytes(4, "big"))
    user += _item(0x52, implementation_class_uid.encode())
    for uid, (scu, scp) in roles.items():
        name = uid.encode()
        user += _item(0x54, len(name).to_bytes(2, "big") + name + bytes((scu, scp)))
    user += _item(0x55, implementation_version.encode())
    if request.identity is not None and request.identity.response_requested:
        user += _item(0x59, bytes(2))
    body.append(_item(0x50, user))
    return pdu(ASSOCIATE_AC, b"".join(body))


def pdu(kind: int, body: bytes) -> bytes:
    """A whole PDU."""
    return bytes((kind, 0)) + len(body).to_bytes(4, "big") + body


def reject(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""
    return pdu(ASSOCIATE_RJ, bytes((0, result, source, reason)))


def abort(reason: int) -> bytes:
    """A-ABORT by the service provider (PS3.8 Table 9-26)."""
    return pdu(ABORT, bytes((0, 0, 2, reason)))


RELEASE_RESPONSE: Final = pdu(RELEASE_RP, bytes(4))
