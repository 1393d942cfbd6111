"""Limits on zip files: entries, sizes, ratios, names (hostile inputs, case 47)."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

ENTRIES_LIMIT: Final = 50_000
#: Bytes that all entries together may unpack to.
TOTAL_LIMIT: Final = 256 * 1024**3
#: An entry that unpacks beyond this size may not be more than ``RATIO_LIMIT`` times its packed
#: size; smaller ones may (a blank slice packs a thousandfold).
RATIO_FROM: Final = 64 * 1024**2
RATIO_LIMIT: Final = 100
_DIRECTORY_LIMIT: Final = 64 * 1024**2
_TAIL: Final = 65_557


def check_archive(path: Path) -> str:
    """Why the archive is refused as a whole, or an empty string.

    The size of the central directory is looked at before it is read into memory.
    """
    try:
        if _directory_size(path) > _DIRECTORY_LIMIT:
            return "zip_entries"
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError):
        return "zip_damaged"
    if len(entries) > ENTRIES_LIMIT:
        return "zip_entries"
    if sum(e.file_size for e in entries) > TOTAL_LIMIT:
        return "zip_total"
    if sum(e.compress_size for e in entries) > path.stat().st_size:
        return "zip_overlap"
    return ""


def check_entry(entry: zipfile.ZipInfo) -> str:
    """Why the entry is refused, or an empty string. Its name is never used as a path."""
    name = entry.orig_filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or name[1:2] == ":":
        return "zip_slip"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "symbolic_link"
    if entry.flag_bits & 1:
        return "zip_encrypted"
    if entry.file_size > max(RATIO_FROM, entry.compress_size * RATIO_LIMIT):
        return "zip_ratio"
    return ""


def _directory_size(path: Path) -> int:
    """Bytes of the central directory, from the end record (or its 64-bit form)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0:
            raise zipfile.BadZipFile("no end record")
        (directory,) = struct.unpack_from("<L", tail, end + 12)
        locator = tail.rfind(b"PK\x06\x07", 0, end)
        if locator >= 0:
            (place,) = struct.unpack_from("<Q", tail, locator + 8)
            file.seek(min(place, size))
            directory = max(directory, *struct.unpack_from("<Q", file.read(56), 40))
    return int(directory)
