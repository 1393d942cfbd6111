"""Loss and score of a segmentation network."""

from __future__ import annotations

import torch
from torch import Tensor


def dice_and_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy plus one minus the mean soft Dice of the classes present in the batch.

    Parameters
    ----------
    logits : float32[b, c, x, y, z]
        Channel 0 is the background.
    target : int64[b, x, y, z]
        Class of each voxel.

    Returns
    -------
    float32 scalar
    """
    classes = logits.shape[1]
    rows = logits.movedim(1, -1).reshape(-1, classes).log_softmax(-1)
    wanted = target.reshape(-1)
    own = rows.gather(1, wanted[:, None])[:, 0]
    overlap = torch.zeros(classes, dtype=rows.dtype).index_add(0, wanted, own.exp())
    size = torch.bincount(wanted, minlength=classes).to(rows.dtype)
    dice = (2 * overlap + 1) / (rows.exp().sum(0) + size + 1)
    present = size > 0
    present[0] = False
    if not bool(present.any()):
        return -own.mean()
    return 1 - dice[present].mean() - own.mean()


def dice_of_labels(found: Tensor, truth: Tensor, labels: int) -> list[float]:
    """Dice of each label from 1 to ``labels``; NaN where neither map holds it.

    Parameters
    ----------
    found, truth : int64[...]
        Label maps on one grid.
    labels : int
        Highest label.
    """
    scores = []
    for label in range(1, labels + 1):
        one, two = found == label, truth == label
        size = int(one.sum() + two.sum())
        scores.append(2 * int((one & two).sum()) / size if size else float("nan"))
    return scores
