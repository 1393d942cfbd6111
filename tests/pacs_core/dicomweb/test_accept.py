from __future__ import annotations

import pytest

from ennead_pacs.dicomweb.accept import Acceptable, parse_accept


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", [Acceptable("*/*", False, "")]),
        # OHIF with omitQuotationForMultipartRequest
        (
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            [Acceptable("application/octet-stream", True, "*")],
        ),
        # dicomweb-client
        (
            'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80, '
            'multipart/related; type="image/jp2"',
            [
                Acceptable("image/jls", True, "1.2.840.10008.1.2.4.80"),
                Acceptable("image/jp2", True, ""),
            ],
        ),
        # by quality; what is worth nothing is left out
        (
            "image/png;q=0.5, image/jpeg, text/html;q=0",
            [Acceptable("image/jpeg", False, ""), Acceptable("image/png", False, "")],
        ),
        # a comma inside quotes separates nothing
        (
            'application/dicom; note="a, b"; transfer-syntax=*',
            [Acceptable("application/dicom", False, "*")],
        ),
        ("multipart/related", [Acceptable("*/*", True, "")]),
        ("application/dicom;q=high", [Acceptable("application/dicom", False, "")]),
    ],
)
def test_forms_that_clients_send(value: str, expected: list[Acceptable]) -> None:
    assert list(parse_accept(value)) == expected


def test_ranges_cover_what_they_say() -> None:
    assert Acceptable("image/*", False, "").covers("image/png")
    assert not Acceptable("image/*", False, "").covers("application/dicom")
    assert Acceptable("*/*", True, "").covers("application/dicom")
    assert Acceptable("a/b", False, "1.2").allows("1.2")
    assert not Acceptable("a/b", False, "1.2").allows("1.2.3")
