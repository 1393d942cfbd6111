"""Done when 6: log in, find, open, see, accept, reject; the archive holds the verified report."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest

from ennead.database import Database
from ennead.security import audit
from ennead.settings import Settings
from ennead.testing import browser as chromium
from ennead.testing import journeys
from ennead.testing.instance import Instance

pytestmark = [pytest.mark.browser, pytest.mark.package("lung"), pytest.mark.slow]


def _reports(instance: Instance, study_uid: str) -> list[pydicom.Dataset]:
    """Every SR of the study, oldest first by what they replace."""
    found = []
    for result in journeys.result_instances(instance, study_uid):
        if journeys.value(result, "00080016") == journeys.COMPREHENSIVE_3D_SR:
            series, uid = (journeys.value(result, tag) for tag in ("0020000E", "00080018"))
            answer = instance.client.get(
                f"/dicom-web/studies/{study_uid}/series/{series}/instances/{uid}",
                headers={"Accept": "application/dicom"},
            )
            found.append(pydicom.dcmread(io.BytesIO(answer.content)))
    return found


def _texts(dataset: pydicom.Dataset) -> list[str]:
    """Every code value in the content tree."""
    return [str(e.value) for e in dataset.iterall() if e.keyword == "CodeValue"]


def test_a_radiologist_reads_a_study(fresh_room: Any, browser: Any, page_colours: Any) -> None:
    room = fresh_room
    context = room.enter(browser)
    page = context.new_page()
    room.log_in(page)
    page.wait_for_selector("[data-study]")
    room.keep(page, "desktop-1-worklist")

    # A name typed without accents, then the keyboard alone.
    trouble = chromium.Trouble(page, room.instance.base_url)
    page.keyboard.press("/")
    page.keyboard.type("dang thi anh")
    page.wait_for_url("**search=dang*")
    row = page.locator(f"[data-study='{room.study_uid}']")
    row.wait_for()
    assert page.locator("[data-study]").count() == 1
    assert "Đặng Thị Ánh" in row.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{room.study_uid}")
    page.get_by_text("Phổi phải").first.wait_for()
    page.get_by_text("CHƯA XÁC NHẬN").first.wait_for()
    room.keep(page, "desktop-2-study")

    page.get_by_role("link", name="Mở trình xem").first.click()
    page.wait_for_selector(".ennead-findings[data-overlay=true]", timeout=90_000)
    cards = page.locator(".ef-card")
    assert cards.count() >= 2
    assert cards.locator(".ef-state strong", has_text="CHƯA XÁC NHẬN").count() == cards.count()
    coloured, grey = page_colours(page)
    assert coloured > 2000, "the overlay is drawn"
    assert grey > 20_000, "the image is drawn"
    room.keep(page, "desktop-3-viewer")

    right = page.locator(".ef-card[aria-label='Phổi phải']")
    right.get_by_role("button", name="Chấp nhận").click()
    page.wait_for_selector(".ef-card[aria-label='Phổi phải'][data-state=accepted]")
    assert "BS. Nguyễn Văn An" in right.inner_text()
    assert "CHƯA XÁC NHẬN" not in right.inner_text()

    page.locator(".ef-card[aria-label='Phổi trái'] .ef-title").click()
    page.keyboard.press("r")
    page.get_by_label("Sai kích thước").check()
    page.get_by_label("Ghi chú").fill("Ranh giới lệch")
    page.locator(".ef-danger").click()
    page.wait_for_selector(".ef-card[aria-label='Phổi trái'][data-state=rejected]")
    room.keep(page, "desktop-4-decided")
    assert trouble.errors == []
    assert trouble.foreign == []
    context.close()

    first, *successors = _reports(room.instance, room.study_uid)
    verified = [r for r in [first, *successors] if r.VerificationFlag == "VERIFIED"]
    assert len(verified) == 2
    replaced = {
        item.ReferencedSOPInstanceUID
        for report in verified
        for study in report.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    [newest] = [r for r in verified if r.SOPInstanceUID not in replaced]
    observer = newest.VerifyingObserverSequence[0]
    assert "Nguyễn Văn An" in str(observer.VerifyingObserverName)
    assert {"accepted", "rejected", "wrong-size"} <= set(_texts(newest))

    settings = Settings.load(room.instance.home)
    database = Database(settings.database_url)
    try:
        with database.read() as connection:
            assert audit.verify(connection).problems == ()
    finally:
        database.close()


def test_the_worklist_moves_by_itself(fresh_room: Any, browser: Any) -> None:
    """Switching a package off and deciding in another window show without a reload."""
    room = fresh_room
    context = room.enter(browser)
    page = context.new_page()
    room.log_in(page)
    row = page.locator(f"[data-study='{room.study_uid}']")
    row.get_by_text("Chờ xác nhận").wait_for()
    other = context.new_page()
    other.goto(f"/studies/{room.study_uid}/images")
    for name in ("Phổi phải", "Phổi trái", "Hai phổi"):
        card = other.locator(f".ef-card[aria-label='{name}']")
        card.get_by_role("button", name="Chấp nhận").click()
        other.wait_for_selector(f".ef-card[aria-label='{name}'][data-state=accepted]")
    row.get_by_text("Đã xác nhận").wait_for(timeout=15_000)
    context.close()
