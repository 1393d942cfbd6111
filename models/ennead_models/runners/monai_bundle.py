"""MONAI bundles, run by MONAI: the bundle's own network, transforms and inferer, as they stand.

The folder (or a zip of it) holds ``configs/metadata.json``, ``configs/inference.json`` and
``models/model.pt``. Of the configuration, ``network_def``, ``preprocessing``, ``inferer`` and
``postprocessing`` are resolved by :class:`monai.bundle.ConfigParser`. Transforms that read or
write files are left out: the image comes from memory and the labels go back there.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ennead.errors import PredictionCancelled, TensorMismatch, WeightsUnsafe
from ennead.geometry import Grid
from ennead_gpu.grids import labels_to_source
from ennead_models.manifest import ModelManifest
from ennead_models.predict import FloatVolume, Prediction, PredictProgress
from ennead_models.runners.bundle_code import METADATA, code_of, needed_config
from ennead_models.runners.open import absent
from ennead_models.runners.outputs import check_channels, label_map
from ennead_models.spaces import grid_of_ras, ras_affine, reoriented, restored
from ennead_models.weights.archive import single_root

_NEEDS: Final = ("torch", "monai")
_WEIGHTS: Final = "models/model.pt"
_TORCHSCRIPT: Final = "models/model.ts"
#: Transforms of files; the platform reads and writes.
_FILES: Final = frozenset({"LoadImaged", "LoadImageD", "LoadImageDict", "LoadImage"}) | {
    "SaveImaged",
    "SaveImageD",
    "SaveImageDict",
    "SaveImage",
}
#: The image is given to every bundle in this order, so that stored axes do not matter.
_ORIENTATION: Final = "SAR"


def is_available() -> bool:
    """Whether MONAI and torch can be imported."""
    return not absent(_NEEDS)


def missing() -> str:
    """What is to be installed; "" when nothing is."""
    lacking = absent(_NEEDS)
    return f"MONAI bundles need {', '.join(lacking)}; run: pip install 'ennead[models]'" * bool(
        lacking
    )


def metadata(folder: Path) -> dict[str, Any]:
    """A bundle's ``configs/metadata.json``.

    Raises
    ------
    TensorMismatch
        It is missing or no JSON.
    """
    try:
        found: dict[str, Any] = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TensorMismatch(
            f"A MONAI bundle holds {METADATA}; it cannot be read: {error}. Take the bundle's whole "
            "folder or its zip."
        ) from error
    return found


def open_network(
    manifest: ModelManifest,
    digest: str,
    path: Path,
    *,
    device: str,
    threads: int,
    code_accepted: bool,
) -> MonaiBundle:
    """Load a bundle.

    Raises
    ------
    TensorMismatch
        A file is missing, or the weights do not fit the network.
    WeightsUnsafe
        It runs code besides MONAI's that nobody accepted, or its weights are a pickle of more
        than tensors.
    """
    foreign = code_of(path, manifest.options.config)
    if foreign and not code_accepted:
        raise WeightsUnsafe(
            f"The bundle of {manifest.id} would run code besides MONAI's: {'; '.join(foreign)}. "
            "Look at it; if it may run, install the model with --accept-code."
        )
    return MonaiBundle(manifest, digest, single_root(path, METADATA), device, threads)


class MonaiBundle:
    """A bundle with its network on one device."""

    def __init__(
        self, manifest: ModelManifest, digest: str, root: Path, device: str, threads: int
    ) -> None:
        from monai.bundle import ConfigParser

        self.manifest, self.digest, self.device = manifest, digest, device
        self._threads = threads
        self._one_at_a_time = threading.Lock()  # transforms keep what they undo
        formats = metadata(root).get("network_data_format", {})
        self._image = next(iter(formats.get("inputs", {})), "image")
        self._pred = next(iter(formats.get("outputs", {})), "pred")
        content = needed_config(root, manifest.options.config)
        _leave_files_out(content)
        content["bundle_root"] = str(root)
        content["device"] = f"$torch.device({device!r})"
        parser = ConfigParser(content)
        if (root / "scripts").is_dir() and str(root) not in sys.path:
            sys.path.insert(0, str(root))  # only after its code was accepted: nothing else uses it
        parser.parse(True)
        self._preprocess = parser.get_parsed_content("preprocessing")
        self._postprocess = parser.get_parsed_content("postprocessing")
        self._inferer = parser.get_parsed_content("inferer")
        network = parser.get_parsed_content("network_def")
        self._network = _with_weights(manifest, network, root).to(device).eval()

    def predict(
        self,
        values: FloatVolume,
        grid: Grid,
        *,
        thresholds: Mapping[str, float],
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> Prediction:
        """See :func:`ennead_models.predict.predict`."""
        import torch
        from monai.data import MetaTensor

        turned, turned_grid = reoriented(values, grid, _ORIENTATION)
        affine = ras_affine(turned_grid)
        image = MetaTensor(
            torch.from_numpy(np.ascontiguousarray(turned.transpose(2, 1, 0))),
            affine=torch.from_numpy(affine),
            meta={"original_channel_dim": "no_channel", "filename_or_obj": "memory"},
        )
        image.meta["original_affine"] = affine
        image.meta["spatial_shape"] = np.array(image.shape)
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with self._one_at_a_time, torch.inference_mode():
                data = self._preprocess({self._image: image})
                batch = data[self._image][None].to(self.device)
                watched = _Watched(self._network, self._inferer, batch, progress, cancelled)
                found = self._inferer(inputs=batch, network=watched)
                found = found[0] if isinstance(found, (tuple, list)) else found
                check_channels(self.manifest, tuple(found.shape))
                data[self._pred] = MetaTensor(found[0], meta=data[self._image].meta)
                data[self._pred].applied_operations = data[self._image].applied_operations
                result = self._postprocess(data)[self._pred]
        finally:
            torch.set_num_threads(before)
        labels = self._labels(result, turned_grid, thresholds)
        progress(1.0)
        return Prediction(labels=restored(labels, grid, _ORIENTATION))

    def close(self) -> None:
        """Give its memory back."""
        self._network = None

    def _labels(self, result: Any, grid: Grid, thresholds: Mapping[str, float]) -> Any:
        """The bundle's output as label values on ``grid``, wherever its postprocessing ended."""
        import torch

        tensor = result.as_tensor() if hasattr(result, "as_tensor") else torch.as_tensor(result)
        if tensor.ndim != 4:
            raise TensorMismatch(
                f"The postprocessing of {self.manifest.id} gives shape {list(tensor.shape)}; "
                "expected [channel, x, y, z]."
            )
        if tensor.shape[0] == 1 and self.manifest.output.kind == "labels":
            as_map = self.manifest.model_copy(
                update={"output": self.manifest.output.model_copy(update={"form": "map"})}
            )
            found = label_map(as_map, tensor, {})
        else:
            check_channels(self.manifest, (1, *tensor.shape))
            found = label_map(self.manifest, tensor, thresholds)
        array = found.cpu().numpy().astype(np.uint16).transpose(2, 1, 0)
        affine = np.asarray(result.affine) if hasattr(result, "affine") else ras_affine(grid)
        shape = (array.shape[2], array.shape[1], array.shape[0])
        at = grid_of_ras(affine, shape, grid.frame_of_reference_uid)
        if at.same_as(grid, tolerance_mm=1e-2):
            return np.ascontiguousarray(array)
        return labels_to_source(np.ascontiguousarray(array), at, grid)


class _Watched:
    """The network, telling its progress for each window and stopping between two of them."""

    def __init__(
        self,
        network: Any,
        inferer: Any,
        batch: Any,
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._network = network
        self._progress, self._cancelled = progress, cancelled
        self._done, self._calls = 0, _calls(inferer, tuple(batch.shape[2:]))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._cancelled():
            raise PredictionCancelled("The prediction was cancelled; run it again to have it.")
        found = self._network(*args, **kwargs)
        self._done += 1
        self._progress(min(0.95, 0.95 * self._done / self._calls))
        return found


def _calls(inferer: Any, shape: tuple[int, ...]) -> int:
    """How often an inferer calls its network, where it is known to slide a window."""
    roi, batch = getattr(inferer, "roi_size", None), getattr(inferer, "sw_batch_size", None)
    if roi is None or not batch:
        return 1
    from monai.data.utils import dense_patch_slices
    from monai.utils import ensure_tuple_rep, fall_back_tuple

    size = fall_back_tuple(roi, shape)
    overlap = ensure_tuple_rep(getattr(inferer, "overlap", 0.25), len(shape))
    padded = [max(n, r) for n, r in zip(shape, size, strict=True)]
    step = [
        r if r == n else max(1, int(r * (1 - o)))
        for n, r, o in zip(padded, size, overlap, strict=True)
    ]
    return max(1, -(-len(dense_patch_slices(padded, size, step)) // batch))


def _leave_files_out(config: Any) -> None:
    """Disable transforms of files wherever they stand; MONAI skips what is ``_disabled_``."""
    if isinstance(config, dict):
        if str(config.get("_target_", "")).split(".")[-1] in _FILES:
            config["_disabled_"] = True
        for inside in config.values():
            _leave_files_out(inside)
    elif isinstance(config, list):
        for inside in config:
            _leave_files_out(inside)


def _with_weights(manifest: ModelManifest, network: Any, root: Path) -> Any:
    import torch

    file = root / _WEIGHTS
    if not file.is_file() and (root / _TORCHSCRIPT).is_file():
        return torch.jit.load(str(root / _TORCHSCRIPT), map_location="cpu")
    if not file.is_file():
        raise TensorMismatch(
            f"The bundle of {manifest.id} has neither {_WEIGHTS} nor {_TORCHSCRIPT}. Bundles "
            "published without weights name them in large_files.yml: download them first."
        )
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what the pickle makes it raise
        raise WeightsUnsafe(
            f"{_WEIGHTS} of {manifest.id} is a pickle of more than tensors and would run code when "
            f"loaded: {str(error).splitlines()[0][:300]}. Save its state_dict() alone."
        ) from error
    for key in ("model", "state_dict", "network"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    try:
        network.load_state_dict(loaded)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise TensorMismatch(
            f"{_WEIGHTS} does not fit network_def of {manifest.id}: {str(error)[:300]}. They come "
            "from different versions of the bundle."
        ) from error
    return network
