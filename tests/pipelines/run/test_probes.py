"""Probes on a real Ray: looked at before anything else is decoded, refused with numbers."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from ennead.plugins import DiscoveredPackage, ProbeRule
from ennead.testing.sample import sample_package
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.render import render
from ennead_pipelines.run import volumes
from ennead_pipelines.tables import findings, job_refusals, timeline

pytestmark = pytest.mark.slow


def rule(**values: Any) -> ProbeRule:
    return ProbeRule.model_validate(
        {"id": "looked_at", "code": "BODY_PART", "text": "refusal.probe", **values}
    )


@pytest.fixture
def catalogue(request) -> PackageCatalogue:
    package = sample_package()
    assert package.manifest is not None
    [ct] = package.manifest.input
    wanted = ct.model_copy(update={"probe": request.param})
    manifest = package.manifest.model_copy(update={"input": [wanted]})
    known = DiscoveredPackage("sample", manifest, package.digest, package.folder, "ennead")
    return PackageCatalogue(discover=lambda: [known])


@pytest.fixture
def decoded(monkeypatch) -> Counter[str]:
    counts: Counter[str] = Counter()
    task = volumes.load_task

    class Counting:
        def options(self, **options: Any) -> Any:
            return self

        def remote(self, *arguments: Any) -> Any:
            counts["series"] += 1
            return task.remote(*arguments)

    monkeypatch.setattr(volumes, "load_task", Counting())
    return counts


@pytest.mark.parametrize(
    "catalogue", [[rule(kind="body_part", one_of=["chest", "abdomen"])]], indirect=True
)
def test_a_series_is_refused_before_it_is_decoded(
    send, settle, finish, decoded, database, sample
) -> None:
    send()
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("refused", "refusal.probe")
    assert decoded["series"] == 0
    with database.read() as connection:
        [row] = connection.execute(select(job_refusals)).all()
        steps = list(connection.execute(select(timeline.c.text_key)).scalars())
    assert (row.stage, row.code, row.subject) == ("probe", "BODY_PART", "")
    assert steps[-1] == "timeline.declined"
    said = {x: render(row.text_key, x, row.text_values, sample.folder) for x in ("vi", "en")}
    assert "cannot be told" in said["en"] and "unknown_slices" in said["en"]
    assert "không xác định được" in said["vi"]


@pytest.mark.parametrize(
    "catalogue",
    [
        [
            rule(id="sane", kind="intensity", none_of=["implausible"]),
            rule(kind="contrast_phase", one_of=["none"], outputs=["mean_hu"], code="PHASE"),
        ]
    ],
    indirect=True,
)
def test_an_output_is_refused_and_the_rest_runs(send, settle, finish, decoded, database) -> None:
    send()
    settle()
    job = finish()
    assert job.state == "done"
    assert decoded["series"] == 1
    with database.read() as connection:
        rows = connection.execute(select(job_refusals)).all()
        document = connection.execute(select(findings.c.document)).scalar_one()
    assert [(r.stage, r.code, r.subject) for r in rows] == [("probe", "PHASE", "mean_hu")]
    assert [m["id"] for m in document["measurements"]] == ["volume"]


@pytest.mark.parametrize(
    "catalogue", [[rule(kind="completeness", one_of=["whole"])]], indirect=True
)
def test_an_undecodable_slice_is_told_as_such(archive, ct_files, settle, finish, database) -> None:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    for path in ct_files():
        dataset = dcmread(path)
        dataset.PixelData = encapsulate([b"this is no JPEG 2000 code stream"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.save_as(path, enforce_file_format=True)
        archive.store(path.read_bytes(), source="test")
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("refused", "refusal.undecodable")
