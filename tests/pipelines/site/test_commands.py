"""The rules on the command line: export, import, test, undo."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ennead.database import Database
from ennead.errors import RuleInvalid
from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings
from ennead_pipelines import packages
from ennead_pipelines.site.commands import rules
from ennead_pipelines.site.store import current_rules
from ennead_pipelines.site.thresholds import site_thresholds_of

FILE = """\
schema = 1
[[rule]]
name = "Ban đêm"
condition.package = ["sample"]
action.run = false
[thresholds.sample]
bright_hu = 60
"""


@pytest.fixture
def ennead(
    settings: Settings,
    database: Database,
    sample: DiscoveredPackage,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., str]:
    """Run ``ennead rules …`` on the instance; gives what it prints."""
    url = settings.database_url
    monkeypatch.setenv("ENNEAD_DATABASE__URL", url)

    class Catalogue(packages.PackageCatalogue):
        def __init__(self) -> None:
            super().__init__(discover=lambda: [sample])

    monkeypatch.setattr(packages, "PackageCatalogue", Catalogue)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(rules, [*arguments, "--home", str(settings.home)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_file_is_tried_imported_exported_and_undone(
    ennead: Callable[..., str],
    send: Callable[..., str],
    settle: Callable[[], None],
    database: Database,
    tmp_path: Path,
) -> None:
    study = send()
    settle()
    file = tmp_path / "site.toml"
    file.write_text(FILE, encoding="utf-8")
    tried = ennead("test", "--last", "5", "--rules", str(file), "--lang", "vi")
    assert f"{study}  CT  test" in tried
    assert "x sample 1.0.0: Quy tắc “Ban đêm” của bệnh viện: không chạy gói này." in tried
    assert "1 studies: 0 would run, 0 be refused, 1 be skipped; 1 differ" in tried
    answer = json.loads(ennead("test", "--study", study, "--json"))
    assert answer["summary"]["run"] == 1
    assert ennead("import", str(file), "--comment", "đêm") == "revision 1, 1 rules\n"
    with database.read() as connection:
        assert current_rules(connection).comment == "đêm"
        assert site_thresholds_of(connection) == {"sample": {"bright_hu": 60.0}}
    listed = ennead("list", "--lang", "vi")
    assert "1. Ban đêm\n     Gói sample → không chạy" in listed
    exported = ennead("export")
    ennead("export", str(tmp_path / "out.toml"))
    assert (tmp_path / "out.toml").read_text(encoding="utf-8") == exported
    assert ennead("import", str(tmp_path / "out.toml")) == "revision 1, 1 rules\n"
    assert ennead("undo") == "revision 2 has the 0 rules of 0\n"
    assert "    + Ban đêm" in ennead("history")


def test_a_wrong_file_changes_nothing(
    ennead: Callable[..., str], database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(FILE.replace("bright_hu = 60", "bright_hu = 600"), encoding="utf-8")
    with pytest.raises(Exception, match="between 0 and 200"):
        ennead("import", str(file))
    file.write_text(FILE.replace('"sample"', '"lungs"'), encoding="utf-8")
    with pytest.raises(RuleInvalid, match="there are: sample"):
        ennead("import", str(file))
    with database.read() as connection:
        assert current_rules(connection).number == 0
        assert site_thresholds_of(connection) == {}
