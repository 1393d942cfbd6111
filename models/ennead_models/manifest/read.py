"""Reading a model's folder."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ennead.errors import ModelManifestInvalid
from ennead_models.manifest.model import ModelManifest

SCHEMA_VERSION: Final = 1
MANIFEST_NAME: Final = "model.toml"
_SIZE_LIMIT: Final = 4 * 1024 * 1024


def read_model(folder: Path) -> tuple[ModelManifest, str]:
    """Parse and validate the ``model.toml`` of a folder.

    Returns
    -------
    (ModelManifest, str)
        And the model's digest (:func:`model_digest`).

    Raises
    ------
    ModelManifestInvalid
        With every broken rule and where it is: the file, the schema, the folder's name, or a file
        that it names and that is not there.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise ModelManifestInvalid(f"{path} is larger than {_SIZE_LIMIT} bytes")
        raw = path.read_bytes()
        data: dict[str, Any] = tomllib.loads(raw.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelManifestInvalid(f"{path} cannot be read as TOML: {error}") from error
    manifest = parse_model(data, str(path))
    broken = _files(manifest, folder)
    if broken:
        raise ModelManifestInvalid(f"{path}: {'; '.join(broken)}")
    return manifest, model_digest(raw, manifest.weights.sha256)


def parse_model(data: dict[str, Any], where: str) -> ModelManifest:
    """Validate the parsed content of a ``model.toml``; ``where`` begins every message.

    Raises
    ------
    ModelManifestInvalid
        With every broken rule and where it is.
    """
    if data.get("schema") != SCHEMA_VERSION:
        raise ModelManifestInvalid(
            f"{where} has schema {data.get('schema')!r}; this version reads {SCHEMA_VERSION}. "
            "Convert the manifest; nothing is upgraded silently."
        )
    try:
        return ModelManifest.model_validate(data)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'model'}: {e['msg']}" for e in error.errors()
        )
        raise ModelManifestInvalid(f"{where} breaks its schema: {lines}") from error


def model_digest(manifest: bytes, weights_sha256: str) -> str:
    """``sha256:…`` over the bytes of ``model.toml`` and the weights' hash: the model's identity."""
    digest = hashlib.sha256(manifest)
    digest.update(b"\0" + weights_sha256.encode())
    return "sha256:" + digest.hexdigest()


def _files(manifest: ModelManifest, folder: Path) -> list[str]:
    broken = []
    named = folder.name == manifest.id or (
        folder.parent.name == manifest.id and folder.name == manifest.version
    )
    if not named:
        broken.append(
            f"id {manifest.id!r} must equal the folder's name {folder.name!r} (or the folder is "
            f"{manifest.id}/{manifest.version})"
        )
    for what, name in (
        ("card", manifest.card),
        ("licence_file", manifest.licence_file),
        ("reference.case", manifest.reference.case),
    ):
        if name and not (folder / name).exists():
            broken.append(f"{what} {name!r} is not in the folder")
    return broken
