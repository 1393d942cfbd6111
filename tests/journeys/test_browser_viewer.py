"""Each thing we do to OHIF, in the real bundle: to be run again at each upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ennead.testing import browser as chromium

pytestmark = [pytest.mark.browser, pytest.mark.package("lung"), pytest.mark.slow]

SHOWN = """() => {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
  return viewport?.getImageIds()[viewport.getCurrentImageIdIndex()] ?? '';
}"""
SEGMENTS = """() => {
  const { viewportGridService, segmentationService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  const [drawn] = segmentationService.getSegmentationRepresentations(id);
  return Object.values(drawn.segments)
    .filter((s) => s.segmentIndex > 0).map((s) => [s.segmentIndex, s.visible, [...s.color]]);
}"""


@pytest.fixture(scope="module")
def viewer(reading_room: Any, browser: Any) -> Iterator[Any]:
    """A page with the study open in the viewer."""
    context = reading_room.enter(browser)
    page = context.new_page()
    page.trouble = chromium.Trouble(page, reading_room.instance.base_url)
    reading_room.open_viewer(page)
    yield page
    context.close()


@pytest.fixture
def findings(reading_room: Any) -> list[dict[str, Any]]:
    uid = reading_room.study_uid
    answer = reading_room.instance.client.get(f"/api/v1/studies/{uid}/findings")
    found: list[dict[str, Any]] = answer.json()["findings"]
    return found


def test_mode_panel_is_open_and_parametric_maps_are_out(viewer: Any) -> None:
    assert viewer.locator(".ennead-findings .ef-card").count() >= 2
    handlers = viewer.evaluate("() => window.services.displaySetService.SOPClassHandlerIds")
    assert any("dicom-seg" in name for name in handlers)
    assert not any("pmap" in name for name in handlers)


def test_appearance_way_back_and_banner(viewer: Any) -> None:
    assert viewer.locator("a.ennead-home").get_attribute("href") == "/studies"
    assert "CHƯA XÁC NHẬN" in viewer.locator(".ennead-banner").inner_text()


def test_language_of_ohifs_own_words(viewer: Any) -> None:
    assert viewer.get_by_text("Các ca", exact=True).count() == 1
    viewer.locator("[data-cy=WindowLevel]").hover()
    viewer.get_by_role("tooltip").get_by_text("Cửa sổ").first.wait_for()
    viewer.mouse.move(700, 400)


def test_jump_goes_to_the_key_image_of_each_finding(
    viewer: Any, findings: list[dict[str, Any]]
) -> None:
    for index, finding in enumerate(findings):
        viewer.locator(".ef-title").nth(index).click()
        uid = finding["key_image"]["instance_uid"]
        viewer.wait_for_function(f"() => ({SHOWN})().includes('/instances/{uid}/')")


def test_keys_walk_through_the_findings(viewer: Any, findings: list[dict[str, Any]]) -> None:
    viewer.locator(".ef-title").first.click()
    viewer.keyboard.press("n")
    viewer.wait_for_selector(f".ef-card[data-active=true][data-finding='{findings[1]['id']}']")
    viewer.keyboard.press("p")
    viewer.wait_for_selector(f".ef-card[data-active=true][data-finding='{findings[0]['id']}']")


def test_overlay_has_our_colours_and_follows_the_eye(
    viewer: Any, findings: list[dict[str, Any]]
) -> None:
    [segment] = findings[0]["segments"]
    number = segment["number"]
    before = {s[0]: s for s in viewer.evaluate(SEGMENTS)}
    assert before[number] == [number, True, [*segment["colour"], 255]]
    card = viewer.locator(".ef-card").first
    card.locator(".ef-icon").click()
    viewer.wait_for_function(f"() => ({SEGMENTS})().some(s => s[0] === {number} && !s[1])")
    assert sum(s[1] for s in viewer.evaluate(SEGMENTS)) == len(before) - 1
    card.locator(".ef-icon").click()
    viewer.wait_for_function(f"() => ({SEGMENTS})().every(s => s[1])")


def test_overlay_lets_the_lung_be_seen(viewer: Any) -> None:
    alpha = viewer.evaluate(
        "() => window.services.segmentationService.getStyle({ type: 'Labelmap' }).fillAlpha"
    )
    assert alpha == pytest.approx(0.22)


def test_a_value_leads_to_its_formula(viewer: Any, findings: list[dict[str, Any]]) -> None:
    measurement = findings[0]["measurements"][0]
    viewer.locator(".ef-value").first.click()
    shown = viewer.locator(".ef-method").first.inner_text()
    assert measurement["formula"] in shown
    assert measurement["reference"] in shown
    viewer.locator(".ef-value").first.click()


def test_reject_form_opens_and_closes_by_keys_without_deciding(viewer: Any) -> None:
    viewer.locator(".ef-title").first.click()
    viewer.keyboard.press("r")
    viewer.get_by_text("Vì sao bác bỏ?").wait_for()
    viewer.keyboard.press("Escape")
    viewer.get_by_text("Vì sao bác bỏ?").wait_for(state="detached")
    viewer.keyboard.press("e")
    field = viewer.locator(".ef-form input").first
    field.fill("abc")
    viewer.get_by_text("Hãy nhập một số").wait_for()
    viewer.keyboard.press("Escape")
    assert viewer.locator(".ef-card[data-state=proposed]").count() >= 2


def test_next_study_opens_in_the_running_viewer(viewer: Any, reading_room: Any) -> None:
    """Last but one: the study in the address changes, the application stays."""
    other = reading_room.send_another()
    viewer.reload()
    viewer.wait_for_selector(".ennead-findings[data-overlay=true]", timeout=90_000)
    viewer.evaluate("() => { window.sameApplication = true; }")
    viewer.locator(".ennead-next").click()
    viewer.wait_for_url(f"**StudyInstanceUIDs={other}*")
    viewer.wait_for_function(f"() => ({SHOWN})().includes('/studies/{other}/')", timeout=60_000)
    viewer.wait_for_selector(".ennead-findings[data-overlay=true]", timeout=60_000)
    assert viewer.evaluate("() => window.sameApplication") is True


def test_nothing_failed_and_nothing_left_the_machine(viewer: Any) -> None:
    assert viewer.trouble.foreign == []
    # Before the login the page asks who is there; that one answer is 401.
    assert [e for e in viewer.trouble.errors if "401" not in e] == []


def test_without_a_session_the_viewer_asks_to_log_in(reading_room: Any, browser: Any) -> None:
    context = reading_room.enter(browser)
    page = context.new_page()
    page.goto(f"/viewer?StudyInstanceUIDs={reading_room.study_uid}")
    assert page.url.endswith(
        f"/login?next=%2Fviewer%3FStudyInstanceUIDs%3D{reading_room.study_uid}"
    )
    context.close()
