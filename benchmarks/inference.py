"""Sliding-window inference beside MONAI's SlidingWindowInferer: same network, tiles, precision.

    python benchmarks/inference.py [--device cpu] [--repeat 5] [--size 128] [--docs]

Each has a process of its own and they take turns, so that noise meets both; ratios are medians
over the pairs, above 1 is faster than MONAI. MONAI's importance map is cached, both run in
inference mode, and both end with labels of one byte. ``--docs`` writes the table into
docs/reference/inference.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet

from ennead_gpu.devices import Inventory
from ennead_gpu.memory import measured
from ennead_gpu.tiled import Tiling, segment

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "inference.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
TARGETS = {"cpu": 1.0, "cuda": 1.5}


@dataclass(frozen=True)
class Case:
    classes: int
    overlap: float
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    stitching: bool = False

    @property
    def title(self) -> str:
        what = "stitching alone" if self.stitching else "UNet"
        return f"{what}, {self.classes} classes, overlap {self.overlap:g}, {self.precision}"


@dataclass
class Found:
    case: Case
    device: str
    monai_s: float
    ennead_s: float
    ratio: float
    low: float
    high: float
    differing: int
    monai_mib: float
    ennead_mib: float
    utilisation: str


def network_of(case: Case, tile: tuple[int, int, int], device: str) -> Callable[[Any], Any]:
    torch.manual_seed(0)
    if case.stitching:
        answer = torch.randn(1, case.classes, *tile, device=device)
        return lambda batch: answer.expand(len(batch), -1, -1, -1, -1).clone()
    unet = UNet(3, 1, case.classes, (16, 32, 64, 128), (2, 2, 2), num_res_units=2)
    return unet.eval().to(device)


class Utilisation(threading.Thread):
    """Asks the device a few times a second."""

    def __init__(self, device: str) -> None:
        super().__init__(daemon=True)
        self._device, self._ended = device, threading.Event()
        self._inventory, self._seen = Inventory(), []

    def run(self) -> None:
        while not self._ended.wait(0.2):
            for device in self._inventory.devices():
                if device.id == self._device and device.utilisation_percent is not None:
                    self._seen.append(device.utilisation_percent)

    def mean(self) -> str:
        self._ended.set()
        self.join()
        return f"{statistics.fmean(self._seen):.0f} %" if self._seen else "not readable"


def timed(work: Callable[[], Any], device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def monai_work(case: Case, device: str, image: Any, tiles: tuple[int, int, int]) -> Any:
    network = network_of(case, tiles, device)
    inferer = SlidingWindowInferer(
        tiles, 1, case.overlap, "gaussian", cache_roi_weight_map=True, device=device
    )
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(case.precision)

    def work() -> Any:
        autocast = torch.autocast(device.partition(":")[0], kind, enabled=kind is not None)
        with torch.inference_mode(), autocast:
            return inferer(image[None], network)[0].argmax(0).to(torch.uint8)

    return work


def ennead_work(case: Case, device: str, image: Any, tiles: tuple[int, int, int]) -> Any:
    network = network_of(case, tiles, device)
    tiling = Tiling(tiles, case.overlap, precision=case.precision)
    return lambda: segment(network, image, tiling)


CONTENDERS = {"monai": monai_work, "ennead": ennead_work}


def contend(
    name: str, case: Case, device: str, size: int, tile: int, threads: int, end: Any
) -> None:
    """One contender's process: labels and peak first, then seconds whenever it is asked."""
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(1)
    image = torch.randn(1, size, size - 5, size - 11).to(device)
    work = CONTENDERS[name](case, device, image, (tile, tile, tile))
    with measured(device) as peak:
        labels = work().cpu().numpy()
    end.send((labels, peak.mib))
    while end.recv():
        end.send(timed(work, device))


class Contender:
    """A process of its own: neither leaves its allocator's habits to the other."""

    def __init__(self, *what: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=contend, args=(*what, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.labels, self.peak_mib = self._end.recv()

    def seconds(self) -> float:
        self._end.send(True)
        return float(self._end.recv())

    def close(self) -> None:
        self._end.send(False)
        self._process.join()


def measure(case: Case, device: str, given: argparse.Namespace) -> Found:
    what = (case, device, given.size, given.tile, given.threads)
    monai, ennead = (Contender(name, *what) for name in CONTENDERS)
    watch = Utilisation(device)
    watch.start()
    pairs = []
    for n in range(given.repeat):
        both = (monai, ennead) if n % 2 == 0 else (ennead, monai)
        seconds = {contender: contender.seconds() for contender in both}
        pairs.append((seconds[monai], seconds[ennead]))
    utilisation = watch.mean()
    monai.close()
    ennead.close()
    ratios = [a / b for a, b in pairs]
    return Found(
        case,
        device,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        int((monai.labels != ennead.labels).sum()),
        monai.peak_mib,
        ennead.peak_mib,
        utilisation,
    )


def table(rows: list[Found], given: argparse.Namespace) -> str:
    size, tile = given.size, given.tile
    lines = [
        "| Device | What | MONAI | Ennead | Ratio (each pair) | Target | Labels | Utilisation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        target = "" if row.case.stitching else f"≥ {TARGETS[row.device.partition(':')[0]]:g}"
        times = f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
        same = "identical" if row.differing == 0 else f"{row.differing} voxels differ"
        lines.append(
            f"| {row.device} | {row.case.title} | {row.monai_s:.2f} s, {row.monai_mib:.0f} MiB | "
            f"{row.ennead_s:.2f} s, {row.ennead_mib:.0f} MiB | {times} | "
            f"{target} | {same} | {row.utilisation} |"
        )
    devices = {d.id: d.title for d in Inventory().devices()}
    used = ", ".join(devices[name] for name in dict.fromkeys(row.device for row in rows))
    lines += [
        "",
        f"Medians of {given.repeat} alternating pairs, and the first run's peak memory; image "
        f"{size} × {size - 5} × {size - 11}, tiles {tile}³, Gaussian weights, one tile at a time; "
        f"{used}; PyTorch {torch.__version__}, "
        f"{given.threads or torch.get_num_threads()} threads, {platform.system()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", action="append", help="default: all there are")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--docs", action="store_true", help="write the table into the page")
    given = parser.parse_args()
    rows = []
    for device in given.device or [d.id for d in Inventory().devices()]:
        cases = [Case(3, 0.25), Case(24, 0.5), Case(3, 0.25, stitching=True)]
        cases += [Case(24, 0.5, stitching=True)]
        if device != "cpu":
            cases += [Case(3, 0.25, "fp16"), Case(24, 0.5, "fp16")]
        for case in cases:
            rows.append(measure(case, device, given))
            print(rows[-1], flush=True)
    text = table(rows, given)
    print(text)
    if given.docs:
        page = PAGE.read_text()
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
