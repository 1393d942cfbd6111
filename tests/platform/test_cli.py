"""The command line: help, speed, laziness, accounts, checks."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ennead import cli
from ennead.cli import demo_home, follow
from ennead.cli.check import findings
from ennead.cli.stow import Client, dicom_files, store
from ennead.database import migrate
from ennead.errors import ConfigurationError
from ennead.plugins import discover_packages
from ennead.settings import Settings

OWN = ["serve", "worker", "demo", "migrate", "token", "users", "check"]


def _ennead(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ennead.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_lists_every_command_quickly() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _ennead("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    for name in [*OWN, "import", "packages"]:
        assert f"\n  {name} " in done.stdout
    # processor time: what the command needs on a machine with nothing else to do
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ennead import cli\n"
        "cli.build('')\n"
        "heavy = {'ray', 'pydicom', 'numpy', 'sqlalchemy', 'fastapi', 'ennead_pacs', "
        "'ennead_pipelines'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", OWN)
def test_each_command_has_help_with_examples(name: str) -> None:
    done = _ennead(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "--home" in done.stdout or name == "users"
    assert f"ennead {name} " in done.stdout or name == "users"


@pytest.mark.parametrize("name", ["add", "list", "password", "disable", "enable"])
def test_each_users_command_has_help_with_examples(name: str) -> None:
    done = _ennead("users", name, "--help")
    assert done.returncode == 0
    assert f"ennead users {name}" in done.stdout


def test_other_rooms_add_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("extra", "ennead.cli.check:check", cli.GROUP),
        EntryPoint("serve", "evil:serve", cli.GROUP),
        EntryPoint("gone", "ennead_gone.commands:gone", cli.GROUP),
    ]
    monkeypatch.setattr(cli, "entry_points", lambda group: entries)
    found = cli.commands()
    assert found["extra"] == "ennead.cli.check:check"
    assert found["serve"] == cli.OWN["serve"]
    assert cli.summary(found["extra"]).startswith("Check home, database")
    assert cli.summary(found["gone"]) == "(not installed)"


def test_a_command_that_cannot_be_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [EntryPoint("gone", "ennead_gone.commands:gone", cli.GROUP)]
    monkeypatch.setattr(cli, "entry_points", lambda group: entries)
    with pytest.raises(SystemExit):
        cli.main(["gone"])
    assert "ennead_gone" in capsys.readouterr().err


def test_a_misspelt_command_is_suggested() -> None:
    done = _ennead("serv")
    assert done.returncode == 2
    assert "'serve'" in done.stderr


def test_accounts_from_the_command_line(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "h"))
    secret = {"ENNEAD_USER_PASSWORD": "một câu dễ nhớ 7"}
    add = ("users", "add", "bs.le", "--role", "radiologist", "--display-name", "BS. Lê")
    assert _ennead(*add, *home, **secret).returncode == 0
    again = _ennead(*add, *home, **secret)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    weak = _ennead("users", "password", "bs.le", *home, ENNEAD_USER_PASSWORD="short")
    assert "ENN-0205" in weak.stderr
    assert _ennead("users", "disable", "bs.le", *home).returncode == 0
    listed = _ennead("users", "list", *home).stdout
    assert "BS. Lê" in listed and "closed" in listed


def test_migrate_and_its_check(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "h"))
    assert _ennead("migrate", *home).returncode in (0, 1)  # 1: an owner is not installed
    states = migrate.check(Settings.load(tmp_path / "h"))
    assert all(s.is_current for s in states if not s.error)
    shown = _ennead("migrate", "--check", *home).stdout
    assert all(s.label in shown for s in states)


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "absent")
    found = {what: ok for ok, what, _ in findings(settings)}
    assert (found["home"], found["database"]) == (False, False)
    assert not (tmp_path / "absent").exists()


def test_check_of_a_migrated_home(settings: Settings) -> None:
    migrate.upgrade(settings)
    found = {what: (ok, text) for ok, what, text in findings(settings)}
    assert found["home"][0]
    assert found["database ennead"][0]
    assert found["audit"] == (True, "0 rows, chain intact")
    for package in discover_packages():
        assert found[f"package {package.id}"][0] is package.usable


def test_an_ordinary_home_is_not_turned_into_a_demonstration(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "h")
    first = demo_home.open_demo_home(settings)
    assert demo_home.open_demo_home(settings) == first
    assert (first.path.stat().st_mode & 0o077) == 0
    first.path.unlink()
    (settings.home / "run").mkdir()
    with pytest.raises(ConfigurationError, match="not a demonstration"):
        demo_home.open_demo_home(settings)


@pytest.mark.parametrize(
    ("jobs", "state", "fraction"),
    [
        ([], "waiting", 0.0),
        ([{"state": "waiting"}], "waiting", 0.0),
        ([{"state": "running", "fraction": 0.5}, {"state": "done"}], "running", 0.75),
        ([{"state": "done"}, {"state": "refused"}], "done", 1.0),
        ([{"state": "refused"}, {"state": "refused"}], "refused", 1.0),
        ([{"state": "done"}, {"state": "failed"}], "failed", 1.0),
        ([{"state": "superseded"}, {"state": "running", "fraction": 0.2}], "running", 0.2),
        ([{"state": "superseded"}], "done", 1.0),
    ],
)
def test_state_of_a_study_from_its_jobs(
    jobs: list[dict[str, object]], state: str, fraction: float
) -> None:
    assert follow.summarise(jobs)[:2] == (state, pytest.approx(fraction))  # type: ignore[arg-type]


def test_only_dicom_files_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in (("b.dcm", b"\0" * 128 + b"DICM2"), ("a", b"\0" * 128 + b"DICM1")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "readme.txt").write_text("DICM")
    files, others = dicom_files(tmp_path)
    assert ([f.name for f in files], others) == (["a", "b.dcm"], 1)
    sent: list[bytes] = []

    def post(self: Client, path: str, body: bytes, content_type: str) -> tuple[int, object]:
        sent.append(body)
        boundary = content_type.rpartition("boundary=")[2].encode()
        parts = body.split(b"--" + boundary)
        assert len(parts) == 4 and parts[-1] == b"--\r\n"
        return 202, [{"00081198": {"vr": "SQ", "Value": [{}]}}]

    monkeypatch.setattr(Client, "post", post)
    answered: list[int] = []
    result = store(Client("http://x", "t"), files, answered.append)
    assert (result.accepted, result.refused, answered, len(sent)) == (1, 1, [2], 1)
