"""Drafts: networks sent to the portal that are not models yet, under ``<home>/model-drafts``."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ennead.errors import InputError, LimitExceeded, NotFound
from ennead.settings import Settings
from ennead_models.weights.archive import unpack
from ennead_models.wizard.answers import Answers, parse_answers
from ennead_models.wizard.contract import Contract

#: Drafts kept at once, and how long an untouched one is kept.
MOST: Final = 20
_KEPT: Final = dt.timedelta(days=7)
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A network that was sent, what its file says, and the answers so far."""

    id: str
    folder: Path
    name: str
    created_at: str
    created_by: str
    contract: Contract | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""

    @property
    def upload(self) -> Path:
        """The file as it was sent."""
        return self.folder / "upload" / self.name

    @property
    def sample_path(self) -> Path | None:
        """The sample image, where one was sent."""
        return self.folder / "sample" / self.sample if self.sample else None

    @property
    def answers(self) -> Answers:
        """Answers given over those suggested; raises InputError."""
        assert self.contract is not None
        return parse_answers(self.contract.suggestions, self.given)


class Drafts:
    """The drafts of one instance, as folders with a ``draft.json``."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.home / "model-drafts"
        self._limit = settings.models.weights_limit_bytes

    def every(self) -> list[Draft]:
        """All drafts, the newest first."""
        found = [self._read(file.parent) for file in self.root.glob("*/draft.json")]
        return sorted(found, key=lambda draft: draft.created_at, reverse=True)

    def get(self, draft_id: str) -> Draft:
        """One draft.

        Raises
        ------
        NotFound
            There is none of that id.
        """
        if re.fullmatch(r"[0-9a-f]{32}", draft_id):
            folder = self.root / draft_id
            if (folder / "draft.json").is_file():
                return self._read(folder)
        raise NotFound(f"No draft has the id {draft_id[:40]!r}; it may have been removed.")

    def begin(self, name: str, by: str) -> Draft:
        """Make room for an upload; drafts that nobody touched for a week are removed.

        Raises
        ------
        LimitExceeded
            There are too many drafts.
        InputError
            The name is empty.
        """
        plain = plain_name(name)
        oldest = (dt.datetime.now(dt.UTC) - _KEPT).timestamp()
        for folder in self.root.glob("*"):
            file = folder / "draft.json"  # absent while it is sent, or when sending broke off
            if (file if file.exists() else folder).stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        if len(self.every()) >= MOST:
            raise LimitExceeded(f"There are {MOST} drafts; remove or finish one first.")
        draft_id = uuid.uuid4().hex
        folder = self.root / draft_id
        (folder / "upload").mkdir(parents=True, mode=0o700)
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Draft(draft_id, folder, plain, at, by)

    def save(self, draft: Draft) -> None:
        """Write the draft down, whole or not at all."""
        document = {
            "name": draft.name,
            "created_at": draft.created_at,
            "created_by": draft.created_by,
            "contract": draft.contract.document() if draft.contract else None,
            "given": dict(draft.given),
            "sample": draft.sample,
        }
        part = draft.folder / "draft.json.part"
        part.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        part.rename(draft.folder / "draft.json")

    def remove(self, draft: Draft) -> None:
        """Remove a draft with everything that was sent for it."""
        shutil.rmtree(draft.folder, ignore_errors=True)

    def take_sample(self, draft: Draft, file: Path) -> str:
        """Keep a sent sample: a NIfTI file as it is, a zip archive of DICOM files unpacked.

        Raises
        ------
        InputError
            It is neither.
        WeightsUnsafe
            The archive cannot be unpacked safely.
        """
        folder = draft.folder / "sample"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if file.name.endswith((".nii", ".nii.gz")):
            file.rename(folder / file.name)
            return file.name
        if file.name.endswith(".zip"):
            unpack(file, folder / "series", self._limit)
            file.unlink()
            return "series"
        raise InputError(f"A sample is a NIfTI file or a zip of DICOM files; got {file.name!r}.")

    def _read(self, folder: Path) -> Draft:
        data = json.loads((folder / "draft.json").read_text(encoding="utf-8"))
        contract = Contract.of(data.pop("contract")) if data.get("contract") else None
        data.pop("contract", None)
        return Draft(id=folder.name, folder=folder, contract=contract, **data)


def plain_name(name: str) -> str:
    """A file name without folders and odd characters.

    Raises
    ------
    InputError
        Nothing is left.
    """
    plain = _NAME.sub("_", Path(name.replace("\\", "/")).name).strip("._")[:120]
    if not plain:
        raise InputError(f"A file name is needed (?name=liver.onnx); got {name[:40]!r}.")
    return plain
