"""Who may associate: AE titles, identities, limits (PS3.8 Table 9-21)."""

from __future__ import annotations

from ennead.security import Principal, Role
from ennead_pacs.dimse.node import Node
from ennead_pacs.dimse.pdu import AssociateRequest, Rejected, UserIdentity

_USERNAME_AND_PASSCODE, _JWT = 2, 5


def admit(node: Node, request: AssociateRequest, address: str) -> Principal:
    """The principal behind the request.

    A verified identity stands for itself; without one the calling AE title must be known.

    Raises
    ------
    Rejected
        With the result, source and reason of the A-ASSOCIATE-RJ.
    """
    settings = node.settings.dicom
    calling = _title(request.calling)
    if calling is None:
        raise Rejected(1, 1, 3, "calling AE title is not 1 to 16 printable characters")
    called = _title(request.called)
    if called is None or not (settings.accept_any_ae or called == settings.ae_title):
        raise Rejected(1, 1, 7, "called AE title is not ours")
    if request.identity is not None:
        return _identified(node, request.identity, address)
    if not settings.accept_any_ae and calling not in settings.known_ae_titles:
        raise Rejected(1, 1, 3, "calling AE title is not known (dicom.known_ae_titles)")
    return Principal(calling, calling, frozenset({Role.DEVICE}), kind="ae", address=address)


def shown(title: bytes) -> str:
    """An AE title for logs and audit, escaped."""
    return title.decode("ascii", "backslashreplace").strip(" \0").encode("unicode_escape").decode()


def _title(raw: bytes) -> str | None:
    text = raw.rstrip(b"\0")
    if any(c < 0x20 or c > 0x7E or c == 0x5C for c in text):
        return None
    return text.decode("ascii").strip() or None


def _identified(node: Node, identity: UserIdentity, address: str) -> Principal:
    secret = {_USERNAME_AND_PASSCODE: identity.secondary, _JWT: identity.primary}.get(identity.type)
    found: Principal | None = None
    if secret:
        found = node.authenticator.resolve("bearer", secret.decode("utf-8", "replace"))
    if found is None:
        raise Rejected(1, 1, 1, "the user identity is not valid")
    return Principal(found.name, found.display_name, found.roles, found.kind, address)
