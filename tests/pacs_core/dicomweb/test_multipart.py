from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ennead.errors import InputError, LimitExceeded, UnsupportedMedia
from ennead_pacs.dicomweb.multipart import HEADER_LIMIT, MultipartParser, boundary_of


class Collected:
    def __init__(self) -> None:
        self.parts: list[tuple[dict[str, str], bytes]] = []
        self._headers: dict[str, str] = {}
        self._data = b""

    def begin_part(self, headers: dict[str, str]) -> None:
        self._headers, self._data = dict(headers), b""

    def part_data(self, data: memoryview) -> None:
        self._data += bytes(data)

    def end_part(self) -> None:
        self.parts.append((self._headers, self._data))


def parse(blocks: list[bytes], limit: int = 100) -> list[tuple[dict[str, str], bytes]]:
    receiver = Collected()
    parser = MultipartParser("b0und", receiver, limit)
    for block in blocks:
        parser.feed(block)
    parser.finish()
    return receiver.parts


def body_of(parts: list[bytes]) -> bytes:
    joined = b"".join(b"--b0und\r\nContent-Type: a/b\r\n\r\n" + part + b"\r\n" for part in parts)
    return joined + b"--b0und--\r\n"


@given(
    parts=st.lists(
        st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--b0un", b"\r\n--b0un", b"x", b"\0"])).map(
            b"".join
        ),
        min_size=1,
        max_size=5,
    ),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_parts_come_out_whole_however_the_body_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    body = body_of(parts)
    places = [0, *sorted(min(c, len(body)) for c in cuts), len(body)]
    blocks = [body[a:b] for a, b in pairwise(places)]
    assert [data for _, data in parse(blocks)] == parts


def test_bytewise_feeding_gives_headers_and_an_empty_part() -> None:
    body = b"ignored\r\n--b0und\r\n\r\n\r\n--b0und \r\nA: 1\r\nb:2\r\n\r\nxyz\r\n--b0und--trailer"
    found = parse([body[i : i + 1] for i in range(len(body))])
    assert found == [({}, b""), ({"a": "1", "b": "2"}, b"xyz")]


def test_a_body_without_its_end_is_refused_after_its_parts() -> None:
    receiver = Collected()
    parser = MultipartParser("b0und", receiver, 10)
    parser.feed(body_of([b"one", b"two"])[:-12])
    with pytest.raises(InputError, match="closing boundary"):
        parser.finish()
    assert [data for _, data in receiver.parts] == [b"one"]


def test_a_million_parts_stop_at_the_limit() -> None:
    parser = MultipartParser("b0und", Collected(), 50)
    with pytest.raises(LimitExceeded, match="at most 50 parts"):
        parser.feed(b"--b0und\r\n\r\n\r\n" * 1_000)
    assert parser.parts == 51


def test_an_endless_header_is_refused_within_its_limit() -> None:
    parser = MultipartParser("b0und", Collected(), 50)
    parser.feed(b"--b0und\r\n")
    with pytest.raises(LimitExceeded, match="16 KiB"):
        for _ in range(HEADER_LIMIT // 1000 + 1):
            parser.feed(b"X" * 1000)


def test_no_boundary_in_the_beginning_is_refused() -> None:
    parser = MultipartParser("b0und", Collected(), 50)
    with pytest.raises(InputError, match="first 64 KiB"):
        for _ in range(70):
            parser.feed(b"Y" * 1024)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ('multipart/related; type="application/dicom"; boundary=x', ("x", "application/dicom")),
        ("multipart/related; type=application/dicom; boundary=x", ("x", "application/dicom")),
        ('multipart/related; boundary="a b:c"', ("a b:c", "")),
    ],
)
def test_boundary_and_type_as_clients_write_them(
    content_type: str, expected: tuple[str, str]
) -> None:
    assert boundary_of(content_type) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        "multipart/related; boundary=" + "x" * 71,
        'multipart/related; boundary="é"',
    ],
)
def test_boundaries_that_break_the_rule_are_refused(content_type: str) -> None:
    with pytest.raises(InputError, match="boundary"):
        boundary_of(content_type)


def test_another_media_type_is_not_read() -> None:
    with pytest.raises(UnsupportedMedia, match="multipart/form-data"):
        boundary_of("multipart/form-data; boundary=x")
