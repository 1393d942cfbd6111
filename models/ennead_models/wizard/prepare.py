"""What was given (file, folder, zip) as weights that can be pinned: one file, and its kind."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ennead.errors import WeightsUnsafe
from ennead_models.runners.bundle_code import METADATA
from ennead_models.weights.archive import pack_folder, single_root, unpack

_PLANS: Final = "plans.json"
KINDS: Final = (
    "an ONNX file, a TorchScript file (torch.jit.save), a MONAI bundle (folder or zip) or an "
    "nnU-Net v2 results folder (or its zip)"
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Weights ready to be pinned.

    Parameters
    ----------
    runner : str
        As in ``model.toml``.
    weights : Path
        The one file: the network itself, or a zip of the folder.
    folder : Path or None
        For bundles and nnU-Net: the folder that holds their files.
    name : str
        What the given thing was called, without its ending.
    """

    runner: str
    weights: Path
    folder: Path | None
    name: str


def prepare(source: Path, work: Path, limit_bytes: int) -> Prepared:
    """Find out what was given and make one file of it.

    Parameters
    ----------
    work : Path
        An empty folder that lives as long as what is returned.

    Raises
    ------
    WeightsUnsafe
        It is none of the kinds that can be run, or an archive that cannot be unpacked safely.
    """
    work.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        return _folder(source, work, source.name)
    if not source.is_file():
        raise WeightsUnsafe(f"{source} is not here. Give {KINDS}.")
    if zipfile.is_zipfile(source):
        names = zipfile.ZipFile(source).namelist()
        if _is_torchscript(names):
            return Prepared("torchscript", source, None, source.stem)
        if any(name.endswith("data.pkl") for name in names):
            raise WeightsUnsafe(
                f"{source.name} is a pickled torch file (weights or a module), no TorchScript: "
                "loading it would run code, and it does not hold the network's structure. Save "
                "torch.jit.script(net) or export to ONNX."
            )
        content = work / "content"
        unpack(source, content, limit_bytes)
        return _folder(content, work, source.stem)
    if source.suffix.lower() == ".onnx" or source.read_bytes()[:1] == b"\x08":
        return Prepared("onnx", source, None, source.stem)
    raise WeightsUnsafe(f"{source.name} is none of the kinds that are run. Give {KINDS}.")


def _is_torchscript(names: list[str]) -> bool:
    return any("/code/" in name or name.startswith("code/") for name in names) and any(
        name.endswith("constants.pkl") for name in names
    )


def _folder(folder: Path, work: Path, name: str) -> Prepared:
    for marker, runner in ((METADATA, "monai-bundle"), (_PLANS, "nnunet")):
        root = single_root(folder, marker)
        if (root / marker).is_file():
            packed = work / "weights.zip"
            pack_folder(root, packed)
            return Prepared(runner, packed, root, name if root == folder else root.name)
    raise WeightsUnsafe(
        f"{name} holds neither {METADATA} (a MONAI bundle) nor {_PLANS} (an nnU-Net results "
        f"folder). Give {KINDS}."
    )
