"""WADO-RS metadata, instances, bulk data."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RLELossless
from starlette.testclient import TestClient

from ennead.database import Database
from ennead.identifiers import InstanceUID
from ennead.security import audit
from ennead.settings import Settings
from ennead_pacs.archive import open_archive

Make = Callable[..., list[Path]]
Store = Callable[[list[Path]], Any]
Parts = Callable[[bytes, str], list[tuple[dict[str, str], bytes]]]


def dataset_bytes(part10: bytes) -> bytes:
    """What follows the File Meta Information (PS3.10 §7.1)."""
    assert part10[128:136] == b"DICM\x02\x00\x00\x00"
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def edited(path: Path, **attributes: object) -> list[Path]:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return [path]


def test_series_metadata_is_what_pydicom_reads(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    mine = stored(series_of(3, PatientName="Nguyễn^An", modality="CT"))
    answer = client.get(f"{mine.url}/metadata", headers={"Accept": "application/dicom+json"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/dicom+json")
    for header, file in zip(answer.json(), mine.files, strict=True):
        assert header.pop("00083002") == {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}
        bulk = header.pop("7FE00010")
        assert bulk == {
            "vr": "OW",
            "BulkDataURI": f"/dicom-web/studies/{mine.study}/series/{mine.series}/instances/"
            f"{header['00080018']['Value'][0]}/bulkdata/7FE00010",
        }
        expected = pydicom.dcmread(file, stop_before_pixels=True)
        assert Dataset.from_json(header) == expected


def test_metadata_grows_with_the_series(
    client: TestClient, series_of: Make, stored: Store, settings: Settings
) -> None:
    files = series_of(4)
    mine = stored(files[:3])
    first = client.get(f"{mine.url}/metadata")
    assert len(first.json()) == 3
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"{mine.url}/metadata", headers=known).status_code == 304
    stored(files[3:])
    grown = client.get(f"{mine.url}/metadata", headers=known)
    assert grown.status_code == 200
    assert [h["00200013"]["Value"][0] for h in grown.json()] == [1, 2, 3, 4]
    left = list((settings.home / "cache" / "series").rglob("*.json.gz"))
    assert len(left) == 1
    assert gzip.decompress(left[0].read_bytes()) == grown.content


def test_metadata_compressed_and_plain_are_the_same(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    mine = stored(series_of(3))
    plain = client.get(f"{mine.url}/metadata", headers={"Accept-Encoding": "identity"})
    packed = client.get(f"{mine.url}/metadata", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content


def test_study_and_instance_metadata(client: TestClient, series_of: Make, stored: Store) -> None:
    one = stored(series_of(2, StudyID="1"))
    two = stored(series_of(2, StudyInstanceUID=one.study, SeriesNumber=7))
    study = client.get(f"/dicom-web/studies/{one.study}/metadata").json()
    assert {h["0020000E"]["Value"][0] for h in study} == {one.series, two.series}
    assert len(study) == 4
    (instance,) = client.get(f"{two.instance_url(1)}/metadata").json()
    assert instance["00080018"]["Value"] == [two.instances[1]]
    assert instance in study


def test_a_damaged_cache_is_made_again(
    client: TestClient, series_of: Make, stored: Store, settings: Settings
) -> None:
    from ennead_pacs.prepare import series as prepared

    mine = stored(series_of(2))
    expected = client.get(f"{mine.url}/metadata").json()
    (file,) = (settings.home / "cache" / "series").rglob("*.json.gz")
    file.write_bytes(file.read_bytes()[:50])
    prepared._memory._held.clear()
    assert client.get(f"{mine.url}/metadata").json() == expected


def test_instance_as_multipart_and_as_a_single_part(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts
) -> None:
    mine = stored(series_of(2))
    expected = dataset_bytes(mine.files[0].read_bytes())
    for accept in (
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        'multipart/related; type="application/dicom"',
        "multipart/related; type=application/dicom",
        "*/*",
    ):
        answer = client.get(mine.instance_url(), headers={"Accept": accept})
        ((headers, body),) = parts_of(answer.content, answer.headers["content-type"])
        assert headers["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
        assert dataset_bytes(body) == expected
    single = client.get(mine.instance_url(), headers={"Accept": "application/dicom"})
    assert single.headers["content-type"] == "application/dicom"
    assert single.headers["content-disposition"].startswith("attachment;")
    assert single.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in single.headers["content-security-policy"]
    assert dataset_bytes(single.content) == expected


def test_series_and_study_hold_every_instance(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts, database: Database
) -> None:
    mine = stored(series_of(5))
    for url in (mine.url, f"/dicom-web/studies/{mine.study}"):
        answer = client.get(url, headers={"Accept": 'multipart/related; type="application/dicom"'})
        parts = parts_of(answer.content, answer.headers["content-type"])
        found = [pydicom.dcmread(io.BytesIO(body)) for _, body in parts]
        assert found == [pydicom.dcmread(f) for f in mine.files]
    assert client.get(mine.url, headers={"Accept": "application/dicom"}).status_code == 406
    with database.read() as connection:
        looks = [e for e in audit.page(connection) if e.action == "instances.retrieved"]
    assert [e.study_uid for e in looks] == [mine.study]


def test_large_answers_are_streamed_whole(
    client: TestClient,
    series_of: Make,
    stored: Store,
    parts_of: Parts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ennead_pacs.dicomweb import answers

    monkeypatch.setattr(answers, "WHOLE_LIMIT", 3000)
    monkeypatch.setattr(answers, "CHUNK", 1000)
    mine = stored(series_of(3, side=64))
    many = client.get(mine.url)
    assert int(many.headers["content-length"]) == len(many.content)
    bodies = [body for _, body in parts_of(many.content, many.headers["content-type"])]
    assert [*map(dataset_bytes, bodies)] == [dataset_bytes(f.read_bytes()) for f in mine.files]
    single = client.get(mine.instance_url(), headers={"Accept": "application/dicom"})
    assert single.content == bodies[0]


def test_ranges_conditions_and_their_abuse(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    mine = stored(series_of(1))
    plain = {"Accept": "application/dicom"}
    url = mine.instance_url()
    whole = client.get(url, headers=plain)
    tag = whole.headers["etag"]

    def get(**headers: str) -> Any:
        return client.get(
            url, headers={**plain, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )

    part = get(Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert get(Range="bytes=-50").content == whole.content[-50:]
    assert get(Range="bytes=100-").content == whole.content[100:]
    assert get(Range="bytes=0-1,5-9").content == whole.content
    assert get(Range="bytes=0-9", If_Range=tag).status_code == 206
    assert get(Range="bytes=0-9", If_Range='"other"').status_code == 200
    assert get(Range=f"bytes={len(whole.content)}-").status_code == 416
    assert get(Range="bytes=9-3").status_code == 416
    assert get(Range="bytes=" + ",".join("0-" for _ in range(1000))).status_code == 416
    assert get(If_Match='"wrong"').status_code == 412
    assert get(If_Match=tag).status_code == 200
    assert get(If_None_Match=tag).status_code == 304


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
def test_stored_syntax_unless_another_is_asked_for(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts, syntax: str
) -> None:
    plain = pydicom.dcmread(series_of(1)[0]).pixel_array
    mine = stored(series_of(1, transfer_syntax=syntax))
    as_stored = client.get(mine.instance_url(), headers={"Accept": "application/dicom"})
    assert dataset_bytes(as_stored.content) == dataset_bytes(mine.files[0].read_bytes())
    explicit = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
    answer = client.get(mine.instance_url(), headers={"Accept": explicit})
    ((headers, body),) = parts_of(answer.content, answer.headers["content-type"])
    assert headers["content-type"].endswith("transfer-syntax=1.2.840.10008.1.2.1")
    dataset = pydicom.dcmread(io.BytesIO(body))
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    np.testing.assert_array_equal(dataset.pixel_array, plain)
    jpeg = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50'
    refused = client.get(mine.instance_url(), headers={"Accept": jpeg})
    assert (refused.status_code, refused.json()["code"]) == (406, "ENN-0208")


def test_bulk_data_at_the_top_and_inside_sequences(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts
) -> None:
    (path,) = series_of(1)
    inner = Dataset()
    inner.EncapsulatedDocument = bytes(range(256)) * 8
    outer = Dataset()
    outer.ContentSequence = Sequence([Dataset(), inner])
    mine = stored(edited(path, ContentSequence=Sequence([outer])))
    (header,) = client.get(f"{mine.instance_url()}/metadata").json()
    nested = header["0040A730"]["Value"][0]["0040A730"]["Value"][1]["00420011"]
    assert nested["BulkDataURI"].endswith("/bulkdata/0040A730/0/0040A730/1/00420011")
    answer = client.get(
        nested["BulkDataURI"],
        headers={"Accept": 'multipart/related; type="application/octet-stream"'},
    )
    ((_, body),) = parts_of(answer.content, answer.headers["content-type"])
    assert body == inner.EncapsulatedDocument
    pixels = client.get(
        header["7FE00010"]["BulkDataURI"], headers={"Accept": "application/octet-stream"}
    )
    assert pixels.content == pydicom.dcmread(path).PixelData
    assert client.get(f"{mine.instance_url()}/bulkdata/00100010").status_code == 404
    assert client.get(f"{mine.instance_url()}/bulkdata/../../../etc/passwd").status_code == 404


def test_a_document_comes_as_what_it_is_in_a_sandbox(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    (path,) = series_of(1)
    pdf = b"%PDF-1.7\n1 0 obj <</OpenAction <</S /JavaScript>> >>\n" + b"x" * 2001
    mine = stored(
        edited(path, EncapsulatedDocument=pdf, MIMETypeOfEncapsulatedDocument="application/pdf")
    )
    url = f"{mine.instance_url()}/bulkdata/00420011"
    for answer in (
        client.get(url, headers={"Accept": "application/pdf"}),
        client.get(f"{url}?accept=application/pdf", headers={"Accept": "text/html"}),
    ):
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.content == pdf


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda u, s: u.replace(s.study, "1.2.3"), 404),
        (lambda u, s: u.replace(s.series, "1.2.3"), 404),
        (lambda u, s: u.replace(s.instances[0], "1.2.3"), 404),
        (lambda u, s: u.replace(s.instances[0], "1" * 65), 400),
        (lambda u, s: u.replace(s.instances[0], "..%2f..%2f..%2fetc%2fpasswd"), 404),
        (lambda u, s: u.replace(s.study, "%00"), 400),
        (lambda u, s: u.replace(s.instances[0], "abc%0a"), 400),
    ],
)
@pytest.mark.parametrize("tail", ["", "/metadata", "/frames/1", "/rendered", "/thumbnail"])
def test_addresses_that_are_not_there(
    client: TestClient,
    series_of: Make,
    stored: Store,
    change: Callable[[str, Any], str],
    status: int,
    tail: str,
) -> None:
    mine = stored(series_of(1))
    answer = client.get(change(mine.instance_url(), mine) + tail)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_corrupt_bytes_are_never_served(
    client: TestClient, series_of: Make, stored: Store, settings: Settings, database: Database
) -> None:
    mine = stored(series_of(1))
    assert client.get(mine.instance_url()).status_code == 200
    path = open_archive(settings, database).path(InstanceUID(mine.instances[0]))
    data = bytearray(path.read_bytes())
    data[-7] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(data)
    for tail in ("", "/frames/1", "/rendered"):
        answer = client.get(mine.instance_url() + tail)
        assert (answer.status_code, answer.json()["code"]) == (503, "ENN-0404")
    path.unlink()
    assert client.get(mine.instance_url()).json()["code"] == "ENN-0404"


def test_json_holds_no_nan(client: TestClient, series_of: Make, stored: Store) -> None:
    (path,) = series_of(1)
    mine = stored(edited(path, RealWorldValueSlope=float("nan"), DiffusionBValue=float("inf")))
    answer = client.get(f"{mine.instance_url()}/metadata")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    (header,) = json.loads(answer.content, parse_constant=refuse)
    assert header["00189087"] == {"vr": "FD", "Value": [None]}
