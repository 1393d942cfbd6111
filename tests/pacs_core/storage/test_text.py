"""Character sets: what the object says is what the index holds, or it is flagged."""

from __future__ import annotations

import unicodedata

import pytest

from ennead_pacs.storage.text import Decoder


@pytest.mark.parametrize(
    ("character_set", "raw", "expected"),
    [
        (b"", b"DANG^ANH ", "DANG^ANH"),
        (b"ISO_IR 192", "Đặng^Ánh".encode(), "Đặng^Ánh"),
        (b"ISO_IR 192", unicodedata.normalize("NFD", "Đặng^Ánh").encode(), "Đặng^Ánh"),
        (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (b"ISO_IR 144", b"\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3", "Люкceмбypг"),
        (b"GB18030", "王^小东".encode("gb18030"), "王^小东"),
        # PS3.5 §H.3.1: JIS X 0208 by escape, the delimiters in ASCII.
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        # PS3.5 §I.2: Korean in G1.
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong^Gildong=洪^吉洞",
        ),
    ],
)
def test_decoded_as_declared(character_set: bytes, raw: bytes, expected: str) -> None:
    decoder = Decoder(character_set)
    assert decoder.text(raw) == expected
    assert not decoder.suspect


@pytest.mark.parametrize(
    ("character_set", "raw", "expected"),
    [
        (b"", "Đặng".encode(), "Đặng"),  # nothing declared, yet plainly UTF-8
        (b"ISO_IR 192", b"Ng\xf4", "Ng�"),
        (b"ISO_IR 999", b"J\xe9", "Jé"),
    ],
)
def test_what_does_not_fit_is_flagged(character_set: bytes, raw: bytes, expected: str) -> None:
    decoder = Decoder(character_set)
    assert decoder.text(raw) == expected
    assert decoder.suspect


def test_nul_and_padding_never_reach_the_index() -> None:
    assert Decoder(b"").text(b" A\0B \0") == "AB"
