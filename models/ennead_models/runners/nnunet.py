"""nnU-Net v2 results folders, run by nnunetv2's own classes.

The folder (or a zip of it) holds ``plans.json``, ``dataset.json`` and ``fold_*/checkpoint_*.pth``.
Preprocessing, network, sliding window and resampling back are nnunetv2's; ours is only what it
lacks: orientation, cancelling, progress, and loading checkpoints without running their pickles.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ennead.errors import (
    PredictionCancelled,
    TensorMismatch,
    WeightsUnsafe,
)
from ennead.geometry import Grid
from ennead_models.manifest import ModelManifest
from ennead_models.predict import FloatVolume, Prediction, PredictProgress
from ennead_models.runners.open import absent
from ennead_models.spaces import reoriented, restored
from ennead_models.weights.archive import single_root

_NEEDS: Final = ("torch", "nnunetv2", "dynamic_network_architectures", "batchgenerators")
#: Where network classes and their building blocks may come from; others would be foreign code.
_ALLOWED: Final = ("dynamic_network_architectures.", "torch.nn.")
#: How the arrays of nnunetv2's image readers lie when a training image was stored as scanners do.
_DEFAULT_ORIENTATION: Final = "SPL"
_ORIENTATIONS: Final = {"NibabelIOWithReorient": "SAR"}


def is_available() -> bool:
    """Whether nnunetv2 can be imported."""
    return not absent(_NEEDS)


def missing() -> str:
    """What is to be installed; "" when nothing is."""
    lacking = absent(_NEEDS)
    if not lacking:
        return ""
    return (
        f"nnU-Net needs {', '.join(lacking)}; run: pip install --no-deps -r "
        "models/requirements-nnunet.txt"
    )


def open_network(
    manifest: ModelManifest,
    digest: str,
    path: Path,
    *,
    device: str,
    threads: int,
    code_accepted: bool,
) -> NNUNetModel:
    """Load a results folder.

    Raises
    ------
    TensorMismatch
        A file is missing, or the weights do not fit the network of the plans.
    WeightsUnsafe
        A checkpoint or the plans would run foreign code.
    """
    del code_accepted  # nothing here runs code that could be accepted
    folder = single_root(path, "plans.json")
    with _quiet():
        return NNUNetModel(manifest, digest, folder, device, threads)


def folder_facts(folder: Path) -> dict[str, Any]:
    """``plans.json`` and ``dataset.json`` of a results folder, and its folds.

    Raises
    ------
    TensorMismatch
        One of them is missing or no JSON.
    """
    facts: dict[str, Any] = {}
    for name in ("plans", "dataset"):
        try:
            facts[name] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TensorMismatch(
                f"An nnU-Net results folder holds plans.json, dataset.json and fold_*/; "
                f"{name}.json cannot be read: {error}. Take the folder that holds fold_0."
            ) from error
    facts["folds"] = sorted(f.name for f in folder.glob("fold_*") if f.is_dir())
    return facts


class NNUNetModel:
    """nnunetv2's predictor with its networks loaded."""

    def __init__(
        self, manifest: ModelManifest, digest: str, folder: Path, device: str, threads: int
    ) -> None:
        import torch
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
        from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        self.manifest, self.digest, self.device = manifest, digest, device
        self._threads = threads
        self._one_at_a_time = threading.Lock()  # the predictor keeps what it is working on
        facts = folder_facts(folder)
        checkpoints = [_checkpoint(file) for file in _files(manifest, folder)]
        first = checkpoints[0]
        plans = PlansManager(facts["plans"])
        name = first["init_args"]["configuration"]
        if name not in facts["plans"].get("configurations", {}):
            raise TensorMismatch(f"plans.json knows no configuration {name!r} of the checkpoint.")
        configuration = plans.get_configuration(name)
        _check_classes(configuration)
        if getattr(configuration, "previous_stage_name", None):
            raise TensorMismatch(
                f"{manifest.id} is the second stage of a cascade; only single networks are run."
            )
        self._orientation = manifest.input.orientation or _ORIENTATIONS.get(
            facts["plans"].get("image_reader_writer", ""), _DEFAULT_ORIENTATION
        )
        channels = determine_num_input_channels(plans, configuration, facts["dataset"])
        labels = plans.get_label_manager(facts["dataset"])
        _check_contract(manifest, channels, labels)
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            channels,
            labels.num_segmentation_heads,
            allow_init=False,
            deep_supervision=False,
        )
        parameters = [checkpoint["network_weights"] for checkpoint in checkpoints]
        try:
            network.load_state_dict(parameters[0])
        except RuntimeError as error:
            raise TensorMismatch(
                f"The weights of {manifest.id} do not fit the network of its plans (trainer "
                f"{first.get('trainer_name')!r}): {str(error)[:300]}. Trainers that change the "
                "architecture without saying so in plans.json cannot be run."
            ) from error
        self._predictor = _predictor_class()(
            tile_step_size=1 - manifest.resources.overlap if manifest.resources.tile else 0.5,
            use_mirroring=manifest.options.mirror,
            device=torch.device(device),
            allow_tqdm=False,
        )
        self._predictor.manual_initialization(
            network,
            plans,
            configuration,
            parameters,
            facts["dataset"],
            str(first.get("trainer_name", "")),
            first.get("inference_allowed_mirroring_axes"),
        )

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
        from nnunetv2.inference.export_prediction import (
            convert_predicted_logits_to_segmentation_with_correct_shape,
        )

        del thresholds  # nnU-Net's label manager decides between its labels
        predictor = self._predictor
        turned, turned_grid = reoriented(values, grid, self._orientation)
        with self._one_at_a_time, _quiet(), _threads(self._threads):
            preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
            data, _, properties = preprocessor.run_case_npy(
                turned[None],
                None,
                {"spacing": list(turned_grid.spacing_mm)},
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.dataset_json,
            )
            predictor.watch(progress, cancelled)
            logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data))
            if predictor.stopped:
                raise PredictionCancelled("The prediction was cancelled; run it again to have it.")
            found = convert_predicted_logits_to_segmentation_with_correct_shape(
                logits,
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.label_manager,
                properties,
                num_threads_torch=self._threads,
            )
        labels = restored(np.asarray(found), grid, self._orientation).astype(np.uint16)
        known = np.zeros(int(labels.max()) + 1, dtype=np.uint16)
        for label in self.manifest.label:
            if label.value < known.size:
                known[label.value] = label.value
        progress(1.0)
        return Prediction(labels=known[labels])

    def close(self) -> None:
        """Give its memory back."""
        self._predictor.network = None
        self._predictor.list_of_parameters = None


def _predictor_class() -> Any:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    class WatchedPredictor(nnUNetPredictor):
        """Tells its progress for each tile, and stops between two of them."""

        def watch(self, progress: PredictProgress, cancelled: Callable[[], bool]) -> None:
            """Begin a new image."""
            self._progress, self._cancelled = progress, cancelled
            self._done, self._tiles, self.stopped = 0, 0, False

        def _internal_get_sliding_window_slicers(self, image_size: tuple[int, ...]) -> Any:
            slicers = super()._internal_get_sliding_window_slicers(image_size)
            self._tiles = len(slicers) * len(self.list_of_parameters)
            return slicers

        def _internal_maybe_mirror_and_predict(self, x: Any) -> Any:
            self.stopped = self.stopped or self._cancelled()
            if self.stopped:  # drain the tiles: a thread of nnunetv2 waits until all are taken
                heads = self.label_manager.num_segmentation_heads
                return x.new_zeros((x.shape[0], heads, *x.shape[2:]))
            found = super()._internal_maybe_mirror_and_predict(x)
            self._done += 1
            self._progress(min(0.95, 0.95 * self._done / max(1, self._tiles)))
            return found

    return WatchedPredictor


def _files(manifest: ModelManifest, folder: Path) -> list[Path]:
    folds = [f"fold_{fold}" for fold in manifest.options.folds]
    folds = folds or sorted(f.name for f in folder.glob("fold_*") if f.is_dir())
    files = [folder / fold / manifest.options.checkpoint for fold in folds]
    absent_files = [f"{file.parent.name}/{file.name}" for file in files if not file.is_file()]
    if absent_files or not files:
        raise TensorMismatch(
            f"The results folder of {manifest.id} lacks {', '.join(absent_files) or 'fold_*'}. "
            "Name the folds and the checkpoint in [options], or take the whole folder."
        )
    return files


def _checkpoint(file: Path) -> dict[str, Any]:
    """A checkpoint without running its pickle: tensors, numbers, texts and containers only."""
    import torch

    # Training logs hold NumPy numbers; rebuilding those runs nothing.
    scalar = getattr(np, "_core", None) or np.core
    safe: list[Any] = [scalar.multiarray.scalar, scalar.multiarray._reconstruct, np.ndarray]
    safe += [np.dtype, *{type(np.dtype(code)) for code in np.typecodes["AllFloat"] + "bhilqBHILQ?"}]
    try:
        with torch.serialization.safe_globals(safe):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what the pickle makes it raise
        raise WeightsUnsafe(
            f"{file.parent.name}/{file.name} is a pickle that holds more than tensors and "
            f"numbers, and would run code when loaded: {str(error).splitlines()[0][:300]}. Save it "
            "anew with network_weights, init_args and trainer_name only."
        ) from error
    needed = ("network_weights", "init_args")
    if not isinstance(loaded, dict) or any(key not in loaded for key in needed):
        raise TensorMismatch(
            f"{file.parent.name}/{file.name} is no nnU-Net v2 checkpoint: it needs "
            f"{' and '.join(needed)}."
        )
    return loaded


def _check_classes(configuration: Any) -> None:
    """Plans name classes by dotted path; only those of the known libraries are looked up."""
    named = [configuration.network_arch_class_name]
    kwargs = configuration.network_arch_init_kwargs
    named += [kwargs.get(key) for key in configuration.network_arch_init_kwargs_req_import]
    foreign = [n for n in named if n is not None and not str(n).startswith(_ALLOWED)]
    if foreign:
        raise WeightsUnsafe(
            f"plans.json names {', '.join(map(str, foreign))}; only classes of "
            f"{' and '.join(_ALLOWED)} are used. Such a network is not run."
        )


def _check_contract(manifest: ModelManifest, channels: int, labels: Any) -> None:
    if channels != 1:
        raise TensorMismatch(
            f"{manifest.id} takes {channels} image channels; a model here takes one series. "
            "Networks of several sequences need a specialty package."
        )
    heads = labels.num_segmentation_heads
    if manifest.output.channels not in (None, heads):
        raise TensorMismatch(
            f"{manifest.id} gives {heads} channels; its manifest says {manifest.output.channels}. "
            "Correct output.channels and the labels, or take the right folder."
        )
    known = {int(v) for v in labels.all_labels if isinstance(v, int | np.integer)}
    unknown = [label.value for label in manifest.label if known and label.value not in known]
    if unknown:
        raise TensorMismatch(
            f"{manifest.id} knows the label values {sorted(known)}; its manifest names {unknown}."
        )


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """nnunetv2 prints; its output is no part of a worker's log. It also warns about paths."""
    importlib.import_module("torch")
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
