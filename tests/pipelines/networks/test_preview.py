"""Pictures of findings: the outline lies where the segment lies, and only for those who see it."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from ennead.security import Role
from ennead_models.records import InstalledModel

Install = Callable[..., InstalledModel]


@pytest.fixture
def shown(
    install: Install, send: Any, settle: Any, run_jobs: Any, client_of: Callable[..., TestClient]
) -> Callable[..., tuple[str, TestClient]]:
    def make(state: str = "shadow", **attributes: Any) -> tuple[str, TestClient]:
        install(state, label__0__colour=[250, 10, 10])
        study = send(**attributes)
        settle()
        run_jobs()
        client = client_of()
        (finding,) = client.get(f"/api/v1/studies/{study}/findings").json()["findings"]
        return f"/api/v1/findings/{finding['id']}/preview.png", client

    return make


@pytest.mark.parametrize("state", ["shadow", "active"])
def test_the_outline_lies_on_the_segment(state: str, shown: Any) -> None:
    url, client = shown(state)
    answer = client.get(url, params={"width": 320})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    # 24 rows of 1.5 mm and 32 columns of 1.25 mm on 320 pixels: 10 wide, 12 tall.
    assert picture.shape == (288, 320, 3)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 60)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    # The box covers rows 1–5 and columns 2–5.
    assert rows.min() == pytest.approx(12, abs=3) and rows.max() == pytest.approx(71, abs=3)
    assert columns.min() == pytest.approx(20, abs=3) and columns.max() == pytest.approx(59, abs=3)
    inside = picture[42, 40]
    assert inside[0] > inside[1] and not red[42, 40]  # tinted, not covered
    outside = picture[200, 200]
    assert outside[0] == outside[1] == outside[2]


def test_only_for_those_who_see_the_finding(
    shown: Any, client_of: Callable[..., TestClient]
) -> None:
    url, client = shown()
    first = client.get(url)
    assert "private" in first.headers["cache-control"]
    again = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    reader = client_of(Role.RADIOLOGIST, "bs.an")
    assert reader.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 404
    assert client.get(url, params={"width": 4000}).status_code == 422
    assert client.get("/api/v1/findings/" + "0" * 32 + "/preview.png").status_code == 404


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 100, "WindowWidth": 10}])
def test_windows(window: dict[str, Any], shown: Any) -> None:
    """Without a window of its own, a CT is shown by what the finding holds: soft tissue here."""
    url, client = shown(**window)
    picture = np.asarray(Image.open(io.BytesIO(client.get(url).content)).convert("L"))
    background, box = picture[200, 200], picture[42, 40]
    assert background == 0
    assert box > 60
