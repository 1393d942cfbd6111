"""A tiny nnU-Net v2 results folder: a real PlainConvUNet whose weights make it a threshold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_CONFIGURATION = "3d_fullres"


def plans(spacing_mm: tuple[float, float, float], patch: tuple[int, int, int]) -> dict[str, Any]:
    """``plans.json`` as nnunetv2 plans it, for one stage of resolution without striding."""
    return {
        "dataset_name": "Dataset999_Bright",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing_mm),
        "original_median_shape_after_transp": [32, 32, 32],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "mean": 0.0,
                "std": 100.0,
                "percentile_00_5": -1000.0,
                "percentile_99_5": 1000.0,
                "min": -1000.0,
                "max": 1000.0,
                "median": 0.0,
            }
        },
        "configurations": {
            _CONFIGURATION: {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(patch),
                "median_image_size_in_voxels": [32.0, 32.0, 32.0],
                "spacing": list(spacing_mm),
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": _resampling(False, 3),
                "resampling_fn_seg_kwargs": _resampling(True, 1),
                "resampling_fn_probabilities_kwargs": _resampling(False, 1),
                "batch_dice": False,
                "architecture": {
                    "network_class_name": (
                        "dynamic_network_architectures.architectures.unet.PlainConvUNet"
                    ),
                    "arch_kwargs": {
                        "n_stages": 2,
                        "features_per_stage": [2, 2],
                        "conv_op": "torch.nn.modules.conv.Conv3d",
                        "kernel_sizes": [[1, 1, 1], [1, 1, 1]],
                        "strides": [[1, 1, 1], [2, 2, 2]],
                        "n_conv_per_stage": [1, 1],
                        "n_conv_per_stage_decoder": [1],
                        "conv_bias": True,
                        "norm_op": None,
                        "norm_op_kwargs": None,
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": None,
                        "nonlin_kwargs": None,
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
            }
        },
    }


def _resampling(is_seg: bool, order: int) -> dict[str, Any]:
    return {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}


def write_results_folder(
    folder: Path,
    *,
    threshold_hu: float = 0.0,
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
    patch: tuple[int, int, int] = (16, 16, 16),
    folds: int = 1,
) -> Path:
    """Write ``plans.json``, ``dataset.json`` and ``fold_*/checkpoint_final.pth``.

    The network's second channel is the normalised value minus the threshold, its first is 0: the
    larger one is label 1 exactly where the value exceeds ``threshold_hu`` (in -1000 to 1000 HU).
    """
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    planned = plans(spacing_mm, patch)
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(planned, indent=2))
    dataset = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "bright": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(dataset, indent=2))
    architecture = planned["configurations"][_CONFIGURATION]["architecture"]
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        2,
        deep_supervision=True,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.encoder.stages[0][0].convs[0].conv.weight[0, 0] = 1.0
        # concatenated: two channels from below, two from the side
        network.decoder.stages[0].convs[0].conv.weight[0, 2] = 1.0
        last = network.decoder.seg_layers[-1]
        last.weight[1, 0] = 1.0
        last.bias[1] = -threshold_hu / 100.0
    for fold in range(folds):
        (folder / f"fold_{fold}").mkdir()
        checkpoint = {
            "network_weights": network.state_dict(),
            "optimizer_state": {},
            "grad_scaler_state": None,
            "logging": {"mean_fg_dice": [np.float64(0.9)], "train_losses": [np.float32(-0.8)]},
            "_best_ema": np.float64(0.9),
            "current_epoch": 1,
            "init_args": {"plans": planned, "configuration": _CONFIGURATION, "fold": fold},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
        }
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
