"""Golden objects before validators that share no code with us: dciodvfy, dsrdump, dcmdump."""

import datetime as dt
import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from ennead.security import Principal
from ennead.testing.results import GRIDS, GridName, absence, small_grid
from ennead_pipelines.review import Decision, DecisionState, encode_review

DCIODVFY, DSRDUMP, DCMDUMP = "/usr/bin/dciodvfy", "/usr/bin/dsrdump", "/usr/bin/dcmdump"
HERE = Path(__file__).parent
AT = dt.datetime(2026, 1, 5, 10, 0, tzinfo=dt.UTC)


def allowed(*names: str) -> list[re.Pattern[str]]:
    lines = [line for name in names for line in (HERE / name).read_text().splitlines()]
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


def complaints(written: bytes, tmp_path: Path, *allow_files: str) -> list[str]:
    """Errors and warnings that nobody reviewed."""
    file = tmp_path / "object.dcm"
    file.write_bytes(written)
    ran = subprocess.run([DCIODVFY, "-new", str(file)], capture_output=True, text=True, check=False)
    said = (ran.stdout + ran.stderr).splitlines()
    known = allowed(*allow_files)
    return [
        line
        for line in said
        if line.startswith(("Error", "Warning", "Abort"))
        and not any(p.fullmatch(line) for p in known)
    ]


def dump(program: str, written: bytes, tmp_path: Path, *options: str) -> str:
    file = tmp_path / "object.dcm"
    file.write_bytes(written)
    ran = subprocess.run(
        [program, *options, str(file)],
        capture_output=True,
        check=False,
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    return ran.stdout.decode(errors="replace")


def reviews(results: Any) -> list[bytes]:
    reader = Principal("anh", "Nguyễn Thị Ánh", frozenset())
    uids = results.tracking_uids
    decisions = [
        Decision("right-lung", uids["right-lung"], DecisionState.ACCEPTED),
        Decision("left-lung", uids["left-lung"], DecisionState.EDITED, {"laa950": 1 / 3}),
        Decision("lungs", uids["lungs"], DecisionState.REJECTED, reason="poor-quality"),
        Decision("nodule", uids["nodule"], DecisionState.REJECTED, reason="false-positive"),
    ]
    documents: list[bytes] = []
    for n in range(1, len(decisions) + 1):
        documents.append(
            encode_review(
                results.sr,
                decisions[:n],
                previous_sr=documents[-1] if documents else None,
                reader=reader,
                organisation="Bệnh viện Thử nghiệm",
                at=AT,
            ).sr
        )
    return documents


@pytest.mark.peer(DCIODVFY)
@pytest.mark.parametrize("name", GRIDS)
def test_binary_objects_are_clean(encoded: Any, name: GridName, tmp_path: Path) -> None:
    results = encoded(small_grid(name), encoding="binary")
    assert complaints(results.seg, tmp_path, "dciodvfy-allowed.txt") == []
    assert complaints(results.sr, tmp_path, "dciodvfy-allowed.txt") == []


@pytest.mark.peer(DCIODVFY)
@pytest.mark.parametrize("name", GRIDS)
def test_labelmap_objects_are_clean_but_for_their_age(
    encoded: Any, name: GridName, tmp_path: Path
) -> None:
    results = encoded(small_grid(name))
    files = ("dciodvfy-allowed.txt", "dciodvfy-allowed-labelmap.txt")
    assert complaints(results.seg, tmp_path, *files) == []
    assert complaints(results.sr, tmp_path, *files) == []


@pytest.mark.peer(DCIODVFY)
def test_a_labelmap_presented_as_binary_is_clean(encoded: Any, tmp_path: Path) -> None:
    """What the tool can judge of a label map once it believes the SOP class."""
    dataset = dcmread(io.BytesIO(encoded(small_grid("oblique")).seg))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    dataset.SegmentSequence = dataset.SegmentSequence[1:]
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    found = complaints(buffer.getvalue(), tmp_path, "dciodvfy-allowed.txt")
    only_labelmap = re.compile(
        "BitsAllocated|BitsStored|HighBit|SegmentationType|LABELMAP"
        "|SegmentIdentificationSequence|PixelPaddingValue"
    )
    assert [line for line in found if not only_labelmap.search(line)] == []


@pytest.mark.peer(DCIODVFY)
def test_reviews_are_clean(encoded: Any, tmp_path: Path) -> None:
    results = encoded(small_grid("axial"), encoding="binary", language="vi")
    for document in reviews(results):
        assert complaints(document, tmp_path, "dciodvfy-allowed.txt") == []


@pytest.mark.peer(DCIODVFY)
def test_an_absence_alone_is_clean(encoded: Any, tmp_path: Path) -> None:
    results = encoded(small_grid("axial"), [absence()])
    assert complaints(results.sr, tmp_path, "dciodvfy-allowed.txt") == []


@pytest.mark.peer(DCIODVFY)
def test_the_validator_does_see_errors(encoded: Any, tmp_path: Path) -> None:
    dataset = dcmread(io.BytesIO(encoded(small_grid("axial"), encoding="binary").sr))
    del dataset.CompletionFlag
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    found = complaints(buffer.getvalue(), tmp_path, "dciodvfy-allowed.txt")
    assert any("CompletionFlag" in line for line in found)


@pytest.mark.peer(DSRDUMP)
def test_dcmtk_parses_reports(encoded: Any, tmp_path: Path) -> None:
    results = encoded(small_grid("axial"), encoding="binary")
    shown = dump(DSRDUMP, results.sr, tmp_path)
    assert 'NUM:(,,"Volume")="2345.67891234568" (cm3,UCUM' in shown
    assert 'IMAGE:(,,"Referenced Segment")=(SG image,,1)' in shown
    last = dump(DSRDUMP, reviews(results)[-1], tmp_path)
    assert "Verification Flag   : VERIFIED" in last and "Nguyễn Thị Ánh" in last


@pytest.mark.peer(DSRDUMP)
def test_dcmtk_parses_reports_over_label_maps_when_told_to_skip_its_class_list(
    encoded: Any, tmp_path: Path
) -> None:
    """dcmtk 3.6.7 refuses IMAGE items whose SOP class is younger than it (66.7)."""
    shown = dump(DSRDUMP, encoded(small_grid("axial")).sr, tmp_path, "-Ee")
    assert 'NUM:(,,"Volume")="2345.67891234568" (cm3,UCUM' in shown


@pytest.mark.peer(DCMDUMP)
@pytest.mark.parametrize("choose", [lambda r: r.seg, lambda r: r.sr])
@pytest.mark.parametrize("encoding", ["labelmap", "binary"])
def test_dcmtk_reads_every_file(
    encoded: Any, encoding: str, choose: Callable[[Any], bytes], tmp_path: Path
) -> None:
    written = choose(encoded(small_grid("flipped"), encoding=encoding))
    shown = dump(DCMDUMP, written, tmp_path, "+W", str(tmp_path))
    assert "1.2.840.10008.5.1.4.1.1" in shown or "SOPClassUID" in shown
