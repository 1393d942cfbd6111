"""Labelled sets on disk: what a model is judged on here.

::

    set/
      cases.csv              case,scanner,sex,age,class   (all but ``case`` may be missing)
      c01/image.nii.gz       or c01/dicom/*.dcm
      c01/labels.nii.gz      label values of the model; for a classifier the column ``class`` tells

``class`` names the labels that are there, separated by ``;`` (empty: none). Labels may lie on the
image's grid in any order of axes.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ennead.contracts import Volume
from ennead.errors import EnneadError, InputError
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead_gpu.grids import axis_order
from ennead_models.cases import read_image
from ennead_models.manifest import ModelManifest
from ennead_models.spaces import reoriented, restored

TABLE: Final = "cases.csv"
_COLUMNS: Final = frozenset({"case", "scanner", "sex", "age", "class"})
_DECODE_LIMIT: Final = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class LabelledCase:
    """One case: where it is, and what the table says about it."""

    name: str
    folder: Path
    scanner: str = ""
    sex: str = ""
    age_years: float | None = None
    classes: frozenset[str] | None = None

    @property
    def labels(self) -> Path:
        """Its label map."""
        return self.folder / "labels.nii.gz"


def read_set(folder: Path, manifest: ModelManifest) -> list[LabelledCase]:
    """The cases of a set, by name.

    Raises
    ------
    InputError
        No case, a case without image or truth, a broken table; the message says which and what to
        do.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; a labelled set is a folder of cases.")
    rows = _table(folder / TABLE)
    inside = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    unknown = sorted(set(rows) - {f.name for f in inside})
    if unknown:
        raise InputError(f"{TABLE} names cases that are no folders: {', '.join(unknown[:5])}.")
    cases = [_case(f, rows.get(f.name, {}), manifest) for f in inside]
    if not cases:
        raise InputError(f"{folder} holds no case; put each in a folder of its own.")
    return cases


def set_digest(folder: Path) -> str:
    """``sha256:…`` over names and content of every file of the set."""
    total = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return "sha256:" + total.hexdigest()


def case_volume(case: LabelledCase) -> Volume:
    """The image of a case.

    Raises
    ------
    InputError
        It cannot be read, or its slices are no regular stack.
    """
    if (case.folder / "dicom").is_dir():
        return _dicom(case)
    try:
        values, grid = read_image(case.folder / "image.nii.gz")
    except (OSError, ValueError, EnneadError) as error:
        raise InputError(f"The image of case {case.name} cannot be read: {error}") from error
    return Volume(values, grid, StudyUID(""), SeriesUID(""), "", (), {})


def case_truth(case: LabelledCase, grid: Grid) -> npt.NDArray[np.uint16]:
    """The label map of a case, uint16[z, y, x] on the image's grid.

    Raises
    ------
    InputError
        It cannot be read, or lies on another grid.
    """
    try:
        values, own = read_image(case.labels)
        turned, turned_grid = reoriented(values, own, "RAS")
        order, flip = axis_order(grid, "RAS")
        # NIfTI files know no frame of reference: they are taken to share the image's.
        placed = replace(turned_grid, frame_of_reference_uid=grid.frame_of_reference_uid)
        grid.reordered(order, flip).require_same(placed, f"labels of case {case.name}")
    except (OSError, ValueError, EnneadError) as error:
        raise InputError(
            f"The labels of case {case.name} cannot be used: {error}. They must lie on the "
            "image's own grid."
        ) from error
    return np.asarray(restored(turned, grid, "RAS").round(), dtype=np.uint16)


def _case(folder: Path, row: dict[str, str], manifest: ModelManifest) -> LabelledCase:
    classifies = manifest.output.kind == "classification"
    has_image = (folder / "image.nii.gz").is_file() or (folder / "dicom").is_dir()
    if not has_image:
        raise InputError(f"Case {folder.name} has neither image.nii.gz nor a folder dicom.")
    if classifies and "class" not in row:
        raise InputError(f"Case {folder.name} has no class; give {TABLE} the column 'class'.")
    if not classifies and not (folder / "labels.nii.gz").is_file():
        raise InputError(f"Case {folder.name} has no labels.nii.gz.")
    classes = frozenset(part.strip() for part in row.get("class", "").split(";")) - {""}
    unknown = sorted(classes - {label.id for label in manifest.label}) if classifies else []
    if unknown:
        known = ", ".join(label.id for label in manifest.label)
        raise InputError(
            f"Case {folder.name} has the classes {', '.join(unknown)}, which {manifest.id} does "
            f"not know; it knows {known}."
        )
    return LabelledCase(
        folder.name,
        folder,
        row.get("scanner", ""),
        row.get("sex", ""),
        _age(row.get("age", ""), folder.name),
        classes if classifies else None,
    )


def _age(text: str, name: str) -> float | None:
    if not text:
        return None
    try:
        years = float(text)
    except ValueError as error:
        raise InputError(f"The age of case {name} must be years; got {text!r}.") from error
    return years


def _table(path: Path) -> dict[str, dict[str, str]]:
    """Case → row, of a table that may be missing."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        unknown = sorted(set(reader.fieldnames or ()) - _COLUMNS)
        if unknown or "case" not in (reader.fieldnames or ()):
            raise InputError(
                f"{TABLE} needs the column case, and may have {', '.join(sorted(_COLUMNS))}; it "
                f"has {', '.join(reader.fieldnames or ()) or 'none'}."
            )
        return {row["case"].strip(): dict(_stripped(row)) for row in reader}


def _stripped(row: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    for key, value in row.items():
        yield key, (value or "").strip()


def _dicom(case: LabelledCase) -> Volume:
    from pydicom.errors import InvalidDicomError

    from ennead_pipelines.run.inputs import load_request
    from ennead_pipelines.run.load import load
    from ennead_pipelines.select import Stack, stack_of
    from ennead_pipelines.select.files import candidate_of

    paths = sorted(f for f in (case.folder / "dicom").rglob("*") if f.is_file())
    try:
        candidate, by_uid = candidate_of(paths)
    except (InvalidDicomError, IndexError, AttributeError) as error:
        raise InputError(f"Case {case.name} holds files that are no images: {error}") from error
    stack = stack_of(candidate.headers)
    if not isinstance(stack, Stack):
        raise InputError(f"The slices of case {case.name} are no regular stack ({stack[0].code}).")
    study = StudyUID(candidate.record.study_uid)
    return load(load_request(study, candidate, stack, by_uid, _DECODE_LIMIT)).volume
