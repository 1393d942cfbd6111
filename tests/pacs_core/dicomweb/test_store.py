"""STOW-RS: what is answered, and what is in the archive afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from starlette.testclient import TestClient

from ennead.database import Database
from ennead.security import audit
from ennead.settings import Settings

Request = tuple[bytes, dict[str, str]]
Make = Callable[..., list[Path]]
Stow = Callable[..., Request]


def changed(path: Path, **attributes: object) -> bytes:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def post(client: TestClient, request: Request, url: str = "/dicom-web/studies") -> tuple[int, dict]:
    answer = client.post(url, content=request[0], headers=request[1])
    assert answer.headers["content-type"].startswith("application/dicom+json"), answer.text
    return answer.status_code, answer.json()


def count(client: TestClient) -> int:
    return len(client.get("/dicom-web/instances").json())


def test_all_stored_then_again_nothing_new(
    client: TestClient, series_of: Make, stow_request: Stow, database: Database
) -> None:
    files = series_of(5)
    first = pydicom.dcmread(files[0])
    request = stow_request([f.read_bytes() for f in files])
    for _ in range(2):
        status, answer = post(client, request)
        assert status == 200
        assert answer["00081190"]["Value"][0].endswith(f"/studies/{first.StudyInstanceUID}")
        stored = answer["00081199"]["Value"]
        assert [i["00081155"]["Value"][0] for i in stored] == [
            pydicom.dcmread(f).SOPInstanceUID for f in files
        ]
        assert stored[0]["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
        assert "00081198" not in answer
        retrieved = client.get(
            stored[0]["00081190"]["Value"][0], headers={"Accept": "application/dicom"}
        )
        assert pydicom.dcmread(io.BytesIO(retrieved.content)) == first
    assert count(client) == 5
    with database.read() as connection:
        entries = [e for e in audit.page(connection) if e.action == "instances.stored"]
        assert audit.verify(connection).intact
    assert {(e.study_uid, json.loads(e.detail)["new"]) for e in entries} == {
        (first.StudyInstanceUID, 5),
        (first.StudyInstanceUID, 0),
    }


def test_some_refused_is_202_with_reasons(
    client: TestClient, series_of: Make, stow_request: Stow
) -> None:
    good, other, broken = series_of(3)
    assert post(client, stow_request([good.read_bytes()]))[0] == 200
    status, answer = post(
        client,
        stow_request(
            [
                other.read_bytes(),
                changed(good, ImageComments="other content"),
                broken.read_bytes()[:-100],
                b"no DICOM at all",
            ]
        ),
    )
    assert status == 202
    assert len(answer["00081199"]["Value"]) == 1
    failed = answer["00081198"]["Value"]
    assert [f["00081197"]["Value"][0] for f in failed] == [0xC111, 0xC000]
    assert failed[0]["00081155"]["Value"] == [pydicom.dcmread(good).SOPInstanceUID]
    assert [f["00081197"]["Value"] for f in answer["0008119A"]["Value"]] == [[0xC000]]
    assert count(client) == 2


def test_all_refused_is_409(client: TestClient, series_of: Make, stow_request: Stow) -> None:
    (file,) = series_of(1)
    status, answer = post(client, stow_request([file.read_bytes()[:400]]))
    assert status == 409
    assert "00081199" not in answer
    assert count(client) == 0


def test_a_uid_that_is_a_path_is_refused(
    client: TestClient, series_of: Make, stow_request: Stow, settings: object
) -> None:
    (file,) = series_of(1)
    data = file.read_bytes()
    uid = pydicom.dcmread(file).SOPInstanceUID.encode()
    evil = b"../../../../etc/evil".ljust(len(uid), b"x")
    status, answer = post(client, stow_request([data.replace(uid, evil)]))
    assert status == 409
    ((reason,),) = [
        f["00081197"]["Value"] for f in answer.get("00081198", answer.get("0008119A"))["Value"]
    ]
    assert reason == 0xA900


def test_deflated_is_refused_with_its_own_reason(
    client: TestClient, series_of: Make, stow_request: Stow
) -> None:
    (file,) = series_of(1)
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out)
    status, answer = post(client, stow_request([out.getvalue()]))
    assert status == 409
    assert answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xC122]


def test_instances_of_another_study_are_refused(
    client: TestClient, series_of: Make, stow_request: Stow
) -> None:
    mine, other = series_of(1, StudyID="1"), series_of(1, StudyID="2")
    study = pydicom.dcmread(mine[0]).StudyInstanceUID
    request = stow_request([mine[0].read_bytes(), other[0].read_bytes()])
    status, answer = post(client, request, f"/dicom-web/studies/{study}")
    assert status == 202
    assert answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert count(client) == 1


def test_parts_before_a_cut_are_stored_and_reported(
    client: TestClient, series_of: Make, stow_request: Stow
) -> None:
    body, headers = stow_request([f.read_bytes() for f in series_of(3)])
    answer = client.post("/dicom-web/studies", content=body[:-300], headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["response"]["00081199"]["Value"]) == 2
    assert count(client) == 2


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "multipart/related"}, b"", 400),
        ({"Content-Type": "multipart/related; boundary=B"}, b"", 400),
        ({"Content-Type": "multipart/related; boundary=B"}, b"--B--", 400),
        ({"Content-Type": "application/dicom"}, b"x", 415),
        (
            {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=B'},
            b"",
            415,
        ),
        ({"Content-Type": 'multipart/related; type="application/dicom+xml"; boundary=B'}, b"", 415),
        ({"Content-Type": "multipart/related; boundary=B", "Content-Encoding": "gzip"}, b"x", 415),
        (
            {"Content-Type": "multipart/related; boundary=B"},
            b"--B\r\nContent-Type: multipart/related; boundary=C\r\n\r\n--C--\r\n--B--",
            400,
        ),
        (
            {"Content-Type": "multipart/related; boundary=B"},
            b"--B\r\nContent-Type: application/dicom+json\r\n\r\n[{}]\r\n--B--",
            415,
        ),
    ],
)
def test_bodies_that_are_not_read(
    client: TestClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = client.post("/dicom-web/studies", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"].startswith("ENN-02")


def test_more_parts_than_allowed_is_413(
    client: TestClient, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ennead_pacs.dicomweb import store_routes
    from ennead_pacs.dicomweb.multipart import MultipartParser

    class Few(MultipartParser):
        def __init__(self, boundary: str, receiver: object, _limit: int) -> None:
            super().__init__(boundary, receiver, 5)  # type: ignore[arg-type]

    monkeypatch.setattr(store_routes, "MultipartParser", Few)
    body = b"--B\r\n\r\nx\r\n" * 6 + b"--B--"
    answer = client.post(
        "/dicom-web/studies",
        content=body,
        headers={"Content-Type": "multipart/related; boundary=B"},
    )
    assert answer.status_code == 413
    assert len(answer.json()["response"]["0008119A"]["Value"]) == 5


def test_a_body_past_its_limit_is_413_with_what_was_stored(
    settings: Settings,
    serve: Callable[[Settings], str],
    token: Callable[[str], str],
    series_of: Make,
    stow_request: Stow,
) -> None:
    """No Content-Length: only counting finds out."""
    body, headers = stow_request([f.read_bytes() for f in series_of(40, side=256)])
    http = settings.http.model_copy(update={"stow_body_limit_bytes": len(body) // 2})
    headers["Authorization"] = f"Bearer {token('admin')}"
    blocks = [body[i : i + 65_536] for i in range(0, len(body), 65_536)]
    address = serve(settings.model_copy(update={"http": http}))
    with httpx.Client(base_url=address, trust_env=False) as client:
        answer = client.post("/dicom-web/studies", content=iter(blocks), headers=headers)
        assert answer.status_code == 413
        stored = answer.json()["response"]["00081199"]["Value"]
        found = client.get("/dicom-web/instances", headers=headers).json()
    assert 0 < len(stored) == len(found) < 20


def test_bulk_data_elsewhere_is_never_fetched(client: TestClient) -> None:
    """Metadata with a BulkDataURI to anywhere is not read at all (hostile inputs, case 38)."""
    body = (
        b'--B\r\nContent-Type: application/dicom+json\r\n\r\n[{"7FE00010":{"vr":"OW",'
        b'"BulkDataURI":"http://169.254.169.254/latest/meta-data"}}]\r\n--B--'
    )
    answer = client.post(
        "/dicom-web/studies",
        content=body,
        headers={"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=B'},
    )
    assert answer.status_code == 415
    assert "nothing is ever fetched" in answer.json()["detail"]


def test_a_clinician_may_not_store(
    client: TestClient, token: Callable[[str], str], series_of: Make, stow_request: Stow
) -> None:
    body, headers = stow_request([series_of(1)[0].read_bytes()])
    headers["Authorization"] = f"Bearer {token('clinician')}"
    assert client.post("/dicom-web/studies", content=body, headers=headers).status_code == 403
    assert count(client) == 0


def test_preamble_is_zeroed_and_the_dataset_kept(
    client: TestClient, series_of: Make, stow_request: Stow
) -> None:
    (file,) = series_of(1)
    data = b"MZ" + b"\x90" * 126 + file.read_bytes()[128:]
    assert post(client, stow_request([data]))[0] == 200
    (row,) = client.get("/dicom-web/instances").json()
    url = row["00081190"]["Value"][0]
    content = client.get(url, headers={"Accept": "application/dicom"}).content
    assert content[:132] == bytes(128) + b"DICM"
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert dataset == pydicom.dcmread(file)
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
