"""Matching of PS3.4 §C.2.2.2, against what the rows were made of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ennead.database import Database
from ennead_pacs.index import (
    InstanceQuery,
    SeriesQuery,
    StudyQuery,
    count_studies,
    find_instance,
    find_study,
    list_instances,
    list_series,
    search_instances,
    search_series,
    search_studies,
)
from ennead_pacs.ingest import Ingest

PATIENTS = {
    "1.1": {"PatientName": "Đặng^Thị Ánh", "PatientID": "P_1", "StudyDate": "20240131"},
    "1.2": {"PatientName": "GARCIA^ANNA", "PatientID": "P%2", "StudyDate": "20240201"},
    "1.3": {"PatientName": "Garcia^Bob=山田^太郎", "PatientID": "PX1", "StudyDate": "20230630"},
    # The same name as 1.1, decomposed: other bytes, one patient to a reader.
    "1.4": {"PatientName": "Đặng^Thị Ánh", "PatientID": "P[4]", "StudyDate": ""},
}


@pytest.fixture
def filled(ingest: Ingest, make_object: Callable[..., bytes]) -> Ingest:
    for position, (study, attributes) in enumerate(PATIENTS.items()):
        for series, modality in ((f"{study}.1", "CT"), (f"{study}.2", "SR")):
            if modality == "SR" and position != 1:
                continue
            for number in (2, 1):
                data = make_object(
                    number,
                    study=study,
                    series=series,
                    Modality=modality,
                    StudyTime=f"10{position}559.5",
                    AccessionNumber=f"A{position}",
                    **attributes,
                )
                ingest.store(data, source="test")
    return ingest


def studies_matching(database: Database, **filters: str) -> list[str]:
    with database.read() as connection:
        return [row.study_uid for row in search_studies(connection, StudyQuery(filters))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["1.1", "1.2", "1.3", "1.4"]),
        ({"PatientName": ""}, ["1.1", "1.2", "1.3", "1.4"]),
        ({"PatientName": "*"}, ["1.1", "1.2", "1.3", "1.4"]),
        ({"PatientName": "dang*"}, ["1.1", "1.4"]),
        ({"PatientName": "ĐẶNG^THỊ ÁNH"}, ["1.1", "1.4"]),
        ({"PatientName": "*anh"}, ["1.1", "1.4"]),
        ({"PatientName": "garcia*"}, ["1.2", "1.3"]),
        ({"PatientName": "garcia"}, []),
        ({"PatientName": "gar?ia^b**ob"}, ["1.3"]),
        ({"PatientName": "garcia^anna^^"}, ["1.2"]),
        ({"PatientName": "山田*"}, ["1.3"]),
        ({"PatientName": "' OR 1=1 --"}, []),
        ({"PatientID": "P_1"}, ["1.1"]),
        ({"PatientID": "P_*"}, ["1.1"]),
        ({"PatientID": "P%*"}, ["1.2"]),
        ({"PatientID": "P?1"}, ["1.1", "1.3"]),
        ({"PatientID": "p_1"}, []),
        ({"PatientID": "P[*"}, ["1.4"]),
        ({"PatientID": "*" * 60 + "1"}, ["1.1", "1.3"]),
        ({"PatientID": " P_1 "}, ["1.1"]),
        ({"StudyDate": "20240131"}, ["1.1"]),
        ({"StudyDate": "20240101-20240201"}, ["1.1", "1.2"]),
        ({"StudyDate": "20240201-"}, ["1.2"]),
        ({"StudyDate": "-20231231"}, ["1.3"]),
        ({"StudyDate": "2024.01.31"}, ["1.1"]),
        ({"StudyTime": "1005-1015"}, ["1.1", "1.2"]),
        ({"ModalitiesInStudy": "SR"}, ["1.2"]),
        ({"ModalitiesInStudy": "SR\\CT"}, ["1.1", "1.2", "1.3", "1.4"]),
        ({"StudyInstanceUID": "1.1\\1.3\\9.9"}, ["1.1", "1.3"]),
        ({"AccessionNumber": "A2", "PatientName": "garcia*"}, ["1.3"]),
        ({"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.2"}, ["1.1", "1.2", "1.3", "1.4"]),
        ({"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.4"}, []),
        ({"NotAKey": "x"}, ["1.1", "1.2", "1.3", "1.4"]),
    ],
)
def test_studies(
    filled: Ingest, database: Database, filters: dict[str, str], expected: list[str]
) -> None:
    assert studies_matching(database, **filters) == expected


def test_ten_thousand_uids_bind_as_one_value(filled: Ingest, database: Database) -> None:
    uids = "\\".join(f"2.25.{n}" for n in range(10_000))
    assert studies_matching(database, StudyInstanceUID=f"{uids}\\1.2") == ["1.2"]


def test_free_text_is_folded_and_all_words_count(filled: Ingest, database: Database) -> None:
    with database.read() as connection:
        for text, expected in (
            ("anh dang", 2),
            ("dang p_1", 1),
            ("p%2", 1),
            ("chest", 4),
            ("%", 1),
        ):
            assert count_studies(connection, StudyQuery(text=text)) == expected, text


def test_pages_are_stable_and_newest_first(filled: Ingest, database: Database) -> None:
    with database.read() as connection:
        pages = [
            [r.study_uid for r in search_studies(connection, StudyQuery(limit=2, offset=o))]
            for o in (0, 2, 4)
        ]
        newest = search_studies(connection, StudyQuery(newest_first=True, limit=3))
    assert pages == [["1.1", "1.2"], ["1.3", "1.4"], []]
    assert [r.study_uid for r in newest] == ["1.2", "1.1", "1.3"]


def test_counts_and_modalities_are_kept(filled: Ingest, database: Database) -> None:
    with database.read() as connection:
        study = find_study(connection, "1.2")
        assert study is not None
        assert (study.series_count, study.instance_count) == (2, 4)
        assert study.modalities == ("CT", "SR")
        assert [s.instance_count for s in list_series(connection, "1.2")] == [2, 2]
        assert find_study(connection, "9.9") is None


def test_series_and_instances_match_on_every_level(filled: Ingest, database: Database) -> None:
    with database.read() as connection:
        series = search_series(connection, SeriesQuery({"PatientID": "P%2", "Modality": "SR"}))
        assert [s.series_uid for s in series] == ["1.2.2"]
        found = search_instances(
            connection, InstanceQuery({"StudyInstanceUID": "1.2", "InstanceNumber": "1"})
        )
        assert [i.instance_uid for i in found] == ["1.2.1.1", "1.2.2.1"]
        assert search_instances(connection, InstanceQuery({"InstanceNumber": "x"})) == []
        ordered = list_instances(connection, "1.1.1")
        assert [i.number for i in ordered] == [1, 2]
        row = find_instance(connection, "1.1.1.2")
        assert row is not None and row.study_uid == "1.1"


def test_names_are_nfc_in_the_index(filled: Ingest, database: Database) -> None:
    with database.read() as connection:
        names = {
            row.patient_name
            for row in search_studies(connection, StudyQuery({"PatientName": "dang*"}))
        }
    assert names == {"Đặng^Thị Ánh"}
