"""The tutorial's road with every kind of file, each small, real, and made by its own library."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from ennead.cli import build
from ennead.contracts import Archive
from ennead.security import Role
from ennead.settings import Settings
from ennead_models.runners import missing
from ennead_models.testing.bundle import write_bundle
from ennead_models.testing.folders import bright_box, small_grid
from ennead_models.testing.nnunet_folder import write_results_folder
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.testing.torchscript_file import write_torchscript
from ennead_pipelines.networks import warm

WRITE: dict[str, Callable[[Path], Path]] = {
    "onnx": lambda place: write_onnx(place / "bright.onnx"),
    "torchscript": lambda place: write_torchscript(place / "bright.pt"),
    "monai-bundle": lambda place: write_bundle(place / "bright"),
    "nnunet": lambda place: write_results_folder(place / "bright"),
}
SAID = (
    *("--title-en", "Bright region", "--title-vi", "Vùng sáng"),
    *("--summary-en", "Marks what is bright.", "--summary-vi", "Đánh dấu vùng sáng."),
    *("--licence", "Apache-2.0", "--modality", "CT", "--id", "bright", "--version", "1.0.0"),
    *("--label", "1;Bright region;Vùng sáng;SCT:10200004 Liver", "--no-ask"),
)
TENSOR = ("--orientation", "RAS", "--intensity", "none", "--tile", "32,32,32")
MORE = {"onnx": TENSOR, "torchscript": TENSOR, "nnunet": ("--orientation", "SPL")}


@pytest.fixture
def cli(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    monkeypatch.setenv("ENNEAD_DATABASE__URL", database_url)

    def run(*arguments: str) -> str:
        given = ["models", *arguments, "--home", str(settings.home)]
        result = CliRunner().invoke(build("models"), given)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.output

    yield run
    warm.WARM.close()


@pytest.mark.parametrize("runner", list(WRITE))
def test_from_a_file_to_findings_and_back(
    runner: str,
    tmp_path: Path,
    cli: Callable[..., str],
    send: Callable[..., str],
    settle: Callable[[], None],
    run_jobs_for_real: Callable[[], Any],
    client_of: Callable[..., TestClient],
    archive: Archive,
) -> None:
    if missing(runner):
        pytest.skip(missing(runner))
    source = WRITE[runner](tmp_path)
    assert f"{runner}: " in cli("add", str(source), *SAID, *MORE.get(runner, ()))
    assert "bright 1.0.0 is registered" in cli("install", "bright", "--accept-licence")
    cli("promote", "bright", "1.0.0", "--to", "shadow")

    values = bright_box(small_grid())
    first = send(small_grid(), values)
    settle()
    run_jobs_for_real()
    scientist, reader = client_of(), client_of(Role.RADIOLOGIST, "bs.an")

    def findings(client: TestClient, study: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(f"/api/v1/studies/{study}/findings").json()[
            "findings"
        ]
        return found

    (finding,) = findings(scientist, first)
    assert finding["lane"] == "shadow"
    # 4 · 5 · 10 voxels of 8 mm³; nnU-Net and MONAI resample through their own grids.
    assert finding["measurements"][0]["value"] == pytest.approx(1.6, rel=0.02)
    assert findings(reader, first) == []
    assert [s.modality for s in archive.series(first)] == ["CT"]  # type: ignore[arg-type]

    cli("promote", "bright", "1.0.0", "--to", "active", "--reason", "as the tutorial says")
    second = send(small_grid(), np.ascontiguousarray(values[::-1]), seed="second")
    settle()
    run_jobs_for_real()
    (finding,) = findings(reader, second)
    assert (finding["lane"], finding["version"]) == ("active", "1.0.0")
    assert sorted(s.modality for s in archive.series(second)) == ["CT", "SEG", "SR"]  # type: ignore[arg-type]
    assert warm.WARM.opened >= 1
    cli("retire", "bright", "1.0.0", "--reason", "the test is over")
    third = send(seed="third")
    settle()
    assert run_jobs_for_real() == []
    assert findings(reader, third) == []
