"""A series' JSON metadata, prepared once and then served as bytes.

The result lies in ``cache/series/`` of the home directory, named by the series and by the state of
its content, so that an instance that arrives later makes another name; what an older name holds is
removed when the new one is written. The gzip form lies beside it. Losing the cache loses nothing.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ennead.errors import InputError
from ennead.settings import Settings
from ennead_pacs.index.search import InstanceQuery, search_instances
from ennead_pacs.index.tables import series, studies
from ennead_pacs.prepare.header import read_header
from ennead_pacs.prepare.part10 import Part10

#: Changes when the prepared form changes, so that files of an older version are not served.
_FORM: Final = "1"
_MEMORY_BYTES: Final = 96 * 1024**2
#: Root of every BulkDataURI; an absolute path, so that any host name or proxy in front works.
WADO_ROOT: Final = "/dicom-web"


@dataclass(frozen=True, slots=True)
class PreparedSeries:
    """Bytes to serve. ``state`` is the strong part of the ETag."""

    study_uid: str
    state: str
    metadata: bytes
    metadata_gzip: bytes


@dataclass(frozen=True, slots=True)
class SeriesState:
    """Which series, and a name for its present content."""

    series_uid: str
    study_uid: str
    state: str


class _Memory:
    """The most recently served series, by series and state, within a bound."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._lock = threading.Lock()
        self._held: OrderedDict[Path, PreparedSeries] = OrderedDict()

    def get(self, key: Path) -> PreparedSeries | None:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Path, value: PreparedSeries) -> None:
        size = len(value.metadata) + len(value.metadata_gzip)
        if size > self._limit // 4:
            return
        with self._lock:
            if key in self._held:
                return
            self._held[key] = value
            self._used += size
            while self._used > self._limit:
                _, old = self._held.popitem(last=False)
                self._used -= len(old.metadata) + len(old.metadata_gzip)


_memory = _Memory(_MEMORY_BYTES)
_STATE = select(
    series.c.id, series.c.instance_count, series.c.updated_at, series.c.series_uid
).add_columns(studies.c.study_uid)


def series_state(connection: Connection, series_uid: str) -> SeriesState | None:
    """The state of a series, or None when the index does not know it."""
    row = connection.execute(
        _STATE.join(studies, series.c.study_key == studies.c.id).where(
            series.c.series_uid == series_uid, series.c.instance_count > 0
        )
    ).one_or_none()
    if row is None:
        return None
    text = f"{_FORM} {row.study_uid} {row.id} {row.instance_count} {row.updated_at.isoformat()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return SeriesState(row.series_uid, row.study_uid, f"{row.instance_count}-{digest}")


def prepared_series(
    connection: Connection, settings: Settings, series_uid: str
) -> PreparedSeries | None:
    """The prepared series, made now if it was not; None when the series is unknown."""
    state = series_state(connection, series_uid)
    if state is None:
        return None
    folder = cache_folder(settings, series_uid)
    key = folder / f"{state.state}.json"
    found = _memory.get(key)
    if found is not None:
        return found
    compressed_file = key.with_suffix(".json.gz")
    try:
        compressed = compressed_file.read_bytes()
        metadata = gzip.decompress(compressed)
    except (OSError, EOFError, gzip.BadGzipFile):
        rows = search_instances(connection, InstanceQuery({"SeriesInstanceUID": series_uid}))
        metadata = metadata_of(settings, rows)
        compressed = gzip.compress(metadata, compresslevel=4, mtime=0)
        replace_cached(folder, compressed_file, compressed)
    prepared = PreparedSeries(state.study_uid, state.state, metadata, compressed)
    _memory.put(key, prepared)
    return prepared


def prepare_series(connection: Connection, settings: Settings, series_uid: str) -> bool:
    """Make the metadata of a series ready to be served; False when the series is unknown."""
    return prepared_series(connection, settings, series_uid) is not None


def metadata_of(settings: Settings, rows: Any) -> bytes:
    """A JSON array of the headers of ``rows``, by instance number then UID."""
    ordered = sorted(rows, key=lambda r: (r.number is None, r.number or 0, r.instance_uid))
    return b"[" + b",".join(header_json(settings, row) for row in ordered) + b"]"


def header_json(settings: Settings, row: Row[Any]) -> bytes:
    """One instance's header; what cannot be read is told from the index instead."""
    uri = (
        f"{WADO_ROOT}/studies/{row.study_uid}/series/{row.series_uid}"
        f"/instances/{row.instance_uid}/bulkdata"
    )
    try:
        with Part10(settings.objects_dir / row.location) as file:
            attributes = read_header(file, uri).attributes
    except (InputError, OSError):
        attributes = _from_index(row)
    attributes["00083002"] = {"vr": "UI", "Value": [row.transfer_syntax_uid]}
    return json.dumps(
        dict(sorted(attributes.items())), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", errors="replace")


def _from_index(row: Row[Any]) -> dict[str, Any]:
    known = {
        "00080016": ("UI", row.sop_class_uid),
        "00080018": ("UI", row.instance_uid),
        "00080060": ("CS", row.modality),
        "00100020": ("LO", row.patient_id),
        "0020000D": ("UI", row.study_uid),
        "0020000E": ("UI", row.series_uid),
        "00200013": ("IS", row.number),
    }
    return {t: {"vr": vr, "Value": [v]} for t, (vr, v) in known.items() if v not in (None, "")}


def cache_folder(settings: Settings, series_uid: str) -> Path:
    """Where the prepared files of a series lie; named by a hash, never by a UID."""
    name = hashlib.sha256(series_uid.encode()).hexdigest()[:32]
    return settings.home / "cache" / "series" / name[:2] / name


def replace_cached(folder: Path, file: Path, data: bytes) -> None:
    """Write ``file`` atomically; files of the same kind for older states go.

    A cache that cannot be written costs time, never an answer.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{os.getpid()}-{threading.get_ident()}"
        temporary.write_bytes(data)
        temporary.replace(file)
        kind = "".join(file.suffixes)
        for old in folder.glob(f"*{kind}"):
            if old != file and not old.name.startswith("."):
                old.unlink(missing_ok=True)
