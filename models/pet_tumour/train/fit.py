"""Train the network: ``python -m pet_tumour.train.fit --out RUN``.

Goes on from the last checkpoint in ``RUN``. Every training cube is made anew from its number and
the seed, so a run that was stopped and one that was not see the same cubes in the same order.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from network_training.checkpoints import AveragedWeights, load_checkpoint, save_checkpoint
from network_training.losses import dice_and_cross_entropy
from network_training.randomness import generator
from network_training.schedule import learning_rate
from pet_tumour.train.data import read_cases, split
from pet_tumour.train.network import TumourNetwork
from pet_tumour.train.sampling import back_to_case, cube_at, draw_cube
from pet_tumour.train.seeds import hottest, near


class Cubes(Dataset[tuple[Tensor, Tensor]]):
    """Training cubes by number."""

    def __init__(self, seed: int, start: int, stop: int) -> None:
        self.cases = read_cases(split()["train"])
        self.seed, self.start, self.stop = seed, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        rng = generator(self.seed, self.start + item)
        case = self.cases[int(torch.randint(len(self.cases), (), generator=rng))]
        return tuple(draw_cube(case, rng))


@torch.no_grad()
def score(network: nn.Module, patients: list[str]) -> float:
    """Mean Dice of the part that holds the seed, from the hottest voxel of each tumour."""
    scores = []
    for case in read_cases(patients):
        seed = hottest(case).float()
        probability = network(cube_at(case, seed).suv[None, None]).sigmoid()[0, 0]
        found = near(back_to_case(probability, case, seed) >= 0.5, seed)
        overlap = int((found & case.tumour).sum())
        scores.append(2 * overlap / int(found.sum() + case.tumour.sum()))
    return sum(scores) / len(scores)


def fit(out: Path, seed: int, steps: int, peak: float, score_every: int, batch: int = 1) -> None:
    """Train for ``steps`` batches; writes ``checkpoint.pt`` and ``log.jsonl`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = TumourNetwork().to(memory_format=torch.channels_last_3d)
    averaged = AveragedWeights(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-3)
    step, spent = 0, 0.0
    if state := load_checkpoint(out / "checkpoint.pt"):
        network.load_state_dict(state["network"])
        averaged.network.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent, averaged.steps = state["step"], state["spent_s"], state["step"]
    loader = DataLoader(
        Cubes(seed, step * batch, steps * batch),
        batch_size=batch,
        num_workers=1,
        prefetch_factor=4,
        shuffle=False,
    )
    began, losses = time.monotonic() - spent, []
    for suv, tumour in loader:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        logit = network(suv[:, None])
        loss = dice_and_cross_entropy(
            torch.cat([torch.zeros_like(logit), logit], dim=1), tumour.long()
        )
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
                row["dice"] = round(score(averaged.network, split()["development"]), 4)
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
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--score-every", type=int, default=100)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    fit(given.out, given.seed, given.steps, given.peak, given.score_every)


if __name__ == "__main__":
    main()
