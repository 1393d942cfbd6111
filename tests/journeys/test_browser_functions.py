"""A reader measures a nodule in the real viewer: one click, a finding, its overlay, its report."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest

from ennead.testing import browser as chromium
from ennead.testing import journeys
from ennead.testing.phantoms import chest_phantom

pytestmark = [pytest.mark.browser, pytest.mark.package("lung"), pytest.mark.slow]

#: Show the slice nearest to a point (LPS mm); where it is on the page, or null while it loads.
SHOW = """(point) => {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
  const planes = viewport.getImageIds().map((imageId) => ({
    imageId,
    z: window.cornerstone.metaData.get('imagePlaneModule', imageId).imagePositionPatient[2],
  }));
  planes.sort((a, b) => Math.abs(a.z - point[2]) - Math.abs(b.z - point[2]));
  const wanted = planes[0].imageId;
  if (viewport.getCurrentImageId() !== wanted) {
    viewport.setViewReference({ referencedImageId: wanted });
    viewport.render();
    return null;
  }
  const [x, y] = viewport.worldToCanvas([point[0], point[1], planes[0].z]);
  const box = viewport.element.getBoundingClientRect();
  return [box.left + x, box.top + y];
}"""
OURS_LEFT = """() => window.cornerstoneTools.annotation.state.getAllAnnotations()
  .filter((a) => a.metadata.toolName.startsWith('Ennead')).length"""
PRIMARY = """() => {
  const id = window.services.viewportGridService.getActiveViewportId();
  return window.cornerstoneTools.ToolGroupManager.getToolGroupForViewport(id)
    .getActivePrimaryMouseButtonTool();
}"""
DRAWN = """() => {
  const { viewportGridService, segmentationService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  return segmentationService.getSegmentationRepresentations(id).length;
}"""
NODULE = next(
    n
    for n in chest_phantom("isotropic", spacing_mm=6.0).truth["nodules"]
    if (n["side"], n["diameter_mm"]) == ("right", 20.0)
)


@pytest.fixture(scope="module")
def viewer(thin_room: Any, browser: Any) -> Iterator[Any]:
    context = thin_room.enter(browser)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.trouble = chromium.Trouble(page, thin_room.instance.base_url)
    thin_room.open_viewer(page)
    yield page
    context.close()


def place(page: Any, point: tuple[float, float, float]) -> tuple[float, float]:
    """Where a point of the patient is on the page, its slice being shown."""
    page.wait_for_function(f"(p) => ({SHOW})(p) !== null", arg=list(point))
    x, y = page.evaluate(SHOW, list(point))
    return float(x), float(y)


def shift(x: float = 0, y: float = 0, z: float = 0) -> tuple[float, float, float]:
    cx, cy, cz = NODULE["centre_mm"]
    return cx + x, cy + y, cz + z


def test_the_list_opens_by_key_and_says_what_fits(viewer: Any, thin_room: Any) -> None:
    viewer.keyboard.press("f")
    listed = viewer.locator(".en-list button")
    listed.first.wait_for()
    assert "Đo nốt phổi" in listed.first.inner_text()
    thin_room.keep(viewer, "functions-1-list")
    viewer.keyboard.press("Escape")
    listed.first.wait_for(state="detached")


def test_a_click_in_air_is_refused_in_words_and_escape_cancels(viewer: Any) -> None:
    before = viewer.evaluate(PRIMARY)
    viewer.keyboard.press("f")
    viewer.keyboard.press("1")
    viewer.get_by_text("Bấm vào ảnh để đặt.").wait_for()
    assert viewer.evaluate(PRIMARY) == "EnneadPoint"
    viewer.mouse.click(*place(viewer, shift(z=35, y=20)))
    refusal = viewer.locator(".en-form .ef-error")
    refusal.wait_for(timeout=30_000)
    assert "hãy bấm vào giữa nốt" in refusal.inner_text()
    viewer.keyboard.press("Escape")
    viewer.locator(".en-form").wait_for(state="detached")
    assert viewer.evaluate(OURS_LEFT) == 0
    assert viewer.evaluate(PRIMARY) == before
    assert viewer.locator(".ef-card[aria-label='Nốt phổi']").count() == 0


def test_a_click_in_a_nodule_becomes_a_finding_with_its_overlay(
    viewer: Any, thin_room: Any
) -> None:
    drawn = viewer.evaluate(DRAWN)
    viewer.locator(".en-list button").first.click()
    viewer.mouse.click(*place(viewer, shift()))
    card = viewer.locator(".ef-card[aria-label='Nốt phổi']")
    card.wait_for(timeout=30_000)
    assert card.get_attribute("data-active") == "true"
    volume = card.locator(".ef-measurement", has_text="Thể tích nốt").locator(".ef-number")
    number = float(volume.inner_text().split()[0].replace(",", "."))
    assert number == pytest.approx(NODULE["volume_mm3"], rel=0.05)
    assert "mm³" in volume.inner_text()
    viewer.wait_for_function(f"() => ({DRAWN})() > {drawn}", timeout=30_000)
    viewer.wait_for_selector(".ennead-findings[data-overlay=true]", timeout=30_000)
    assert viewer.evaluate(OURS_LEFT) == 0
    assert viewer.evaluate("() => window.services.measurementService.getMeasurements().length") == 0
    thin_room.keep(viewer, "functions-2-nodule")


def test_the_reader_edits_the_outline_and_it_is_measured_again(viewer: Any, thin_room: Any) -> None:
    viewer.locator(".en-list button", has_text="Sửa viền nốt phổi").click()
    viewer.get_by_label("Nốt cần sửa").select_option(index=1)
    viewer.get_by_role("button", name="Xoá bớt").click()
    # A stroke round the nodule's patient-right half on its middle slice.
    corners = [shift(-14, -14), shift(0, -14), shift(0, 14), shift(-14, 14), shift(-14, -13)]
    path = [place(viewer, corner) for corner in corners]
    viewer.mouse.move(*path[0])
    viewer.mouse.down()
    for x, y in path[1:]:
        viewer.mouse.move(x, y, steps=12)
    viewer.mouse.up()
    viewer.get_by_text("1 nét").wait_for()
    thin_room.keep(viewer, "functions-3-edit")
    viewer.keyboard.press("Enter")
    cards = viewer.locator(".ef-card[aria-label='Nốt phổi']")
    viewer.wait_for_function(
        "() => document.querySelectorAll(\".ef-card[aria-label='Nốt phổi']\").length === 2"
    )
    volumes = [
        float(text.split()[0].replace(",", "."))
        for text in cards.locator(".ef-measurement", has_text="Thể tích nốt")
        .locator(".ef-number")
        .all_inner_texts()
    ]
    less = max(volumes) - min(volumes)
    # Half a disc of 20 mm, one slice of 2 mm thick.
    assert less == pytest.approx(3.14159 * 100 / 2 * 2, rel=0.25)


def test_accepting_it_writes_a_verified_successor(viewer: Any, thin_room: Any) -> None:
    instance, study = thin_room.instance, thin_room.study_uid
    found = [
        f for f in journeys.findings(instance, study, "vi")["findings"] if f["title"] == "Nốt phổi"
    ]
    assert len({f["tracking_uid"] for f in found}) == 1
    first = max(found, key=lambda f: f["measurements"][-1]["value"])
    card = viewer.locator(f".ef-card[data-finding='{first['id']}']")
    card.locator(".ef-title").click()
    viewer.keyboard.press("a")
    viewer.wait_for_selector(f".ef-card[data-finding='{first['id']}'][data-state=accepted]")
    thin_room.keep(viewer, "functions-4-accepted")

    reports = []
    for result in journeys.result_instances(instance, study):
        if journeys.value(result, "00080016") == journeys.COMPREHENSIVE_3D_SR:
            series, uid = (journeys.value(result, tag) for tag in ("0020000E", "00080018"))
            answer = instance.client.get(
                f"/dicom-web/studies/{study}/series/{series}/instances/{uid}",
                headers={"Accept": "application/dicom"},
            )
            reports.append(pydicom.dcmread(io.BytesIO(answer.content)))
    [verified] = [r for r in reports if r.VerificationFlag == "VERIFIED"]
    replaced = [
        item.ReferencedSOPInstanceUID
        for each in verified.PredecessorDocumentsSequence
        for series in each.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert replaced == [first["sr_instance_uid"]]
    said = {str(e.value) for e in verified.iterall() if e.keyword == "CodeValue"}
    assert {"27925004", "accepted", "103339001", "118565006"} <= said
    parameters = {str(e.value) for e in verified.iterall() if e.keyword == "TextValue"}
    assert "function=nodule_seed" in parameters


def test_nothing_failed_and_nothing_left_the_machine(viewer: Any) -> None:
    assert viewer.trouble.foreign == []
    assert [e for e in viewer.trouble.errors if "401" not in e] == []
