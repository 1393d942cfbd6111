"""``ennead models rerun | difference | validate``, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from ennead.cli import build
from ennead.database import Database
from ennead.errors import InputError, NotFound
from ennead.settings import Settings
from ennead_models.records import InstalledModel, events_of
from ennead_models.spaces import ras_affine
from ennead_models.testing.folders import bright_box, small_grid
from ennead_pipelines.networks.reruns import Expander

Install = Callable[..., InstalledModel]


@pytest.fixture
def cli(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setenv("ENNEAD_DATABASE__URL", database_url)

    def run(*arguments: str) -> Any:
        given = ["models", *arguments, "--home", str(settings.home)]
        return CliRunner().invoke(build("models"), given)

    return run


def test_rerun_and_difference(
    cli: Callable[..., Any],
    install: Install,
    send: Any,
    settle: Any,
    run_jobs: Any,
    expander: Expander,
) -> None:
    install("active")
    study = send()
    settle()
    run_jobs()
    install("validated", version="1.1.0")
    asked = cli("rerun", "bright", "1.1.0", "--modality", "CT", "--limit", "5")
    assert asked.output == "re-run 1 of bright 1.1.0 waits for the server\n"
    expander.step()
    run_jobs()
    told = cli("difference", "bright", "--from", "1.0.0", "--to", "1.1.0")
    assert told.exit_code == 0, repr(told.exception)
    lines = told.output.splitlines()
    assert lines[0] == study
    assert lines[1].split() == ["matched", "Bright", "region", "Dice", "0.909"]
    assert lines[2].strip() == "bright_volume 0.225 → 0.27 cm3 (+0.045)"
    assert lines[3].startswith("1 studies: 1 findings matched, 0 only in 1.0.0, 0 only in 1.1.0")
    whole = cli("difference", "bright", "--from", "1.0.0", "--to", "1.1.0", "--json")
    assert json.loads(whole.stdout)["summary"]["matched"] == 1
    none = cli("rerun", "bright", "1.1.0", "--modality", "US")
    assert isinstance(none.exception, InputError)


def test_validate(
    cli: Callable[..., Any],
    real_model: Callable[..., InstalledModel],
    tmp_path: Path,
    database: Database,
) -> None:
    assert isinstance(cli("validate", "bright", "--set", str(tmp_path)).exception, NotFound)
    real_model()
    grid, values = small_grid(), bright_box(small_grid())
    for name in ("a", "b"):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        for what, array in (("image", values), ("labels", (values > 0).astype(np.float32))):
            image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), ras_affine(grid))
            nibabel.save(image, folder / f"{what}.nii.gz")
    told = cli("validate", "bright", "--set", str(tmp_path / "set"))
    assert told.exit_code == 0, repr(told.exception)
    first, last = told.stdout.splitlines()
    assert first == (
        "bright: Dice 1.000 (1.000–1.000, n 2), HD95 0.000 (0.000–0.000, n 2) mm, 0 missed, 0 false"
    )
    digest = last.removeprefix("report ")
    with database.read() as connection:
        history = events_of(connection, "bright")
    assert (history[0].action, history[0].detail["report"]) == ("reported", digest)
    (tmp_path / "set" / "a" / "labels.nii.gz").unlink()
    assert isinstance(
        cli("validate", "bright", "--set", str(tmp_path / "set")).exception, InputError
    )
