"""The system's Chromium for browser tests, driven by Playwright, with no service of its maker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM: Final = Path("/usr/bin/chromium")
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Software GL, and no service of the browser's maker."""

_HEADLESS_NOISE: Final = ("GPU stall due to ReadPixels", "Download the React DevTools")


class Trouble:
    """What a page complained about: errors of scripts and console, requests to other hosts."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self._console(m.type, m.text))
        page.on("request", lambda request: self._request(request.url, base_url))

    def _console(self, kind: str, text: str) -> None:
        if kind == "error" and not any(noise in text for noise in _HEADLESS_NOISE):
            self.errors.append(text)

    def _request(self, url: str, base_url: str) -> None:
        if not url.startswith((base_url, "data:", "blob:")):
            self.foreign.append(url)


def is_available() -> bool:
    """Whether the system's Chromium and Playwright's driver are both here."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return False
    return CHROMIUM.exists()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


def context(
    browser: Browser,
    base_url: str,
    size: tuple[int, int] = DESKTOP,
    *,
    touch: bool = False,
    locale: str = "vi-VN",
) -> BrowserContext:
    """A fresh, logged-out profile of a reader whose browser is set to ``locale``."""
    return browser.new_context(
        base_url=base_url,
        viewport={"width": size[0], "height": size[1]},
        has_touch=touch,
        is_mobile=touch,
        locale=locale,
        timezone_id="Asia/Ho_Chi_Minh",
    )


def log_in(page: Page, username: str, password: str, target: str = "/studies") -> None:
    """Through the login page, as a person would; ends at ``target``."""
    page.goto(target)
    page.wait_for_url("**/login?next=*")
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"**{target}")


def screenshot(page: Page, folder: Path, name: str) -> Path:
    """Keep a picture of the page under ``folder`` for people to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.png"
    page.screenshot(path=str(file))
    return file
