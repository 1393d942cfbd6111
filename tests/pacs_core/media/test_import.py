"""``ennead import`` of folders and zip files, friendly and hostile."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from ennead.cli import build
from ennead.database import Database
from ennead.errors import OutOfResources
from ennead.security import SYSTEM, audit
from ennead.settings import Settings
from ennead_pacs import index
from ennead_pacs.ingest import Ingest
from ennead_pacs.media import importer, zip_limits
from ennead_pacs.media.importer import Report, import_tree, shown

Make = Callable[..., list[Path]]


@pytest.fixture
def medium(tmp_path: Path, series_of: Make) -> Path:
    """A folder as modalities write them: sub-folders, a viewer, a text."""
    root = tmp_path / "medium"
    for number, file in enumerate(series_of(4)):
        target = root / f"DICOM/ST{number % 2}/IM{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    (root / "autorun.inf").write_text("[autorun]")
    (root / "empty").touch()
    return root


def reasons(report: Report) -> dict[str, str]:
    return {entry.name: entry.reason for entry in report.listed}


def test_a_folder_goes_in_once(ingest: Ingest, medium: Path, database: Database) -> None:
    seen: list[str] = []
    report = import_tree(ingest, medium, SYSTEM, lambda entry: seen.append(entry.name))
    assert report.counts == {"stored": 4, "not_dicom": 2}
    assert len(seen) == 6
    assert list(report.studies.values()) == [4]
    assert report.exit_code == 0
    again = import_tree(ingest, medium, SYSTEM)
    assert again.counts == {"already_there": 4, "not_dicom": 2}
    assert again.exit_code == 0
    with database.read() as connection:
        (study,) = index.search_studies(connection, index.StudyQuery())
    assert study.instance_count == 4


def test_a_zip_file_alone_and_inside_a_folder(ingest: Ingest, medium: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with-zip"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(medium.rglob("IM*")):
            archive.write(file, file.relative_to(medium))
        archive.writestr("notes/readme.txt", "no image")
    assert import_tree(ingest, folder, SYSTEM).counts == {"stored": 4, "not_dicom": 1}
    alone = import_tree(ingest, folder / "a.zip", SYSTEM)
    assert alone.counts == {"already_there": 4, "not_dicom": 1}
    assert reasons(alone) == {"a.zip!notes/readme.txt": "not_dicom"}


def test_links_and_special_files_are_not_followed(
    ingest: Ingest, medium: Path, tmp_path: Path, series_of: Make
) -> None:
    (outside,) = series_of(1, StudyID="elsewhere")
    (medium / "link").symlink_to(outside)
    (medium / "loop").symlink_to(medium)
    os.mkfifo(medium / "pipe")
    report = import_tree(ingest, medium, SYSTEM)
    assert report.counts == {"stored": 4, "not_dicom": 2, "refused": 3}
    found = reasons(report)
    assert found["link"] == found["loop"] == "symbolic_link"
    assert found["pipe"] == "special_file"


def zip_with(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_names_that_slip_out_are_refused_one_by_one(
    ingest: Ingest, tmp_path: Path, series_of: Make
) -> None:
    files = [f.read_bytes() for f in series_of(5)]
    before = {p for p in tmp_path.parent.rglob("evil*")}
    path = zip_with(
        tmp_path / "slip.zip",
        {
            "../evil1": files[0],
            "/evil2": files[1],
            "..\\..\\evil3": files[2],
            "C:evil4": files[3],
            "a/../b/good": b"",
            "good": files[4],
        },
    )
    report = import_tree(ingest, path, SYSTEM)
    assert report.counts == {"stored": 1, "refused": 5}
    assert set(reasons(report).values()) == {"zip_slip"}
    assert {p for p in tmp_path.parent.rglob("evil*")} == before


def test_a_link_and_a_secret_in_a_zip(ingest: Ingest, tmp_path: Path) -> None:
    path = tmp_path / "l.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret", b"x")
    data = bytearray(path.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(data)
    report = import_tree(ingest, path, SYSTEM)
    assert reasons(report) == {"l.zip!link": "symbolic_link", "l.zip!secret": "zip_encrypted"}
    assert report.exit_code == 1


def test_bombs_are_refused_before_they_unpack(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_limits, "RATIO_FROM", 1024**2)
    path = zip_with(tmp_path / "bomb.zip", {"bomb": bytes(5 * 1024**2), "blank": bytes(500_000)})
    report = import_tree(ingest, path, SYSTEM)
    assert reasons(report) == {"bomb.zip!bomb": "zip_ratio", "bomb.zip!blank": "not_dicom"}
    monkeypatch.setattr(zip_limits, "TOTAL_LIMIT", 4 * 1024**2)
    assert reasons(import_tree(ingest, path, SYSTEM)) == {"bomb.zip": "zip_total"}


def test_too_many_entries_are_refused_as_a_whole(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_with(tmp_path / "many.zip", {str(n): b"" for n in range(30)})
    monkeypatch.setattr(zip_limits, "ENTRIES_LIMIT", 29)
    assert reasons(import_tree(ingest, path, SYSTEM)) == {"many.zip": "zip_entries"}
    monkeypatch.setattr(zip_limits, "ENTRIES_LIMIT", 50_000)
    monkeypatch.setattr(zip_limits, "_DIRECTORY_LIMIT", 1000)
    assert reasons(import_tree(ingest, path, SYSTEM)) == {"many.zip": "zip_entries"}


def test_entries_that_overlap_are_refused(ingest: Ingest, tmp_path: Path) -> None:
    """Directory entries that share one body give more than the file holds."""
    path = zip_with(tmp_path / "overlap.zip", {"a": os.urandom(5000), "b": b""})
    data = bytearray(path.read_bytes())
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    data[second + 20 : second + 28] = data[first + 20 : first + 28]
    path.write_bytes(data)
    assert reasons(import_tree(ingest, path, SYSTEM)) == {"overlap.zip": "zip_overlap"}


@pytest.mark.parametrize("keep", [10, 40, -30])
def test_a_damaged_zip_is_told(ingest: Ingest, tmp_path: Path, medium: Path, keep: int) -> None:
    path = zip_with(tmp_path / "d.zip", {"a": b"x" * 100})
    path.write_bytes(path.read_bytes()[:keep])
    assert reasons(import_tree(ingest, path, SYSTEM)) == {"d.zip": "zip_damaged"}


def test_a_damaged_entry_fails_alone(ingest: Ingest, tmp_path: Path, series_of: Make) -> None:
    one, two = (f.read_bytes() for f in series_of(2))
    path = zip_with(tmp_path / "e.zip", {"bad": one, "good": two})
    data = bytearray(path.read_bytes())
    data[200:220] = b"\xff" * 20
    path.write_bytes(data)
    report = import_tree(ingest, path, SYSTEM)
    assert report.counts["stored"] == 1
    assert [(e.name, e.outcome) for e in report.listed] == [("e.zip!bad", "failed")]
    assert report.exit_code == 2


def test_duplicates_in_a_zip_go_through_the_conflict_rule(
    ingest: Ingest, tmp_path: Path, series_of: Make
) -> None:
    (file,) = series_of(1)
    data = file.read_bytes()
    other = data[:-1] + bytes([data[-1] ^ 1])
    path = tmp_path / "twice.zip"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as archive:
        for content in (data, data, other):
            archive.writestr("same", content)
    report = import_tree(ingest, path, SYSTEM)
    assert sum(report.counts.values()) == 3
    assert report.counts["stored"] == 1
    assert report.counts["already_there"] + report.counts["refused"] == 2
    assert set(reasons(report).values()) <= {"conflict"}


def write_dicomdir(path: Path, file_ids: list[list[str]]) -> None:
    """A directory whose every record names the first as the next."""
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    records = []
    for file_id in file_ids:
        record = Dataset()
        record.OffsetOfTheNextDirectoryRecord = 0x180
        record.DirectoryRecordType = "IMAGE"
        with pydicom.config.disable_value_validation():
            record.ReferencedFileID = file_id
        records.append(record)
    directory.DirectoryRecordSequence = Sequence(records)
    directory.save_as(path, enforce_file_format=True)


def test_a_dicomdir_is_not_needed_and_not_followed(ingest: Ingest, medium: Path) -> None:
    write_dicomdir(medium / "DICOMDIR", [["DICOM", "ST0", "IM0"], ["DICOM", "ABSENT"]])
    good = import_tree(ingest, medium / "DICOM", SYSTEM)
    assert good.counts == {"stored": 4}
    write_dicomdir(
        medium / "DICOMDIR",
        [["..", "..", "ETC", "PASSWD"], ["DICOM", "ST0", "IM0"], ["/etc/passwd"], ["C:", "X"]],
    )
    evil = import_tree(ingest, medium, SYSTEM)
    assert evil.counts == {"already_there": 4, "not_dicom": 3, "refused": 3}
    assert [e.name for e in evil.listed if e.reason == "outside_disc"] == [
        "DICOMDIR:..\\..\\ETC\\PASSWD",
        "DICOMDIR:/etc/passwd",
        "DICOMDIR:C:\\X",
    ]
    assert reasons(evil)["DICOMDIR"] == "dicomdir"


def test_a_full_disk_stops_the_import(
    ingest: Ingest, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _data: object) -> None:
            raise OutOfResources("The disk is full.")

        def commit(self) -> None:
            raise AssertionError("nothing can be committed")

        def abort(self) -> None:
            pass

    monkeypatch.setattr(ingest, "begin", lambda **_: Full())
    monkeypatch.setattr(importer, "_THREADS", 1)
    report = import_tree(ingest, medium, SYSTEM)
    assert report.exit_code == 2
    assert report.counts["stored"] == 0
    assert OutOfResources.code in reasons(report).values()


def test_names_are_shown_without_controls() -> None:
    assert shown("a\x1b[31m\n\u202eb") == "a\\x1b[31m\\x0a\\x202eb"
    assert shown("Nguyễn") == "Nguyễn"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build("import"), ["import", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


def test_the_command_reports_and_audits(
    settings: Settings,
    medium: Path,
    tmp_path: Path,
    series_of: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENNEAD_DATABASE__URL", settings.database.url)
    (cut,) = series_of(1, StudyID="cut")
    (medium / "cut").write_bytes(cut.read_bytes()[:-50])
    report = tmp_path / "report.json"
    code, output = run(str(medium), "--home", str(settings.home), "--report", str(report))
    assert code == 0
    assert "Đã lưu: 4" in output and "Từ chối: 1" in output
    assert "cut: Không đọc được đối tượng DICOM" in output
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["counts"] == {
        "stored": 4, "already_there": 0, "not_dicom": 2, "refused": 1, "failed": 0,
    }  # fmt: skip
    assert {f["name"]: f["reason"] for f in written["files"]}["cut"] == "ENN-0201"
    database = Database(settings.database_url)
    with database.read() as connection:
        (entry,) = [e for e in audit.page(connection) if e.action == "instances.stored"]
        assert audit.verify(connection).intact
    database.close()
    assert json.loads(entry.detail) == {"new": 4, "way": "import"}


def test_nothing_to_import_is_exit_code_1(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENNEAD_DATABASE__URL", settings.database.url)
    empty = tmp_path / "nothing"
    empty.mkdir()
    assert run(str(empty), "--home", str(settings.home))[0] == 1
    assert run(str(tmp_path / "absent"), "--home", str(settings.home))[0] == 2
