"""The engine's pages: packages, rules, queue, devices, and a model added without code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ennead.testing import browser as chromium
from ennead_models.testing.onnx_file import write_onnx

pytestmark = [pytest.mark.browser, pytest.mark.package("lung"), pytest.mark.slow]

ADMIN = "qt"
PASSWORD = "mật khẩu dài và dễ nhớ"
WIDTH = "() => document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def engine(reading_room: Any) -> Any:
    """The reading room with an administrator."""
    reading_room.instance.run(
        *("users", "add", ADMIN, "--role", "admin", "--display-name", "Quản trị"),
        *("--password", PASSWORD),
    )
    return reading_room


@pytest.fixture(scope="module")
def page(engine: Any, browser: Any) -> Iterator[Any]:
    context = engine.enter(browser)
    opened = context.new_page()
    chromium.log_in(opened, ADMIN, PASSWORD, "/packages")
    yield opened
    context.close()


def test_a_package_shows_its_facts_and_keeps_a_certificate(engine: Any, page: Any) -> None:
    page.goto("/packages")
    page.get_by_role("button", name="Cần biết trước khi bật").first.click()
    page.get_by_text("Không truy cập kho ảnh, cơ sở dữ liệu hay mạng.").first.wait_for()
    page.get_by_role("button", name="Giấy chứng nhận").first.click()
    page.get_by_role("button", name="Lưu một giấy chứng nhận").click()
    page.get_by_label("Cơ quan cấp").fill("Sở Y tế")
    page.get_by_label("Số giấy").fill("12/2026")
    page.get_by_label("Phạm vi ghi trên giấy").fill("đo thể tích phổi")
    page.get_by_role("button", name="Lưu vào hồ sơ").click()
    page.get_by_text("Sở Y tế · 12/2026").wait_for()
    page.get_by_text("Ennead không cấp và không xác nhận giấy này", exact=False).wait_for()
    engine.keep(page, "engine-1-packages")

    page.get_by_role("link", name="Xem thông tin đầy đủ").first.click()
    page.get_by_role("heading", name="Cảnh báo và giới hạn").wait_for()
    page.get_by_text("12/2026", exact=False).first.wait_for()
    engine.keep(page, "engine-2-facts")


def test_a_rule_is_tried_before_it_is_saved(engine: Any, page: Any) -> None:
    page.goto("/rules")
    page.get_by_role("button", name="Thêm quy tắc").first.click()
    page.get_by_label("Tên", exact=True).fill("Không chạy ban ngày")
    page.get_by_text("Không chạy", exact=True).first.click()
    page.get_by_role("button", name="Thử", exact=True).click()
    page.get_by_text("1 ca: 0 sẽ chạy", exact=False).wait_for()
    assert engine.instance.client.get("/api/v1/rules").json()["rules"] == []
    engine.keep(page, "engine-3-rule-tried")
    page.get_by_role("button", name="Lưu và áp dụng").click()
    page.get_by_text("không chạy", exact=False).first.wait_for()
    [rule] = engine.instance.client.get("/api/v1/rules").json()["rules"]
    assert rule["name"] == "Không chạy ban ngày"
    assert rule["action"]["run"] is False


def test_the_queue_shows_the_job_that_ended(engine: Any, page: Any) -> None:
    page.goto("/queue")
    page.get_by_role("heading", name="Vừa kết thúc").wait_for()
    page.get_by_text("Trần Quốc Toản", exact=False).first.wait_for()
    engine.keep(page, "engine-4-queue")


def test_devices_show_the_processors(engine: Any, page: Any) -> None:
    page.goto("/devices")
    page.get_by_text("GiB", exact=False).first.wait_for(timeout=15_000)
    page.get_by_text("Không có mô hình nào đang mở", exact=False).wait_for()
    engine.keep(page, "engine-5-devices")


def test_a_network_becomes_a_model_without_code(engine: Any, page: Any, tmp_path: Path) -> None:
    page.goto("/models")
    page.get_by_role("link", name="Thêm mô hình").first.click()
    network = write_onnx(tmp_path / "liver.onnx")
    page.locator("input[type=file]").first.set_input_files(str(network))
    page.wait_for_url("**draft=*", timeout=60_000)
    page.get_by_text("Còn 8 câu cần trả lời.").first.wait_for()

    page.get_by_label("Tên tiếng Việt").fill("Gan")
    page.get_by_label("Mục đích sử dụng (tiếng Anh)").fill("Marks what is bright.")
    page.get_by_label("Mục đích sử dụng (tiếng Việt)").fill("Đánh dấu vùng sáng.")
    page.get_by_role("combobox", name="Giấy phép của trọng số").fill("Apache-2.0")
    page.locator("[data-question=modality] input:visible").first.fill("CT")
    page.keyboard.press("Enter")
    page.locator("[data-question=orientation] input").first.click()
    page.get_by_role("option", name="RAS").click()
    page.locator("[data-question=intensity] input").first.click()
    page.get_by_role("option", name="giữ nguyên giá trị").click()
    page.get_by_role("button", name="Thêm nhãn").click()
    labels = page.locator("[data-question=labels]")
    labels.get_by_label("Tên tiếng Anh").fill("Liver")
    labels.get_by_label("Tên tiếng Việt").fill("Gan")
    labels.locator("input[aria-haspopup=listbox]").first.fill("liver")
    page.get_by_role("option", name="SCT:10200004 Liver", exact=True).click()
    page.get_by_text("Đã đủ câu trả lời", exact=False).wait_for()

    page.reload()
    page.get_by_text("Đã đủ câu trả lời", exact=False).wait_for()
    licence = page.get_by_role("combobox", name="Giấy phép của trọng số")
    assert licence.input_value() == "Apache-2.0"
    page.get_by_label("Tôi đã đọc và chấp nhận giấy phép này").check()
    engine.keep(page, "engine-6-wizard")
    page.get_by_role("button", name="Cài đặt").click()
    page.wait_for_url("**/models/liver?version=1.0.0", timeout=120_000)
    page.get_by_text("Đã cài và ca chuẩn đã lặp lại được", exact=False).wait_for()
    engine.keep(page, "engine-7-model")

    page.goto("/models")
    card = page.get_by_role("article", name="Gan")
    card.get_by_text("Đã cài", exact=True).wait_for()


def test_every_page_fits_the_hand(engine: Any, browser: Any) -> None:
    context = engine.enter(browser, chromium.PHONE, touch=True)
    phone = context.new_page()
    chromium.log_in(phone, ADMIN, PASSWORD, "/packages")
    for number, (address, heading) in enumerate(
        [
            ("/packages", "Gói AI"),
            ("/packages/lung", "Cảnh báo và giới hạn"),
            ("/models", "Mô hình"),
            ("/models/new", "Thêm mô hình"),
            ("/devices", "Thiết bị"),
            ("/queue", "Hàng đợi"),
            ("/rules", "Quy tắc của bệnh viện"),
        ]
    ):
        phone.goto(address)
        phone.get_by_role("heading", name=heading).first.wait_for()
        phone.wait_for_load_state("load")
        # The window of a phone grows with what is too wide: compare with what it was made with.
        assert phone.evaluate(WIDTH) <= chromium.PHONE[0], address
        engine.keep(phone, f"engine-phone-{number}")
    context.close()
