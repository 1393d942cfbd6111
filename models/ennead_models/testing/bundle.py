"""A tiny MONAI bundle: MONAI's own network, transforms, inferer; a threshold by its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def inference_config(
    spacing_mm: tuple[float, float, float], roi: tuple[int, int, int]
) -> dict[str, Any]:
    """``configs/inference.json`` as bundles of the model zoo have it, files and evaluator too."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "/workspace/data",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": "monai.networks.blocks.Convolution",
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 1,
            "conv_only": True,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS", "labels": None},
                {
                    "_target_": "Spacingd",
                    "keys": "image",
                    "pixdim": list(spacing_mm),
                    "mode": "bilinear",
                },
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": -1000,
                    "a_max": 1000,
                    "b_min": -1,
                    "b_max": 1,
                    "clip": True,
                },
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(roi),
            "sw_batch_size": 2,
            "overlap": 0.25,
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            }
        ],
    }


def write_bundle(
    folder: Path,
    *,
    threshold_hu: float = 0.0,
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
    roi: tuple[int, int, int] = (16, 16, 16),
    **sections: Any,
) -> Path:
    """Write ``configs/metadata.json``, ``configs/inference.json`` and ``models/model.pt``.

    The network's channel 1 exceeds channel 0 where the value exceeds ``threshold_hu`` (in -1000
    to 1000 HU). ``sections`` replace entries of the configuration.
    """
    import torch
    from monai.bundle import ConfigParser

    config = inference_config(spacing_mm, roi) | sections
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    metadata = {
        "version": "0.1.0",
        "monai_version": "1.6.0",
        "task": "Bright region",
        "description": "Voxels above a threshold",
        "authors": "Ennead",
        "copyright": "none",
        "intended_use": "Tests only",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield",
                    "modality": "CT",
                    "num_channels": 1,
                    "spatial_shape": list(roi),
                    "dtype": "float32",
                    "value_range": [-1, 1],
                    "is_patch_data": True,
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": 2,
                    "spatial_shape": list(roi),
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": True,
                    "channel_def": {"0": "background", "1": "bright"},
                }
            },
        },
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2))
    (folder / "configs" / "inference.json").write_text(json.dumps(config, indent=2))
    (folder / "LICENSE").write_text("Apache-2.0\n")
    network: Any = ConfigParser(
        {"network_def": inference_config(spacing_mm, roi)["network_def"]}
    ).get_parsed_content("network_def")
    state = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    for name, value in state.items():
        if name.endswith("weight"):
            value[1] = 1000.0
        else:
            value[1] = -threshold_hu
    torch.save(state, folder / "models" / "model.pt")
    return folder
