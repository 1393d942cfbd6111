"""QIDO-RS against an oracle that knows what was stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

Make = Callable[..., list[Path]]

PATIENTS = {
    "P1": ("Nguyễn^Văn^An", "20240115", "CT"),
    "P2": ("Đặng^Thị^Bình", "20240220", "MR"),
    "P3": ("Smith^J_hn%", "20250301", "CT"),
}


@pytest.fixture
def studies(series_of: Make, stored: Callable[[list[Path]], Any]) -> dict[str, Any]:
    found = {}
    for patient_id, (name, date, modality) in PATIENTS.items():
        files = series_of(
            3,
            PatientID=patient_id,
            PatientName=name,
            StudyDate=date,
            StudyID=patient_id,
            AccessionNumber=f"A{patient_id}",
            modality=modality,
            SeriesDescription=f"series of {patient_id}",
        )
        found[patient_id] = stored(files)
    return found


def ids(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 200, answer.text
    return sorted(s["00100020"]["Value"][0] for s in answer.json())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["P1", "P2", "P3"]),
        ("PatientID=P2", ["P2"]),
        ("00100020=P2", ["P2"]),
        ("PatientID=P*", ["P1", "P2", "P3"]),
        ("PatientID=P%3F", ["P1", "P2", "P3"]),
        ("PatientID=P%25", []),
        ("PatientName=dang*", ["P2"]),
        ("PatientName=*BINH", ["P2"]),
        ("PatientName=nguyen^van^an", ["P1"]),
        ("PatientName=van&fuzzymatching=true", ["P1"]),
        ("PatientName=*%25", ["P3"]),
        ("PatientName=Smith^J_hn*", ["P3"]),
        ("PatientName=S%25", []),
        ("StudyDate=20240115", ["P1"]),
        ("StudyDate=20240101-20241231", ["P1", "P2"]),
        ("StudyDate=-20240131", ["P1"]),
        ("StudyDate=20240201-", ["P2", "P3"]),
        ("ModalitiesInStudy=MR", ["P2"]),
        ("ModalitiesInStudy=MR,CT", ["P1", "P2", "P3"]),
        ("ModalitiesInStudy=CT%5CPT", ["P1", "P3"]),
        ("AccessionNumber=AP1&PatientID=P1", ["P1"]),
        ("AccessionNumber=AP1&PatientID=P2", []),
        ("PatientID=%27%20OR%201=1", []),
        ("PatientName=%27%3B%20DROP%20TABLE%20studies%3B--", []),
        ("StudyInstanceUID=1.2.3", []),
    ],
)
def test_matching(
    client: TestClient, studies: dict[str, Any], query: str, expected: list[str]
) -> None:
    assert ids(client, query) == expected


def test_uid_lists_by_comma_and_backslash(client: TestClient, studies: dict[str, Any]) -> None:
    wanted = [studies["P1"].study, studies["P3"].study]
    for separator in (",", "%5C"):
        assert ids(client, f"StudyInstanceUID={separator.join(wanted)}") == ["P1", "P3"]


def test_study_attributes_and_order(client: TestClient, studies: dict[str, Any]) -> None:
    answer = client.get("/dicom-web/studies").json()
    assert [s["00080020"]["Value"][0] for s in answer] == ["20250301", "20240220", "20240115"]
    first = answer[2]
    assert list(first) == sorted(first)
    assert first["00100010"]["Value"] == [{"Alphabetic": "Nguyễn^Văn^An"}]
    assert first["00080061"]["Value"] == ["CT"]
    assert first["00201206"]["Value"] == [1]
    assert first["00201208"]["Value"] == [3]
    assert first["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{studies['P1'].study}")


def test_series_and_instances_at_every_level(client: TestClient, studies: dict[str, Any]) -> None:
    mine = studies["P2"]
    (series,) = client.get(f"/dicom-web/studies/{mine.study}/series").json()
    assert series["0020000E"]["Value"] == [mine.series]
    assert series["00080060"]["Value"] == ["MR"]
    assert series["00201209"]["Value"] == [3]
    for url in (
        f"/dicom-web/studies/{mine.study}/instances",
        f"{mine.url}/instances",
        f"/dicom-web/instances?SeriesInstanceUID={mine.series}",
    ):
        found = client.get(url).json()
        assert [i["00080018"]["Value"][0] for i in found] == mine.instances
        assert [i["00200013"]["Value"][0] for i in found] == [1, 2, 3]
        assert {i["00280010"]["Value"][0] for i in found} == {32}
    modality = client.get("/dicom-web/series?Modality=CT").json()
    assert {s["0020000E"]["Value"][0] for s in modality} == {
        studies["P1"].series,
        studies["P3"].series,
    }
    assert {s["00100020"]["Value"][0] for s in modality} == {"P1", "P3"}
    one = client.get(f"/dicom-web/studies/{mine.study}/instances?InstanceNumber=2").json()
    assert [i["00080018"]["Value"][0] for i in one] == [mine.instances[1]]


def test_include_field_reaches_into_headers(client: TestClient, studies: dict[str, Any]) -> None:
    mine = studies["P1"]
    url = f"{mine.url}/instances"
    plain = client.get(url).json()[0]
    assert "00200032" not in plain and "00100010" not in plain
    (asked, *_) = client.get(f"{url}?includefield=ImagePositionPatient,00100010").json()
    assert asked["00200032"]["Value"] == [0.0, 0.0, 0.0]
    assert asked["00100010"]["Value"][0]["Alphabetic"] == "Nguyễn^Văn^An"
    (everything, *_) = client.get(f"{url}?includefield=all").json()
    assert everything["00281052"]["Value"] == [-1024.0]
    assert "7FE00010" not in everything
    assert list(everything) == sorted(everything)


def test_pages_say_when_there_is_more(client: TestClient, studies: dict[str, Any]) -> None:
    first = client.get("/dicom-web/studies?limit=2")
    assert len(first.json()) == 2
    assert "offset=2" in first.headers["warning"]
    second = client.get("/dicom-web/studies?limit=2&offset=2")
    assert len(second.json()) == 1
    assert "warning" not in second.headers
    assert client.get("/dicom-web/studies?offset=99").json() == []
    assert client.get("/dicom-web/studies?limit=0").json() == []


def test_a_huge_limit_is_capped_with_a_warning(client: TestClient) -> None:
    answer = client.get("/dicom-web/studies?limit=1000000000")
    assert answer.status_code == 200
    assert "at most 1000" in answer.headers["warning"]


def test_unknown_keys_are_told_not_obeyed(client: TestClient, studies: dict[str, Any]) -> None:
    answer = client.get(
        "/dicom-web/studies?PatientID=P1&ImageComments=x&nonsense=1&00400275.00400009=7"
    )
    assert len(answer.json()) == 1
    assert answer.headers["warning"].startswith('299 ennead "not matched on: ImageComments')


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=abc", "limit=1e3", "limit=10⁹", "offset=-5", "offset=99999999999999999999"],
)
def test_numbers_that_are_none(client: TestClient, query: str) -> None:
    answer = client.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "ENN-0200"


def test_values_beyond_any_vr_are_refused(client: TestClient) -> None:
    answer = client.get("/dicom-web/studies", params={"PatientName": "*" * 5000})
    assert answer.status_code == 400
    assert client.get("/dicom-web/studies?PatientName=" + "*" * 900).status_code == 200


def test_answers_follow_the_archive(
    client: TestClient, studies: dict[str, Any], series_of: Make, ingest: Any
) -> None:
    mine = studies["P1"]
    url = f"/dicom-web/studies/{mine.study}/instances"
    assert len(client.get(url).json()) == 3
    for file in series_of(2, StudyInstanceUID=mine.study, PatientID="P1", SeriesNumber=2):
        ingest.store(file, source="test")
    assert len(client.get(url).json()) == 5
    assert len(client.get(f"/dicom-web/studies/{mine.study}/series").json()) == 2


def test_only_json_is_offered(client: TestClient) -> None:
    assert (
        client.get("/dicom-web/studies", headers={"Accept": "application/dicom+xml"}).status_code
        == 406
    )
    for accept in ("application/json", "application/dicom+json, application/json", "*/*"):
        assert client.get("/dicom-web/studies", headers={"Accept": accept}).status_code == 200
    by_parameter = client.get("/dicom-web/studies?accept=application/json")
    assert by_parameter.headers["content-type"].startswith("application/json")


def test_nobody_searches_without_a_token(client: TestClient) -> None:
    answer = client.get("/dicom-web/studies", headers={"Authorization": ""})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
