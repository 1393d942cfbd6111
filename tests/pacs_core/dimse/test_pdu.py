"""Association requests: legal ones are read as pynetdicom wrote them, others are refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

from ennead_pacs.dimse import pdu
from ennead_pacs.dimse.negotiation import negotiate

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"


def primitive(
    contexts: list[tuple[str, list[str]]], role: bool = False, identity: bool = False
) -> A_ASSOCIATE:
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = "PEER", "ENNEAD"
    longest, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    longest.maximum_length_received = 32768
    implementation.implementation_class_uid = "1.2.3.4"
    request.user_information = [longest, implementation]
    if role:
        selection = SCP_SCU_RoleSelectionNegotiation()
        selection.sop_class_uid, selection.scu_role, selection.scp_role = CT, False, True
        request.user_information.append(selection)
    if identity:
        user = UserIdentityNegotiation()
        user.user_identity_type, user.primary_field, user.secondary_field = 2, b"me", b"secret"
        request.user_information.append(user)
    proposed = []
    for position, (abstract, transfers) in enumerate(contexts):
        context = PresentationContext()
        context.context_id, context.abstract_syntax = 2 * position + 1, abstract
        context.transfer_syntax = transfers
        proposed.append(context)
    request.presentation_context_definition_list = proposed
    return request


def written(*arguments: Any, **options: Any) -> bytes:
    encoder = A_ASSOCIATE_RQ()
    encoder.from_primitive(primitive(*arguments, **options))
    return encoder.encode()


def test_read_as_written() -> None:
    body = written([(CT, [EXPLICIT, JPEG]), ("1.2.840.10008.1.1", [IMPLICIT])], True, True)
    request = pdu.decode_request(memoryview(body)[6:])
    assert [(c.id, c.abstract_syntax, c.transfer_syntaxes) for c in request.contexts] == [
        (1, CT, (EXPLICIT, JPEG)),
        (3, "1.2.840.10008.1.1", (IMPLICIT,)),
    ]
    assert request.maximum_length == 32768
    assert request.roles == {CT: (False, True)}
    assert request.identity is not None
    assert (request.identity.primary, request.identity.secondary) == (b"me", b"secret")
    assert "secret" not in repr(request)


def test_answer_is_read_by_pynetdicom() -> None:
    proposals = [
        (CT, [JPEG, JPEG_LOSSLESS, IMPLICIT]),
        (CT, [JPEG]),
        (CT, [DEFLATED]),
        ("1.2.840.10008.5.1.4.1.1.66.7", [EXPLICIT]),
        ("1.2.3.4.5", [EXPLICIT]),
    ]
    request = pdu.decode_request(memoryview(written(proposals, True))[6:])
    negotiated = negotiate(request)
    answer = A_ASSOCIATE_AC()
    answer.decode(
        pdu.encode_accept(
            request,
            negotiated.answers,
            maximum_length=262144,
            implementation_class_uid="1.2.3",
            implementation_version="X",
            roles=negotiated.roles,
        )
    )
    results = [(c.context_id, c.result, c.transfer_syntax) for c in answer.presentation_context]
    assert results == [
        (1, 0, IMPLICIT),
        (3, 0, JPEG),
        (5, 4, DEFLATED),
        (7, 0, EXPLICIT),
        (9, 3, EXPLICIT),
    ]
    roles = answer.user_information.role_selection
    assert (roles[CT].scu_role, roles[CT].scp_role) == (False, True)
    assert all(c.to_peer for c in negotiated.contexts.values() if c.abstract_syntax == CT)


def test_the_largest_legal_request_is_accepted_quickly() -> None:
    transfers = [f"1.2.840.10008.1.2.4.{n}" for n in range(60)]
    body = written([(CT, transfers)] * 128)
    started = time.perf_counter()
    request = pdu.decode_request(memoryview(body)[6:])
    negotiate(request)
    assert time.perf_counter() - started < 0.5
    assert len(request.contexts) == 128


@pytest.mark.parametrize(
    "make",
    [
        lambda w: w.associate(w.context(2, CT, EXPLICIT)),
        lambda w: w.associate(w.context(1, CT, EXPLICIT), w.context(1, CT, EXPLICIT)),
        lambda w: w.associate(*(w.context(1, CT, EXPLICIT) for _ in range(200))),
        lambda w: w.associate(w.context(1, CT, *[EXPLICIT] * 70)),
        lambda w: w.associate(w.context(1, CT)),
        lambda w: w.associate(w.context(1, "1.2/../3", EXPLICIT)),
        lambda w: w.associate(w.context(1, "1" * 65, EXPLICIT)),
        lambda w: w.associate(user=w.item(0x5F, b"") * 16_000),
        lambda w: w.associate(w.item(0x99, b"abc")),
        lambda w: w.associate(user=w.item(0x54, b"\xff\xff12")),
        lambda w: w.associate(w.context(1, CT, EXPLICIT))[:-9],
    ],
)
def test_requests_that_break_rules_are_aborted(make: Callable[[Any], bytes], wire: Any) -> None:
    started = time.perf_counter()
    with pytest.raises(pdu.Aborted) as caught:
        pdu.decode_request(memoryview(make(wire))[6:])
    assert caught.value.reason == pdu.INVALID_PARAMETER
    assert time.perf_counter() - started < 0.1


def test_a_huge_identity_is_rejected(wire: Any) -> None:
    item = wire.item(0x58, b"\x02\x00" + (9000).to_bytes(2, "big") + bytes(9000) + bytes(2))
    with pytest.raises(pdu.Rejected) as caught:
        pdu.decode_request(memoryview(wire.associate(user=item))[6:])
    assert caught.value.triple == (1, 1, 1)


@given(data=st.binary(max_size=600), cut=st.integers(0, 300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_an_answer(data: bytes, cut: int) -> None:
    body = written([(CT, [EXPLICIT])])[6:]
    for candidate in (data, body[:cut] + data, body[: 68 + cut % 80] + data):
        try:
            pdu.decode_request(memoryview(candidate))
        except (pdu.Aborted, pdu.Rejected):
            continue
