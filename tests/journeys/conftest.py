"""A reading room for the browser journeys: one server, one study with results, one reader."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ennead.testing import browser as chromium
from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead.testing.phantoms import chest_phantom

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

READER, PASSWORD, NAME = "bs.an", "mật khẩu dài và dễ nhớ", "BS. Nguyễn Văn An"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ReadingRoom:
    """What the journeys share."""

    instance: Instance
    study_uid: str
    folder: Path
    artefacts: Path

    def enter(
        self, browser: Browser, size: tuple[int, int] = chromium.DESKTOP, *, touch: bool = False
    ) -> BrowserContext:
        return chromium.context(browser, self.instance.base_url, size, touch=touch)

    def log_in(self, page: Page, target: str = "/studies") -> None:
        chromium.log_in(page, READER, PASSWORD, target)

    def open_viewer(self, page: Page) -> None:
        """Log in and wait until images, overlay and findings stand in the viewer."""
        self.log_in(page, f"/viewer?StudyInstanceUIDs={self.study_uid}")
        page.wait_for_selector(".ennead-findings[data-overlay=true]", timeout=90_000)

    def send_another(self) -> str:
        """A second study of the same shape, with its findings; returns its UID."""
        return _send(self.instance, self.folder / "another", "Lê^Thị^Hồng", "BN-0002")

    def keep(self, page: Page, name: str) -> None:
        chromium.screenshot(page, self.artefacts, name)


def _send(
    instance: Instance, folder: Path, patient: str, patient_id: str, spacing_mm: float = 3.0
) -> str:
    """The phantom as a patient's study, sent by dcmtk and measured; returns its UID."""
    phantom = chest_phantom("isotropic", spacing_mm=spacing_mm)
    files = write_series(
        phantom.values,
        phantom.grid,
        folder,
        PatientName=patient,
        PatientID=patient_id,
        PatientSex="F",
        PatientBirthDate="19580412",
        StudyDescription="CT ngực không tiêm thuốc",
        AccessionNumber="A-1181",
        SpecificCharacterSet="ISO_IR 192",
        KVP=120,
        ConvolutionKernel="B30f",
    )
    study_uid = journeys.study_uid_of(files)
    journeys.send(instance, folder)
    [job] = journeys.wait_for_jobs(instance, study_uid, package="lung")
    assert job["state"] == "done", job
    return study_uid


def make_room(folder: Path, patient: str, spacing_mm: float = 3.0) -> Iterator[ReadingRoom]:
    """A server of its own with the chest phantom measured; stopped at the end."""
    if not chromium.is_available():
        pytest.skip(f"{chromium.CHROMIUM} or playwright is missing: apt-get install chromium")
    if not (ROOT / "platform" / "web" / "dist" / "files.json").exists():
        pytest.skip("the web is not built: make setup")
    instance = Instance(folder / "home", {"pipelines__quiet_s": 2})
    try:
        instance.start()
        instance.run(
            *("users", "add", READER, "--role", "radiologist", "--display-name", NAME),
            *("--password", PASSWORD),
        )
        study_uid = _send(instance, folder / "study", patient, "BN-0001", spacing_mm)
        artefacts = Path(os.environ.get("ENNEAD_TEST_ARTEFACTS", ROOT / "test-artefacts"))
        yield ReadingRoom(instance, study_uid, folder, artefacts)
    finally:
        instance.close()


@pytest.fixture(scope="module")
def reading_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    """Shared by journeys that decide nothing."""
    yield from make_room(tmp_path_factory.mktemp("reading-room"), "Trần^Quốc^Toản")


@pytest.fixture
def fresh_room(tmp_path: Path) -> Iterator[ReadingRoom]:
    """A room where nothing has been decided yet."""
    yield from make_room(tmp_path, "Đặng^Thị^Ánh")


@pytest.fixture(scope="module")
def thin_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    """Slices thin enough to measure nodules."""
    yield from make_room(tmp_path_factory.mktemp("thin-room"), "Phạm^Thị^Duyên", 2.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    if not chromium.is_available():
        pytest.skip(f"{chromium.CHROMIUM} or playwright is missing: apt-get install chromium")
    with chromium.chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def page_colours() -> Callable[..., tuple[int, int]]:
    """Of a page's element: how many pixels are clearly coloured, and how many are grey."""

    def count(page: Page, selector: str = ".cornerstone-canvas") -> tuple[int, int]:
        png = page.locator(selector).first.screenshot()
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        spread = pixels.max(axis=-1) - pixels.min(axis=-1)
        grey = (spread < 20) & (pixels.max(axis=-1) > 40)
        return int((spread > 60).sum()), int(grey.sum())

    return count
