"""dcmtk as the peer: C-ECHO, C-STORE, C-FIND, C-GET."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet
from sqlalchemy import select

from ennead.database import Database
from ennead.security import audit
from ennead.security.tables import audit as audit_table
from ennead_pacs.index import find_study
from ennead_pacs.ingest import Ingest

Run = Callable[..., subprocess.CompletedProcess[str]]
MakeObject = Callable[..., bytes]


def dataset_bytes(path: Path) -> bytes:
    with pydicom.dcmread(path) as dataset:
        stop = 132 + 12 + dataset.file_meta.FileMetaInformationGroupLength
    return path.read_bytes()[stop:]


def address(server: Any) -> list[str]:
    return ["127.0.0.1", str(server.port)]


@pytest.fixture
def files(make_object: MakeObject, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "files"
    folder.mkdir()
    made = []
    for number in range(1, 6):
        made.append(folder / f"{number}.dcm")
        made[-1].write_bytes(make_object(number))
    return made


def test_echo(server: Any, dcmtk: Run) -> None:
    assert dcmtk("echoscu", *address(server)).returncode == 0


def test_stored_and_fetched_again_byte_equal(
    server: Any, dcmtk: Run, make_object: MakeObject, tmp_path: Path
) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(make_object(1))
    sent = dcmtk("storescu", *address(server), str(file))
    assert sent.returncode == 0, sent.stderr
    back = fetched(server, dcmtk, tmp_path, "-xe")
    assert dataset_bytes(back) == dataset_bytes(file)


def test_a_peer_that_takes_implicit_only_gets_the_stored_bytes(
    ingest: Ingest, server: Any, make_object: MakeObject
) -> None:
    data = make_object(1, syntax=ImplicitVRLittleEndian)
    ingest.store(data, source="test")
    received: list[bytes] = []

    def take(event: Any) -> int:
        received.append(event.request.DataSet.getvalue())
        return 0

    peer = AE("GETTER")
    peer.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    peer.add_requested_context(CTImageStorage, ImplicitVRLittleEndian)
    association = peer.associate(
        "127.0.0.1",
        server.port,
        ae_title="ENNEAD",
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, take)],
    )
    assert association.is_established
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", "1.2.3"
    answers = association.send_c_get(wanted, StudyRootQueryRetrieveInformationModelGet)
    assert [status.Status for status, _ in answers] == [0x0000]
    association.release()
    assert len(received) == 1 and data.endswith(received[0])


def fetched(server: Any, dcmtk: Run, tmp_path: Path, option: str) -> Path:
    folder = tmp_path / "got"
    folder.mkdir()
    got = dcmtk(
        "getscu", "-S", option, "+B", "-od", str(folder), "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID=1.2.3", *address(server),
    )  # fmt: skip
    assert got.returncode == 0, got.stderr
    (back,) = folder.iterdir()
    return back


def test_big_endian_is_read_and_stored_as_it_is(
    ingest: Ingest, server: Any, dcmtk: Run, make_object: MakeObject, tmp_path: Path
) -> None:
    data = make_object(3, syntax="1.2.840.10008.1.2.2")
    ingest.store(data, source="test")
    found = dcmtk(
        "findscu", "-S", "-k", "QueryRetrieveLevel=IMAGE", "-k", "SOPInstanceUID=1.2.3.1.3",
        "-k", "Rows", "-k", "InstanceNumber", *address(server),
    )  # fmt: skip
    assert "US 8 " in found.stdout + found.stderr


def test_implicit_objects_reach_a_peer_that_prefers_explicit(
    ingest: Ingest, server: Any, dcmtk: Run, make_object: MakeObject, tmp_path: Path
) -> None:
    ingest.store(make_object(1, syntax="1.2.840.10008.1.2"), source="test")
    back = fetched(server, dcmtk, tmp_path, "-xe")
    expected = tmp_path / "explicit.dcm"
    expected.write_bytes(make_object(1))
    assert pydicom.dcmread(back).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dataset_bytes(back) == dataset_bytes(expected)


def test_study_counts_audit_and_find(
    server: Any, dcmtk: Run, files: list[Path], database: Database
) -> None:
    sent = dcmtk("storescu", "-aet", "CT1", *address(server), *map(str, files))
    assert sent.returncode == 0, sent.stderr
    again = dcmtk("storescu", "-aet", "CT1", *address(server), *map(str, files[:2]))
    assert again.returncode == 0
    found = dcmtk(
        "findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=dang*",
        "-k", "StudyInstanceUID", "-k", "NumberOfStudyRelatedInstances", "-k", "StudyID",
        "-k", "ModalitiesInStudy", *address(server),
    )  # fmt: skip
    text = found.stdout + found.stderr
    assert text.count("Find Response:") == 1
    for part in ("UI [1.2.3", "[5 ]", "[CT]", "Đặng^Thị Ánh", "ISO_IR 192"):
        assert part in text, text
    server.end()
    with database.read() as connection:
        study = find_study(connection, "1.2.3")
        rows = connection.execute(select(audit_table)).all()
        assert audit.verify(connection).intact
    assert study is not None and study.instance_count == 5
    stored = [r for r in rows if r.action == "instances.stored"]
    assert [r.principal for r in stored] == ["CT1", "CT1"]
    assert '"stored": 5' in stored[0].detail and '"duplicate": 2' in stored[1].detail
    assert [r.action for r in rows].count("index.queried") == 1
    assert not any("Đặng" in r.detail or "A1" in r.detail for r in rows)


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("SERIES", ["StudyInstanceUID=1.2.3", "SeriesInstanceUID"], 1),
        ("IMAGE", ["StudyInstanceUID=1.2.3", "SeriesInstanceUID=1.2.3.1", "SOPInstanceUID"], 5),
        ("IMAGE", ["SOPInstanceUID=1.2.3.1.2\\1.2.3.1.4"], 2),
        ("STUDY", ["StudyDate=20250101-"], 0),
        ("STUDY", ["StudyDate=-20241231", "AccessionNumber=A?"], 1),
        ("STUDY", ["PatientID=%"], 0),
    ],
)
def test_find_at_each_level(
    server: Any, dcmtk: Run, files: list[Path], level: str, keys: list[str], expected: int
) -> None:
    dcmtk("storescu", *address(server), *map(str, files))
    arguments = [a for key in (f"QueryRetrieveLevel={level}", *keys) for a in ("-k", key)]
    found = dcmtk("findscu", "-S", *arguments, *address(server))
    assert found.returncode == 0
    assert (found.stdout + found.stderr).count("Find Response:") == expected


def test_patient_root(server: Any, dcmtk: Run, files: list[Path]) -> None:
    dcmtk("storescu", *address(server), *map(str, files))
    found = dcmtk(
        "findscu", "-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID", *address(server)
    )
    assert (found.stdout + found.stderr).count("Find Response:") == 1


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        (["QueryRetrieveLevel=NONSENSE"], "0xa900"),
        (["PatientName=x"], "0xa900"),
        (["QueryRetrieveLevel=STUDY", "PatientName=" + "*" * 1000], "0xa900"),
    ],
)
def test_bad_identifiers_are_answered(
    server: Any, dcmtk: Run, keys: list[str], status: str
) -> None:
    arguments = [a for key in keys for a in ("-k", key)]
    found = dcmtk("findscu", "-v", "-d", "-S", *arguments, *address(server))
    assert status in (found.stdout + found.stderr).lower()
    assert dcmtk("echoscu", *address(server)).returncode == 0


def test_get_counts_what_the_peer_cannot_take(
    server: Any, dcmtk: Run, make_object: MakeObject, ingest: Ingest, tmp_path: Path
) -> None:
    ingest.store(make_object(1), source="test")
    ingest.store(make_object(2, syntax="1.2.840.10008.1.2.2"), source="test")
    got = dcmtk(
        "getscu", "-v", "-S", "-xe", "-od", str(tmp_path), "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID=1.2.3", *address(server),
    )  # fmt: skip
    text = got.stdout + got.stderr
    assert "Number of Completed Suboperations : 1" in text, text
    assert "Number of Failed Suboperations    : 1" in text, text


def test_get_of_nothing_is_a_success_with_no_suboperation(
    server: Any, dcmtk: Run, tmp_path: Path
) -> None:
    got = dcmtk(
        "getscu", "-v", "-S", "-od", str(tmp_path), "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID=9.9.9", *address(server),
    )  # fmt: skip
    assert "Received C-GET Response (Success)" in got.stdout + got.stderr


def test_conflict_is_answered_with_a_comment(
    server: Any, dcmtk: Run, make_object: MakeObject, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.dcm", tmp_path / "two.dcm"
    one.write_bytes(make_object(1))
    two.write_bytes(make_object(1, PixelData=bytes(128)))
    assert dcmtk("storescu", *address(server), str(one)).returncode == 0
    second = dcmtk("storescu", "-d", *address(server), str(two))
    text = (second.stdout + second.stderr).lower()
    assert "0xc111" in text, text
    assert "is stored with other content" in text


def test_unknown_titles_are_rejected_by_default(
    start_server: Callable[..., Any], dcmtk: Run, database: Database
) -> None:
    server = start_server(accept_any_ae=False, known_ae_titles=("CT1",))
    assert dcmtk("echoscu", "-aec", "ENNEAD", "-aet", "CT1", *address(server)).returncode == 0
    unknown = dcmtk("echoscu", "-v", "-aec", "ENNEAD", "-aet", "CT2", *address(server))
    assert unknown.returncode != 0
    assert "Calling AE Title Not Recognized" in unknown.stdout + unknown.stderr
    other = dcmtk("echoscu", "-v", "-aec", "OTHER", "-aet", "CT1", *address(server))
    assert "Called AE Title Not Recognized" in other.stdout + other.stderr
    with database.read() as connection:
        rows = connection.execute(select(audit_table)).all()
    assert [r.action for r in rows] == ["association.refused"] * 2


def test_stop_lets_a_running_association_finish(
    server: Any, dcmtk: Run, make_object: MakeObject, tmp_path: Path, database: Database
) -> None:
    for number in range(1, 200):
        (tmp_path / f"{number}.dcm").write_bytes(make_object(number))
    results = []
    arguments = ["+sd", *address(server), str(tmp_path)]
    sender = threading.Thread(target=lambda: results.append(dcmtk("storescu", "-v", *arguments)))
    sender.start()
    for _ in range(400):
        with database.read() as connection:
            if find_study(connection, "1.2.3") is not None:
                break
        time.sleep(0.02)
    server.end()
    sender.join(30)
    acknowledged = (results[0].stdout + results[0].stderr).count("Store Response (Success)")
    with database.read() as connection:
        study = find_study(connection, "1.2.3")
    assert study is not None and 0 < acknowledged <= study.instance_count <= 199
