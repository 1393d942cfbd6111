"""The portal in a hand: 390 pixels wide, touched, without WebGL."""

from __future__ import annotations

from typing import Any

import pytest

from ennead.testing import browser as chromium

pytestmark = [pytest.mark.browser, pytest.mark.package("lung"), pytest.mark.slow]
WIDER = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture
def phone(reading_room: Any, browser: Any) -> Any:
    context = reading_room.enter(browser, chromium.PHONE, touch=True)
    page = context.new_page()
    reading_room.log_in(page)
    yield page
    context.close()


def test_worklist_and_study_fit_the_hand(phone: Any, reading_room: Any) -> None:
    row = phone.locator(f"[data-study='{reading_room.study_uid}']")
    row.wait_for()
    assert phone.evaluate(WIDER) <= 0
    reading_room.keep(phone, "phone-1-worklist")
    row.tap()
    phone.get_by_text("Phổi phải").first.wait_for()
    assert phone.evaluate(WIDER) <= 0
    reading_room.keep(phone, "phone-2-study")


def test_quick_look_scrolls_by_touch_and_jumps(
    phone: Any, reading_room: Any, page_colours: Any
) -> None:
    phone.goto(f"/studies/{reading_room.study_uid}")
    phone.get_by_role("link", name="Xem nhanh").tap()
    image = phone.locator(".en-stage img")
    image.wait_for()
    phone.wait_for_function("() => document.querySelector('.en-stage img').naturalWidth > 0")
    first = image.get_attribute("data-instance")
    assert phone.evaluate(WIDER) <= 0
    _, grey = page_colours(phone, ".en-stage")
    assert grey > 5000

    box = phone.locator(".en-stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    phone.mouse.move(x, y)
    phone.mouse.down()
    phone.mouse.move(x, y + 60, steps=6)
    phone.mouse.up()
    scrolled = image.get_attribute("data-instance")
    assert scrolled != first

    findings = reading_room.instance.client.get(
        f"/api/v1/studies/{reading_room.study_uid}/findings"
    ).json()["findings"]
    phone.locator(".ef-title").nth(1).tap()
    key = findings[1]["key_image"]["instance_uid"]
    phone.wait_for_selector(f".en-stage img[data-instance='{key}']")
    phone.get_by_text("CHƯA XÁC NHẬN").first.wait_for()
    reading_room.keep(phone, "phone-3-quick-look")


def test_window_presets_change_the_picture(phone: Any, reading_room: Any) -> None:
    phone.goto(f"/studies/{reading_room.study_uid}/images")
    image = phone.locator(".en-stage img")
    image.wait_for()
    assert "window=-600%2C1500%2Clinear" in image.get_attribute("src")
    phone.get_by_text("Trung thất").tap()
    phone.wait_for_function(
        "() => document.querySelector('.en-stage img').src.includes('window=40%2C400')"
    )
    phone.wait_for_function("() => document.querySelector('.en-stage img').naturalWidth > 0")


def test_an_english_browser_reads_one_language(reading_room: Any, browser: Any) -> None:
    """What the portal says and what the server answers change together."""
    base_url = reading_room.instance.base_url
    context = chromium.context(browser, base_url, chromium.PHONE, locale="en-US")
    page = context.new_page()
    reading_room.log_in(page)
    page.goto(f"/studies/{reading_room.study_uid}")
    page.get_by_text("Đã nhận 105 ảnh").wait_for()
    assert page.get_by_text("Received").count() == 0
    page.get_by_text("EN", exact=True).click()
    page.get_by_text("Received: 105 images").wait_for()
    assert page.get_by_text("Đã nhận").count() == 0
    page.reload()
    page.get_by_text("Received: 105 images").wait_for()
    context.close()
