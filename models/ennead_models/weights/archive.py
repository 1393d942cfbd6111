"""A folder of weights (MONAI bundle, nnU-Net results) as one zip archive, and back.

Packing is deterministic: the same files give the same bytes, and so the same SHA-256.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from ennead.errors import WeightsUnsafe

_FILES_LIMIT: Final = 10_000
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LEAVE_OUT: Final = frozenset({"__pycache__", ".git", ".DS_Store", "__MACOSX"})


def pack_folder(folder: Path, archive: Path) -> None:
    """Write the files under ``folder`` into a zip archive, sorted and without times.

    Links are not followed; caches and version control are left out.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer:
        for file in sorted(f for f in folder.rglob("*") if f.is_file() and not f.is_symlink()):
            name = file.relative_to(folder)
            if _LEAVE_OUT & set(name.parts):
                continue
            entry = zipfile.ZipInfo(name.as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with file.open("rb") as reader, writer.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(reader, target, 1024 * 1024)


def unpack(archive: Path, target: Path, limit_bytes: int) -> None:
    """Unpack a zip archive into ``target``, which appears complete or not at all.

    Raises
    ------
    WeightsUnsafe
        It is no zip archive; it holds a path that leaves the folder, a link, more than
        10 000 files, or more than ``limit_bytes`` unpacked (declared or real).
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as folder:
        work = Path(folder) / "content"
        work.mkdir()
        try:
            with zipfile.ZipFile(archive) as reader:
                _extract(reader, archive, work, limit_bytes)
        except zipfile.BadZipFile as error:
            raise WeightsUnsafe(
                f"{archive.name} is no zip archive ({error}). A MONAI bundle or an nnU-Net folder "
                "is pinned as a zip of the folder; pack it anew: ennead models add FOLDER."
            ) from error
        work.rename(target)


def single_root(folder: Path, marker: str) -> Path:
    """``folder``, or its only sub-folder when ``marker`` lies in there (a zip of a folder)."""
    if (folder / marker).exists():
        return folder
    inside = [child for child in folder.iterdir() if child.is_dir()]
    if len(inside) == 1 and (inside[0] / marker).exists():
        return inside[0]
    return folder


def _extract(reader: zipfile.ZipFile, archive: Path, work: Path, limit_bytes: int) -> None:
    entries = reader.infolist()
    if len(entries) > _FILES_LIMIT:
        raise WeightsUnsafe(f"{archive.name} holds {len(entries)} files; at most {_FILES_LIMIT}.")
    if sum(entry.file_size for entry in entries) > limit_bytes:
        raise WeightsUnsafe(
            f"{archive.name} unpacks to more than {limit_bytes} bytes "
            "(models.weights_limit_bytes); raise the setting if that is meant."
        )
    left = limit_bytes
    for entry in entries:
        name = PurePosixPath(entry.filename)
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or link:
            raise WeightsUnsafe(
                f"{archive.name} holds {entry.filename!r}, a link or a path that leaves the "
                "folder; it is not unpacked. Get the archive from its publisher anew."
            )
        place = work.joinpath(*name.parts)
        if entry.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with reader.open(entry) as source, place.open("wb") as writer:
            while block := source.read(1024 * 1024):
                left -= len(block)
                if left < 0:
                    raise WeightsUnsafe(f"{archive.name} unpacks to more than it declares.")
                writer.write(block)
