"""Images per second of training: ours against the obvious loop, in turn, in one run.

    python benchmarks/training.py [--data busi:PATH]

The obvious loop is float32 and NCHW, and decodes and augments each image by itself with torchvision; network (U-Net,
width 32, 128 x 128), batch (16), loss and optimiser are the same. Both are timed step by step, in alternating rounds,
each in a process of its own, and the first two steps of each are left out. Prints each round and the ratio of medians.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, RandomAffine
from torchvision.transforms import functional as tv

from sonoseg.data.samples import Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.experiments.benchmark import processor
from sonoseg.images.pictures import encode_png
from sonoseg.learning.batches import pack
from sonoseg.learning.config import Config
from sonoseg.learning.loop import Run, train
from sonoseg.learning.losses import dice_and_cross_entropy
from sonoseg.learning.networks.catalogue import build

SIZE, WIDTH, BATCH = 128, 32, 16


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Image and mask files, decoded, resized and augmented one by one."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = PIL.Image.open(self.folder / f"{index}.png").convert("L").resize((SIZE, SIZE))
        mask = PIL.Image.open(self.folder / f"{index}_mask.png").convert("L").resize((SIZE, SIZE))
        if torch.rand(()) < 0.5:
            image, mask = tv.hflip(image), tv.hflip(mask)
        drawn = RandomAffine.get_params([-15, 15], [0.1, 0.1], [0.75, 1.33], [0, 0], [SIZE, SIZE])
        image = tv.affine(image, *drawn, interpolation=InterpolationMode.BILINEAR)
        mask = tv.affine(mask, *drawn, interpolation=InterpolationMode.NEAREST)
        image = tv.adjust_gamma(
            tv.adjust_brightness(image, float(0.75 + 0.58 * torch.rand(()))), 0.67 + float(torch.rand(()))
        )
        pixels = tv.to_tensor(image)
        return (pixels * (1 + 0.1 * torch.randn_like(pixels))).clamp(0, 1), (tv.to_tensor(mask) > 0.5).float()


def write_files(samples: list[Sample], folder: Path) -> Files:
    """Write the samples as PNG at their own size."""
    for index, sample in enumerate(samples):
        image, mask = sample.read()
        (folder / f"{index}.png").write_bytes(encode_png(image.pixels))
        (folder / f"{index}_mask.png").write_bytes(encode_png(np.where(mask, np.uint8(255), np.uint8(0))))
    return Files(folder, len(samples))


def obvious(files: Files, steps: int) -> Iterator[float]:
    """Seconds per step of the obvious loop."""
    network = build("unet", width=WIDTH).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loader = DataLoader(files, BATCH, shuffle=True, drop_last=True)
    began = time.perf_counter()
    for images, masks in islice(loader, steps):
        loss = dice_and_cross_entropy(network(images), masks, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss.detach())
        yield time.perf_counter() - began
        began = time.perf_counter()


def ours(samples: list[Sample], folder: Path) -> list[float]:
    """Seconds per step of ``learning.loop.train``, everything that it does included."""
    config = Config("any", size=SIZE, width=WIDTH, batch=BATCH, epochs=1, device="cpu")
    times = [time.perf_counter()]
    data = pack(samples, SIZE)
    state = folder / f"{time.time_ns()}.pt"
    train(Run(config, data, None, state, lambda *_: times.append(time.perf_counter()), lambda history: None))
    return [after - before for before, after in pairwise(times[1:])]


def measure(side: str, data: str, steps: int) -> list[float]:
    """Seconds per step of one side, in this process."""
    samples = list(open_set(data).samples[: steps * BATCH])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = ours(samples, folder) if side == "sonoseg" else list(obvious(write_files(samples, folder), steps))
    return times[2:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="phantom:200")
    parser.add_argument("--steps", type=int, default=6, help="steps per round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bfloat16 = torch.cpu._is_avx512_bf16_supported()
    print(
        f"{processor()}, {torch.get_num_threads()} threads, bfloat16 in hardware: {bfloat16}, torch {torch.__version__}"
    )
    seconds: dict[str, list[float]] = {"obvious loop": [], "sonoseg": []}
    for number in range(options.rounds):
        for side, times in seconds.items():
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                new = alone.submit(measure, side, options.data, options.steps).result()
            times += new
            print(f"round {number + 1}: {side} {BATCH / statistics.median(new):.1f} images/s", flush=True)
    slow, fast = (statistics.median(times) for times in seconds.values())
    print(f"obvious loop {BATCH / slow:.2f}, sonoseg {BATCH / fast:.2f} images/s: {slow / fast:.2f} times as fast")


if __name__ == "__main__":
    main()
