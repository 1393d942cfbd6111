"""Train the network: ``python -m head_structures.train.fit --out RUN``.

Goes on from the last checkpoint in ``RUN``. Every training pair is made anew from its number and
the seed, so a run that was stopped and one that was not see the same images in the same order.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from head_structures.train.data import read_heads, split
from head_structures.train.deformation import Shape
from head_structures.train.network import HeadNetwork
from head_structures.train.structures import CHANNELS
from head_structures.train.synthesis import Pair, make_pair
from network_training.checkpoints import AveragedWeights, load_checkpoint, save_checkpoint
from network_training.losses import dice_and_cross_entropy, dice_of_labels
from network_training.randomness import generator
from network_training.schedule import learning_rate

#: Number of the first image made for scoring; far beyond any training step.
SCORING = 5_000_000
_SMALL: Final[Shape] = (48, 64, 48)
_MIDDLE: Final[Shape] = (64, 80, 64)
_WHOLE: Final[Shape] = (96, 112, 96)
#: Up to which step images have which sizes, one drawn for each: many small ones first, since it is
#: the number of steps that teaches, with some whole heads; then larger ones.
STAGES: Final[tuple[tuple[int, tuple[Shape, ...]], ...]] = (
    (3000, (_SMALL,) * 9 + (_WHOLE,)),
    (3800, (_MIDDLE,) * 3 + (_WHOLE,)),
    (4200, ((80, 96, 80), _WHOLE)),
)


def known_share(step: int) -> float:
    """Known contrasts alone at first, half of them from step 800 on."""
    return 1.0 - 0.5 * min(1.0, step / 800)


def draw_shape(step: int, rng: torch.Generator) -> Shape:
    """The size of the image of a step (:data:`STAGES`)."""
    sizes = next((sizes for end, sizes in STAGES if step < end), STAGES[-1][1])
    return sizes[int(torch.randint(len(sizes), (), generator=rng))]


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Training pairs by step number."""

    def __init__(self, seed: int, start: int, steps: int) -> None:
        self.heads = read_heads(split()["train"])
        self.seed, self.start, self.steps = seed, start, steps

    def __len__(self) -> int:
        return self.steps - self.start

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        rng = generator(self.seed, self.start + item)
        head = self.heads[int(torch.randint(len(self.heads), (), generator=rng))]
        step = self.start + item
        return tuple(make_pair(head, rng, draw_shape(step, rng), known_share(step)))


def scoring_pairs(many: int) -> list[Pair]:
    """Pairs from the heads held back; the same in every run."""
    heads = read_heads(split()["held_back"])
    return [
        make_pair(heads[item % len(heads)], generator(0, SCORING + item), _WHOLE)
        for item in range(many)
    ]


@torch.no_grad()
def score(network: nn.Module, pairs: list[Pair]) -> list[float]:
    """Mean Dice of each structure over ``pairs``."""
    scores = []
    for pair in pairs:
        found = network(pair.image[None, None]).argmax(1)[0]
        scores.append(dice_of_labels(found, pair.labels, CHANNELS - 1))
    mean: list[float] = torch.tensor(scores).nanmean(0).tolist()
    return mean


def fit(out: Path, seed: int, steps: int, peak: float, score_every: int) -> None:
    """Train for ``steps`` images; writes ``checkpoint.pt`` and ``log.jsonl`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = HeadNetwork().to(memory_format=torch.channels_last_3d)
    averaged = AveragedWeights(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-4)
    step, spent = 0, 0.0
    if state := load_checkpoint(out / "checkpoint.pt"):
        network.load_state_dict(state["network"])
        averaged.network.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent, averaged.steps = state["step"], state["spent_s"], state["step"]
    loader = DataLoader(
        Pairs(seed, step, steps), batch_size=1, num_workers=1, prefetch_factor=4, shuffle=False
    )
    pairs = scoring_pairs(8)
    began, losses = time.monotonic() - spent, []
    for image, labels in loader:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        loss = dice_and_cross_entropy(network(image[:, None]), labels.long())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        averaged.update(network)
        losses.append(loss.item())
        step += 1
        spent = time.monotonic() - began
        if step % 50 == 0 or step == steps:
            row: dict[str, Any] = {
                "step": step,
                "loss": round(sum(losses) / len(losses), 4),
                "spent_s": round(spent),
                "cpu_s": round(time.process_time()),
            }
            if step % score_every == 0 or step == steps:
                dice = score(averaged.network, pairs)
                row["dice"] = [round(value, 3) for value in dice]
                row["mean_dice"] = round(sum(dice) / len(dice), 4)
            losses = []
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            save_checkpoint(
                out / "checkpoint.pt",
                {
                    "network": network.state_dict(),
                    "averaged": averaged.network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step,
                    "spent_s": spent,
                },
            )


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STAGES[-1][0])
    parser.add_argument("--peak", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--score-every", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    fit(given.out, given.seed, given.steps, given.peak, given.score_every)


if __name__ == "__main__":
    main()
