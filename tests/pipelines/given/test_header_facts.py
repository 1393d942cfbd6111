"""Facts that headers state, with their units and dates; nothing implausible."""

import datetime as dt

import pytest
from pydicom.dataset import Dataset

from ennead.contracts import Worklist
from ennead_pipelines.given.header_facts import SOURCE, HeaderWorklist, header_facts


def facts(**attributes: object) -> dict[str, tuple[str, str]]:
    header = Dataset()
    for keyword, value in {"StudyDate": "20260105", **attributes}.items():
        setattr(header, keyword, value)
    return {f.name: (f.value, f.unit) for f in header_facts(header.to_json_dict())}


def test_everything_that_is_stated() -> None:
    header = Dataset()
    header.StudyDate, header.PatientSex, header.PatientAge = "20260105", "M", "067Y"
    header.PatientSize, header.PatientWeight = 1.73, 68
    found = list(header_facts(header.to_json_dict()))
    assert {f.name: (f.value, f.unit) for f in found} == {
        "sex": ("M", ""),
        "age": ("67", "a"),
        "height": ("1.73", "m"),
        "weight": ("68", "kg"),
    }
    assert {f.source for f in found} == {SOURCE}
    assert {f.observed_at for f in found} == {dt.datetime(2026, 1, 5, tzinfo=dt.UTC)}


@pytest.mark.parametrize(
    ("stated", "years"),
    [("067Y", "67"), ("018M", "1.5"), ("030M", "2"), ("006M", "0.5"), ("004W", "0.0766598")],
)
def test_ages_in_years(stated: str, years: str) -> None:
    assert facts(PatientAge=stated)["age"] == (years, "a")


@pytest.mark.parametrize(
    ("born", "years"),
    [("19600105", "66"), ("19600106", "65"), ("20250105", "0.999316")],
)
def test_age_from_the_birth_date_on_the_day_of_the_study(born: str, years: str) -> None:
    assert facts(PatientBirthDate=born)["age"] == (years, "a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"PatientSize": 173},
        {"PatientWeight": 68000},
        {"PatientWeight": 0},
        {"PatientBirthDate": "20270101"},
        {"PatientSex": ""},
    ],
)
def test_nothing_implausible(wrong: dict[str, object]) -> None:
    assert facts(**wrong) == {}


def test_no_date_no_facts() -> None:
    header = Dataset()
    header.PatientSex = "F"
    assert list(header_facts(header.to_json_dict())) == []


def test_of_a_stored_study(visit, archive) -> None:
    source = HeaderWorklist(archive)
    assert isinstance(source, Worklist)
    study = visit("20260105", PatientAge="050Y")
    assert {f.name: f.value for f in source.facts(study)} == {
        "sex": "F",
        "age": "50",
        "weight": "61.5",
    }
    assert source.is_urgent(study) is False


def test_an_age_that_is_no_age_string_is_no_fact() -> None:
    header = {"00080020": {"Value": ["20260105"]}, "00101010": {"Value": ["67"]}}
    assert list(header_facts(header)) == []
