"""From a place on the images to a stored finding, on a real Ray; and every way a call fails."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from ennead.security import Role
from ennead.security.tables import audit
from ennead_pipelines.encode.read_seg import read_segment
from ennead_pipelines.functions import ask, prepare
from ennead_pipelines.tables import jobs, package_states

pytestmark = pytest.mark.slow

Wait = Callable[..., None]
VOXEL_CM3 = 2.0 * 1.5 * 1.25 / 1000


@pytest.fixture(scope="module")
def study(room: Any) -> Any:
    return room.send()


def stored(study: Any, job: str, wait_until: Wait) -> Any:
    """The job's row once its objects are in the archive."""

    def row() -> Any:
        return next(r for r in study.room.rows(study.uid) if r.id == job)

    wait_until(lambda: row().state == "done", "storing")
    return row()


def value(answer: dict[str, Any], output: str) -> float:
    [finding] = answer["findings"]
    found: float = next(m["value"] for m in finding["measurements"] if m["id"] == output)
    return found


def test_a_seed_is_answered_at_once_and_then_stored(study: Any, wait_until: Wait) -> None:
    answer = study.call("grow", seed=study.place(3, 3, 4))
    assert answer["refusals"] == []
    [finding] = answer["findings"]
    assert value(answer, "volume") == pytest.approx(60 * VOXEL_CM3)
    assert (finding["state"], finding["unverified"]) == ("proposed", True)
    job = stored(study, answer["job"], wait_until)
    assert (job.function, job.priority, job.requested_by) == ("grow", 0, "bs.radiologist")

    listed = study.room.client().get(f"/api/v1/studies/{study.uid}/findings").json()
    same = next(f for f in listed["findings"] if f["id"] == finding["id"])
    for key in ("tracking_uid", "key_image", "segments", "measurements", "sr_instance_uid"):
        assert same[key] == finding[key], key
    seg = dcmread(study.room.archive.path(job.seg_instance_uid))
    assert seg.SegmentSequence[1].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert seg.SegmentSequence[1].TrackingUID == finding["tracking_uid"]
    assert int((seg.pixel_array > 0).sum()) == 60
    sr = dcmread(study.room.archive.path(job.sr_instance_uid))
    said = {str(e.value) for e in sr.iterall() if e.keyword == "TextValue"}
    assert {"function=grow", "input.seed=(-5,24.5,36)", "input.limit_hu=50"} <= said
    assert sr.VerificationFlag == "UNVERIFIED"


def test_the_same_call_finds_the_same_finding_and_stores_nothing(
    study: Any, wait_until: Wait
) -> None:
    first = study.call("grow", seed=study.place(3, 3, 4))
    stored(study, first["job"], wait_until)
    before = [(s.series_uid, s.instance_count) for s in study.room.archive.series(study.uid)]
    again = study.call("grow", seed=study.place(3, 3, 4), limit_hu=50)
    assert (again["job"], again["state"]) == (first["job"], "done")
    assert [f["id"] for f in again["findings"]] == [f["id"] for f in first["findings"]]
    other = study.call("grow", seed=study.place(3, 3, 4), limit_hu=60)
    assert other["job"] != first["job"]
    stored(study, other["job"], wait_until)
    after = [(s.series_uid, s.instance_count) for s in study.room.archive.series(study.uid)]
    assert len(after) == len(before) + 2
    assert all(count == 1 for uid, count in after if uid != study.series_uid)


def test_two_readers_asking_the_same_at_once_get_one_job(study: Any) -> None:
    answers: list[dict[str, Any]] = []
    asking = [
        threading.Thread(
            target=lambda: answers.append(study.call("grow", seed=study.place(2, 14, 22)))
        )
        for _ in range(3)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len({a["job"] for a in answers}) == 1
    [volume] = {value(a, "volume") for a in answers}
    assert volume == pytest.approx(3 * 8 * 8 * VOXEL_CM3)


def test_a_refusal_is_an_answer_and_says_nothing_about_the_study(
    room: Any, wait_until: Wait
) -> None:
    study = room.send()
    answer = study.call("grow", seed=study.place(6, 20, 3))
    assert (answer["state"], answer["findings"]) == ("refused", [])
    assert [r["text"] for r in answer["refusals"]] == ["Không có voxel nào sáng hơn 50 HU."]
    wait_until(lambda: room.rows(study.uid)[0].state == "refused", "ending")
    again = study.call("grow", seed=study.place(6, 20, 3))
    assert (again["job"], again["state"]) == (answer["job"], "refused")
    assert [r["text"] for r in again["refusals"]] == [r["text"] for r in answer["refusals"]]
    listed = room.client().get(f"/api/v1/studies/{study.uid}/findings").json()
    assert (listed["findings"], listed["refusals"]) == ([], [])
    assert room.client().get(f"/api/v1/studies/{study.uid}").json()["ai"]["state"] == "none"


@pytest.mark.parametrize(
    ("how", "said"),
    [("raise", "gặp lỗi"), ("crash", "bị ngắt"), ("slow", "quá 2 giây")],
)
def test_a_function_that_fails_is_told_and_the_next_call_works(
    how: str, said: str, study: Any
) -> None:
    answer = study.call("grow", seed=study.place(3, 3, 4), how=how)
    assert (answer["state"], answer["findings"]) == ("failed", [])
    [refusal] = answer["refusals"]
    assert refusal["code"] == "FAILED"
    assert said in refusal["text"]
    after = study.call("grow", seed=study.place(3, 4, 4))
    assert value(after, "volume") == pytest.approx(60 * VOXEL_CM3)


def test_a_failed_call_is_tried_again_when_repeated(study: Any, room: Any) -> None:
    first = study.call("grow", seed=study.place(3, 2, 4), how="raise")
    again = study.call("grow", seed=study.place(3, 2, 4), how="raise")
    assert first["job"] == again["job"]
    [row] = [r for r in room.rows(study.uid) if r.id == first["job"]]
    assert (row.state, row.attempts) == ("failed", 2)


def _line(study: Any) -> dict[str, Any]:
    return {
        "instance_uid": study.instance_uids[3],
        "start_mm": study.at(3, 2, 2),
        "end_mm": study.at(3, 2, 10),
    }


def _ellipse(study: Any, y: float = 3.0, x: float = 4.0) -> dict[str, Any]:
    ends = [(y - 2.2, x), (y + 2.2, x), (y, x - 1.7), (y, x + 1.7)]
    return {
        "instance_uid": study.instance_uids[3],
        "shape": "ellipse",
        "points_mm": [study.at(3, *end) for end in ends],
    }


def test_every_kind_of_place_arrives(study: Any) -> None:
    corners = [(11.5, 19.5), (19.5, 19.5), (19.5, 27.5), (11.5, 27.5)]
    contour = {
        "instance_uid": study.instance_uids[3],
        "points_mm": [study.at(3, *corner) for corner in corners],
    }
    points = [study.place(1, 2, 3), study.place(2, 3, 4)]
    answer = study.call(
        "inspect", line=_line(study), roi=_ellipse(study), contour=contour, points=points
    )
    [finding] = answer["findings"]
    assert finding["label"] == "2 points, 10.0 mm"
    assert finding["key_image"]["instance_uid"] == study.instance_uids[3]
    # The ellipse holds 11 voxels of the first box (100 HU), the contour 64 of the second (140 HU).
    assert value(answer, "mean_hu") == pytest.approx((11 * 100 + 64 * 140) / 75, abs=0.01)


def test_what_the_function_does_not_declare_is_not_stored(study: Any) -> None:
    answer = study.call("liar", line=_line(study), roi=_ellipse(study))
    assert answer["state"] == "failed"
    assert "không khai báo" in answer["refusals"][0]["text"]


def test_an_output_that_the_series_cannot_give_is_refused_with_its_rule(room: Any) -> None:
    study = room.send(KVP=80)
    answer = study.call("inspect", line=_line(study), roi=_ellipse(study))
    assert (answer["state"], answer["findings"]) == ("refused", [])
    [refusal] = answer["refusals"]
    assert (refusal["code"], refusal["subject"]) == ("TECHNIQUE", "mean_hu")
    assert "80 kVp" in refusal["text"]


def test_an_edited_mask_is_the_same_finding(study: Any, room: Any, wait_until: Wait) -> None:
    first = study.call("grow", seed=study.place(3, 3, 4))
    job = stored(study, first["job"], wait_until)
    [segment] = first["findings"][0]["segments"]
    strokes = [
        _stroke(study, "erase", 2, (0.5, 1.5), (5.5, 1.5), (5.5, 5.5), (0.5, 5.5)),
        _stroke(study, "paint", 5, (0.5, 1.5), (5.5, 1.5), (5.5, 3.5), (0.5, 3.5)),
    ]
    mask = {
        "seg_instance_uid": segment["seg_instance_uid"],
        "segment_number": segment["number"],
        "strokes": strokes,
    }
    answer = study.call("edit", mask=mask)
    assert value(answer, "volume") == pytest.approx((60 - 20 + 10) * VOXEL_CM3)
    [edited] = answer["findings"]
    assert edited["tracking_uid"] == first["findings"][0]["tracking_uid"]
    assert edited["id"] != first["findings"][0]["id"]
    after = stored(study, answer["job"], wait_until)
    assert after.seg_series_uid != job.seg_series_uid
    path = room.archive.path(after.seg_instance_uid)
    kept = read_segment(path, 1, study.instance_uids, (8, 24, 32))
    assert kept.tracking_uid == edited["tracking_uid"]
    assert [int(plane.sum()) for plane in kept.mask] == [0, 0, 0, 20, 20, 10, 0, 0]
    item = dcmread(path, stop_before_pixels=True).SegmentSequence[1]
    assert item.SegmentAlgorithmType == "SEMIAUTOMATIC"


def _stroke(study: Any, action: str, z: int, *corners: tuple[float, float]) -> dict[str, Any]:
    points = [study.at(z, *corner) for corner in corners]
    return {"action": action, "instance_uid": study.instance_uids[z], "points_mm": points}


def test_a_mask_that_is_not_there_is_a_problem(study: Any) -> None:
    mask = {"seg_instance_uid": study.instance_uids[0], "segment_number": 1}
    answer = study.post("edit", mask=mask)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "segmentation"
    first = study.call("grow", seed=study.place(3, 3, 4))
    [segment] = first["findings"][0]["segments"]
    gone = {"seg_instance_uid": segment["seg_instance_uid"], "segment_number": 9}
    answer = study.call("edit", mask=gone)
    assert answer["state"] == "failed"
    assert "has no segment 9" in answer["refusals"][0]["text"]


def test_a_broken_call_is_told_which_input_which_rule_and_what_to_do(study: Any) -> None:
    outside = {"instance_uid": study.instance_uids[0], "position_mm": [0, 0, 500]}
    answer = study.post("grow", seed=outside, limit_hu=900)
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "ENN-0211"
    assert body["title"] == "Dữ liệu đầu vào của công cụ chưa hợp lệ"
    assert [(e["input"], e["rule"]) for e in body["errors"]] == [
        ("seed", "outside"),
        ("limit_hu", "bounds"),
    ]
    assert "Điểm trong vùng sáng" in body["errors"][0]["message"]
    assert "hãy đặt lại" in body["errors"][0]["message"]
    english = study.room.client().post(
        f"/api/v1/studies/{study.uid}/functions/sample/grow?lang=en",
        json={"series_uid": study.series_uid, "inputs": {"seed": outside}},
    )
    assert "Seed in the bright region" in english.json()["detail"]


def test_what_is_not_there_is_not_found(study: Any, room: Any) -> None:
    assert study.post("nothing").status_code == 404
    client = room.client()
    body = {"series_uid": study.series_uid, "inputs": {}}
    assert client.post("/api/v1/studies/9.9/functions/sample/grow", json=body).status_code == 404
    there = f"/api/v1/studies/{study.uid}/functions"
    assert client.post(f"{there}/elsewhere/grow", json=body).status_code == 404
    other = {"series_uid": "9.9.9", "inputs": {"seed": study.place(3, 3, 4)}}
    assert client.post(f"{there}/sample/grow", json=other).status_code == 404
    assert client.post(f"{there}/sample/grow", json={"series_uid": "abc"}).status_code == 422


def test_a_package_that_is_off_answers_nothing(study: Any, room: Any) -> None:
    def switch(on: bool) -> None:
        with room.database.begin() as connection:
            connection.execute(update(package_states).values(enabled=on))

    switch(False)
    try:
        assert study.post("grow", seed=study.place(3, 3, 4)).status_code == 409
        listed = room.client().get(f"/api/v1/studies/{study.uid}/functions").json()
        assert listed["functions"] == []
    finally:
        switch(True)


def test_a_reader_alone_may_call(study: Any) -> None:
    for role in (Role.TECHNOLOGIST, Role.CLINICIAN, Role.ADMIN):
        answer = study.post("grow", role, seed=study.place(3, 3, 4))
        assert answer.status_code == 403
        address = f"/api/v1/studies/{study.uid}/functions"
        assert study.room.client(role).get(address).status_code == 200
        body = {"series_uid": study.series_uid}
        ready = study.room.client(role).post(f"{address}/prepare", json=body)
        assert ready.status_code == 403


def test_each_call_is_one_audit_event(room: Any) -> None:
    study = room.send()
    for _ in range(2):
        study.call("grow", seed=study.place(6, 20, 3))
    study.post("grow", seed=study.place(6, 20, 3), limit_hu=999)  # refused before it was a call
    with room.database.read() as connection:
        rows = connection.execute(
            select(audit).where(audit.c.action == "function.called", audit.c.study_uid == study.uid)
        ).all()
    assert [row.principal for row in rows] == ["bs.radiologist"] * 2
    assert '"function":"grow"' in rows[0].detail.replace(" ", "")


def test_functions_are_listed_with_the_series_they_fit_or_the_reason(room: Any) -> None:
    study = room.send(BodyPartExamined="HEAD")
    answer = room.client().get(f"/api/v1/studies/{study.uid}/functions").json()
    grow = next(f for f in answer["functions"] if f["id"] == "grow")
    assert grow["title"] == "Vùng sáng từ một điểm"
    assert [i["kind"] for i in grow["inputs"]] == ["seed", "number", "choice"]
    assert grow["inputs"][2]["choices"][0] == {"value": "well", "title": "Tốt"}
    [candidate] = grow["candidates"]
    assert (candidate["series_uid"], candidate["fits"]) == (study.series_uid, False)
    assert "HEAD" in candidate["reasons"][0]
    unfit = study.post("grow", seed=study.place(3, 3, 4))
    assert unfit.status_code == 422
    assert "HEAD" in unfit.json()["detail"]
    ready = room.client().post(
        f"/api/v1/studies/{study.uid}/functions/prepare", json={"series_uid": study.series_uid}
    )
    assert ready.json() == {"preparing": False}


def test_packages_list_their_functions(room: Any) -> None:
    listed = room.client().get("/api/v1/packages", params={"lang": "en"}).json()["packages"]
    [sample] = [p for p in listed if p["id"] == "sample"]
    assert [f["id"] for f in sample["functions"]] == ["grow", "edit", "inspect", "liar"]
    number = sample["functions"][0]["inputs"][1]
    assert (number["unit"], number["min"], number["max"]) == ("[hnsf'U]", 0.0, 200.0)


def test_a_prepared_series_is_decoded_before_it_is_asked_about(room: Any, wait_until: Wait) -> None:
    study = room.send()
    address = f"/api/v1/studies/{study.uid}/functions/prepare"
    assert room.client().post(address, json={"series_uid": study.series_uid}).status_code == 202
    answer = study.call("grow", seed=study.place(3, 3, 4))
    row = stored(study, answer["job"], wait_until)
    assert row.state == "done"


def test_without_a_worker_a_call_is_withdrawn_and_says_so(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = room.send()
    monkeypatch.setattr(prepare.Watch, "look", lambda self, connection: (False, []))
    monkeypatch.setattr(ask, "AWAY_SECONDS", 0.3)
    answer = study.post("grow", seed=study.place(3, 3, 4))
    assert answer.status_code == 504
    assert answer.json()["code"] == "ENN-0702"
    assert "Thử lại" in answer.json()["detail"]
    [row] = room.rows(study.uid)
    assert row.state == "failed"
    monkeypatch.undo()
    again = study.call("grow", seed=study.place(3, 3, 4))
    assert (again["job"], len(again["findings"])) == (row.id, 1)


def test_calls_and_studies_jobs_leave_each_other_alone(room: Any, wait_until: Wait) -> None:
    from ennead_pipelines.jobs.create import supersede_others

    study = room.send()
    first = study.call("grow", seed=study.place(3, 3, 4))
    stored(study, first["job"], wait_until)
    second = study.call("grow", seed=study.place(2, 14, 22))
    stored(study, second["job"], wait_until)
    with room.database.begin() as connection:  # as settling does for a newer job of the package
        assert not supersede_others(connection, study.uid, "sample", "another", "active")
        states = connection.execute(
            select(jobs.c.state).where(jobs.c.study_uid == study.uid)
        ).scalars()
        assert set(states) == {"done"}
    listed = room.client().get(f"/api/v1/studies/{study.uid}/findings").json()
    assert len(listed["findings"]) == 2
