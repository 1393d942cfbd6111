"""What makes two jobs the same, and what does not."""

import dataclasses

import pytest

from ennead.contracts import InstanceRecord, SeriesRecord
from ennead_pipelines.jobs import JobIdentity, finding_id, input_digest
from ennead_pipelines.select import Candidate

IDENTITY = JobIdentity("1.2", "lung", "1.0.0", "sha256:m", "sha256:i", "sha256:p")  # type: ignore[arg-type]


def series(*contents: tuple[str, str]) -> Candidate:
    instances = [
        InstanceRecord("1", "1.5", uid, "c", "t", 1, 1, 1, sha256)  # type: ignore[arg-type]
        for uid, sha256 in contents
    ]
    return Candidate(SeriesRecord("1", "1.5", "CT", 1, "", "", 1), instances)  # type: ignore[arg-type]


def test_the_job_id_is_a_function_of_every_field() -> None:
    ids = {IDENTITY.job_id}
    for field in dataclasses.fields(IDENTITY):
        ids.add(dataclasses.replace(IDENTITY, **{field.name: "other"}).job_id)
    assert len(ids) == 7
    assert dataclasses.replace(IDENTITY).job_id == IDENTITY.job_id
    # Fields are length-prefixed: moving a character between two of them is another job.
    moved = dataclasses.replace(IDENTITY, study_uid="1.2l", package="ung")  # type: ignore[arg-type]
    assert moved.job_id != IDENTITY.job_id


def test_the_input_digest_does_not_depend_on_the_order_of_arrival() -> None:
    one, two = ("1.1", "a"), ("1.2", "b")
    assert input_digest({"ct": series(one, two)}) == input_digest({"ct": series(two, one)})


@pytest.mark.parametrize("other", [(("1.1", "a"),), (("1.1", "a"), ("1.2", "changed"))])
def test_the_input_digest_knows_every_instance_and_its_content(
    other: tuple[tuple[str, str], ...],
) -> None:
    whole = input_digest({"ct": series(("1.1", "a"), ("1.2", "b"))})
    assert input_digest({"ct": series(*other)}) != whole
    assert input_digest({"mr": series(("1.1", "a"), ("1.2", "b"))}) != whole


def test_finding_ids_differ_by_job_and_finding() -> None:
    ids = {finding_id(job, name) for job in ("a", "b") for name in ("x", "y")}
    assert len(ids) == 4
    assert all(len(each) == 32 for each in ids)
