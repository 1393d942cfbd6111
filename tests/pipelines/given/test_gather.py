"""What a run is given, what is refused without it, and that both enter the job's identity."""

import datetime as dt

import pytest
from sqlalchemy import select, update

from ennead.contracts import ClinicalFact
from ennead.findings import PriorFinding, PriorValue
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.given.given import AnatomyPlan, Given
from ennead_pipelines.render import render
from ennead_pipelines.tables import decisions, findings, job_refusals, jobs, settlements

PRIOR = PriorFinding(
    "2.25.7",
    "body",
    "Body",
    "accepted",
    "2.25.8",
    dt.date(2025, 1, 2),
    {"volume": PriorValue(1.5, "cm3")},
    (1.0, 2.0, 3.0),
    "2.25.9",
    "1.0.0",
)
FACT = ClinicalFact("age", "66", "a", "RIS", dt.datetime(2026, 1, 2, tzinfo=dt.UTC))


def test_given_survives_the_table() -> None:
    given = Given(
        {"ct": (AnatomyPlan("classical", "classical-ct", "1.0.0", ("body",)),)}, (FACT,), (PRIOR,)
    )
    assert Given.from_json(given.as_json()) == given
    assert Given().as_json() == {}
    assert Given.from_json({}) == Given()
    parameters = given.parameters()
    assert parameters["anatomy.ct"] == "classical-ct 1.0.0"
    assert parameters["clinical.age"] == "66 a (RIS, 2026-01-02)"
    assert parameters["priors"].startswith("1 sha256:")


def test_a_required_fact_that_nobody_knows_refuses_the_package(
    visit, settle, job_rows, database
) -> None:
    visit("20260105", PatientSex="")
    settle()
    [job] = job_rows()
    assert (job.state, job.reason_key) == ("refused", "given.fact_missing")
    with database.read() as connection:
        [row] = connection.execute(select(job_refusals)).all()
    assert (row.stage, row.code, row.subject) == ("select", "CLINICAL_FACT", "")
    said = {lang: render(row.text_key, lang, row.text_values) for lang in ("vi", "en")}
    assert "giới tính" in said["vi"]
    assert "sex" in said["en"] and "{" not in said["en"]


def test_facts_enter_the_identity_when_they_are_used(visit, settle, job_rows, database) -> None:
    study = visit("20260105")
    settle()
    [job] = job_rows()
    assert job.state == "waiting"
    names = [f["name"] for f in job.given["facts"]]
    assert names == ["sex", "weight"]
    assert job.given["anatomy"]["ct"][0]["structures"] == ["body", "bones"]
    again(database, study)
    settle()
    assert len(job_rows()) == 1  # the same facts, the same job


def again(database, study: str) -> None:
    with database.begin() as connection:
        connection.execute(
            update(settlements)
            .where(settlements.c.study_uid == study)
            .values(settled_at=None, changed_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        )


def test_the_ris_goes_before_the_headers(visit, archive, settler, settle, job_rows) -> None:
    class Ris:
        def facts(self, study_uid):
            return [ClinicalFact("weight", "80", "kg", "RIS", FACT.observed_at)]

        def is_urgent(self, study_uid):
            return False

    settler._giver = Giver(archive, worklist=Ris())
    visit("20260105")
    settle()
    [job] = job_rows()
    facts = {f["name"]: (f["value"], f["source"]) for f in job.given["facts"]}
    assert facts == {"sex": ("F", "DICOM header"), "weight": ("80", "RIS")}


@pytest.mark.parametrize("preference", [("model:none",), ()])
def test_no_provider_of_anatomy_is_a_refusal(
    preference, visit, archive, settler, settle, job_rows
) -> None:
    settler._giver = Giver(archive, preference)
    visit("20260105")
    settle()
    [job] = job_rows()
    assert (job.state, job.reason_key) == ("refused", "given.anatomy_missing")
    assert job.reason_values["structures"] == "body, bones"


@pytest.fixture
def measured(visit, settle, job_rows, database):
    """A visit whose finding is listed as a run would list it."""

    def make(date: str, volume: float = 80.0, state: str = "proposed", **attributes) -> str:
        study = visit(date, **attributes)
        settle()
        job = next(j for j in job_rows() if j.study_uid == study)
        document = {
            "finding": "body",
            "label": "Body",
            "measurements": [{"id": "body_volume", "value": volume, "unit": "cm3"}],
            "key_image": {"point_mm": [1.0, 2.0, 3.0], "frame_of_reference_uid": "1.2.3.4"},
        }
        with database.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(state="done"))
            connection.execute(
                findings.insert().values(
                    id=f"f{date}",
                    job_id=job.id,
                    study_uid=study,
                    package="asking",
                    version="1.0.0",
                    ordinal=0,
                    state=state,
                    urgent=False,
                    tracking_uid=f"2.25.{date}",
                    document=document,
                    created_at=dt.datetime.now(dt.UTC),
                )
            )
        return study

    return make


def priors_of(job_rows, study: str) -> list[str]:
    job = next(j for j in job_rows() if j.study_uid == study)
    return [p["study_date"] for p in job.given.get("priors", [])]


def test_priors_newest_first_never_later_never_rejected(measured, visit, settle, job_rows) -> None:
    measured("20250310")
    measured("20240101")
    measured("20250601", state="rejected")
    measured("20270101")
    measured("20200101")  # older than the manifest's 1000 days
    measured("20250901", PatientID="P2", StudyID="other")
    today = visit("20260105")
    settle()
    assert priors_of(job_rows, today) == ["2025-03-10", "2024-01-01"]
    job = next(j for j in job_rows() if j.study_uid == today)
    [prior, _] = Given.from_json(job.given).priors
    assert prior.tracking_uid == "2.25.20250310"
    assert prior.measurements == {"body_volume": PriorValue(80.0, "cm3")}
    assert prior.point_mm == (1.0, 2.0, 3.0)
    assert prior.frame_of_reference_uid == "1.2.3.4"


def test_edited_values_are_those_of_the_last_reader(
    measured, visit, settle, job_rows, database
) -> None:
    measured("20250310", volume=80.0, state="edited")
    with database.begin() as connection:
        for revision, value in ((1, 70.0), (2, 75.5)):
            connection.execute(
                decisions.insert().values(
                    finding_id="f20250310",
                    revision=revision,
                    state="edited",
                    reader="bs.an",
                    reader_name="BS. An",
                    at=dt.datetime.now(dt.UTC),
                    values={"body_volume": value},
                    sr_instance_uid="2.25.1",
                )
            )
    today = visit("20260105")
    settle()
    job = next(j for j in job_rows() if j.study_uid == today)
    [prior] = Given.from_json(job.given).priors
    assert prior.measurements["body_volume"].value == 75.5


def test_another_issuer_is_another_patient(measured, visit, settle, job_rows) -> None:
    measured("20250310", IssuerOfPatientID="BVA")
    measured("20250410", IssuerOfPatientID="BVB")
    measured("20250510")
    today = visit("20260105", IssuerOfPatientID="BVA")
    settle()
    assert priors_of(job_rows, today) == ["2025-05-10", "2025-03-10"]


def test_on_one_day_times_decide(measured, visit, settle, job_rows) -> None:
    measured("20260105", StudyID="morning", StudyTime="080000")
    today = visit("20260105", StudyID="noon", StudyTime="120000")
    settle()
    assert priors_of(job_rows, today) == ["2026-01-05"]


def test_a_needed_prior_that_is_missing_refuses(
    sample, visit, settle, job_rows, monkeypatch
) -> None:
    rule = sample.manifest.prior_input
    monkeypatch.setitem(rule.__dict__, "optional", False)
    visit("20260105")
    settle()
    [job] = job_rows()
    assert (job.state, job.reason_key) == ("refused", "given.prior_missing_age")
    assert render(job.reason_key, "en", job.reason_values).count("1000") == 1
