"""The structures the network names, and what they are made of in the training label maps.

Values of the training maps are FreeSurfer's for the brain and 200 upward for the clusters outside
it (``head_labels_synthseg``, Billot et al., Apache-2.0).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor


class Structure(NamedTuple):
    """One label of the network and the map values merged into it."""

    value: int
    name: str
    sources: tuple[int, ...]


STRUCTURES: Final = (
    Structure(1, "cerebral_cortex", (3, 42)),
    Structure(2, "cerebral_white_matter", (2, 41, 25, 57)),
    Structure(3, "lateral_ventricles", (4, 43, 5, 44)),
    Structure(4, "thalamus", (10, 49)),
    Structure(5, "basal_ganglia", (11, 12, 13, 26, 50, 51, 52, 58)),
    Structure(6, "hippocampus_left", (17,)),
    Structure(7, "hippocampus_right", (53,)),
    Structure(8, "cerebellum", (7, 8, 46, 47)),
    Structure(9, "brainstem", (16,)),
    Structure(10, "midline_ventricles", (14, 15, 72)),
    Structure(11, "brain_unnamed", (18, 54, 28, 60, 30, 62, 85, 136, 137, 163, 164)),
    Structure(12, "outer_csf", (24,)),
)
#: Channels of the network: the structures and the background.
CHANNELS: Final = len(STRUCTURES) + 1
#: The brain without the fluid around and inside it.
BRAIN: Final = (1, 2, 4, 5, 6, 7, 8, 9, 11)
#: Everything inside the skull.
INTRACRANIAL: Final = tuple(structure.value for structure in STRUCTURES)

#: Left value, right value of the same structure.
SIDES: Final = (
    (2, 41),
    (3, 42),
    (4, 43),
    (5, 44),
    (7, 46),
    (8, 47),
    (10, 49),
    (11, 50),
    (12, 51),
    (13, 52),
    (17, 53),
    (18, 54),
    (25, 57),
    (26, 58),
    (28, 60),
    (30, 62),
    (136, 163),
    (137, 164),
)
_VALUES: Final = 256


def merge_table() -> Tensor:
    """uint8[256]: the network's label of each map value; 0 outside the brain."""
    table = torch.zeros(_VALUES, dtype=torch.uint8)
    for structure in STRUCTURES:
        table[list(structure.sources)] = structure.value
    return table


def swap_table() -> Tensor:
    """uint8[256]: the map value of the same structure on the other side."""
    table = torch.arange(_VALUES, dtype=torch.uint8)
    for left, right in SIDES:
        table[left], table[right] = right, left
    return table


def one_side_table() -> Tensor:
    """uint8[256]: the left value for both sides, so that both take the same contrast."""
    table = torch.arange(_VALUES, dtype=torch.uint8)
    for left, right in SIDES:
        table[right] = left
    return table
