"""Which presentation contexts and roles are accepted (PS3.8 §9.3.3, PS3.7 §D.3.3.4)."""

from __future__ import annotations

from dataclasses import dataclass

from ennead_pacs.dimse.pdu import AssociateRequest, ContextAnswer
from ennead_pacs.dimse.sop_classes import storage_classes, supported_syntaxes

_ACCEPTED, _ABSTRACT_UNSUPPORTED, _TRANSFER_UNSUPPORTED = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context.

    ``to_peer`` tells that the peer takes C-STORE requests on it (it is SCP, for C-GET).
    """

    id: int
    abstract_syntax: str
    transfer_syntax: str
    to_peer: bool = False


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The outcome: answers for every proposed context, and what may be used."""

    answers: list[ContextAnswer]
    contexts: dict[int, Context]
    roles: dict[str, tuple[bool, bool]]


def negotiate(request: AssociateRequest) -> Negotiated:
    """Answer every proposed context.

    The transfer syntax is the first of our order of preference that the peer proposes, so that a
    lossless one wins over a lossy one.
    """
    roles = {
        uid: (scu, scp)
        for uid, (scu, scp) in request.roles.items()
        if uid in storage_classes() and (scu or scp)
    }
    answers: list[ContextAnswer] = []
    contexts: dict[int, Context] = {}
    for proposed in request.contexts:
        supported = supported_syntaxes(proposed.abstract_syntax)
        chosen = next((t for t in supported or () if t in proposed.transfer_syntaxes), None)
        if chosen is None:
            result = _ABSTRACT_UNSUPPORTED if supported is None else _TRANSFER_UNSUPPORTED
            refused = proposed.transfer_syntaxes[0]
            answers.append(ContextAnswer(proposed.id, result, proposed.abstract_syntax, refused))
            continue
        answers.append(ContextAnswer(proposed.id, _ACCEPTED, proposed.abstract_syntax, chosen))
        _, peer_is_scp = roles.get(proposed.abstract_syntax, (True, False))
        contexts[proposed.id] = Context(
            proposed.id, proposed.abstract_syntax, chosen, to_peer=peer_is_scp
        )
    return Negotiated(answers, contexts, roles)
