"""Images per second of training: ours against the obvious loop, in turn, in one run; and how cells share a machine.

    python benchmarks/training.py [--data busi:PATH] [--device cuda]
    python benchmarks/training.py --cells [--device cuda]

The obvious loop is float32 and NCHW, and decodes and augments each image by itself with torchvision; network (U-Net,
width 32, 128 x 128), batch (16), loss and optimiser are the same. Both are timed step by step, in alternating rounds,
each in a process of its own, and the first steps of each are left out. Prints each round and the ratio of medians. On
a card also the share of its time in which it computes anything, as its driver counts it.

With --cells: our steps alone, in one process on all cores and in one process a core (on a card: one, two, four and
eight processes), each as they are and with torch.compile. Prints the images per second of all processes together.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import numpy as np
import PIL.Image
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, RandomAffine
from torchvision.transforms import functional as tv

from sonoseg.data.samples import Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.images.pictures import encode_png
from sonoseg.learning.batches import Share, pack, steps_per_epoch, training_batches
from sonoseg.learning.config import Config
from sonoseg.learning.loop import Run, in_bfloat16, new_network, train
from sonoseg.learning.losses import dice_and_cross_entropy
from sonoseg.learning.networks.catalogue import build
from sonoseg.learning.run import processor
from sonoseg.learning.step import Answers, Step

SIZE, WIDTH, BATCH = 128, 32, 16
EPOCHS = {"cuda": 12}
"""Of ours in a round, where an epoch is too short to be timed by steps; the first two are left out."""


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


def obvious(files: Files, steps: int, device: str) -> Iterator[float]:
    """Seconds per step of the obvious loop."""
    network = build("unet", width=WIDTH).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loader = DataLoader(files, BATCH, shuffle=True, drop_last=True)
    began = time.perf_counter()
    for images, masks in islice(loader, steps):
        images, masks = images.to(device), masks.to(device)
        loss = dice_and_cross_entropy(network(images), masks, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss.detach())
        yield time.perf_counter() - began
        began = time.perf_counter()


def ours(samples: list[Sample], folder: Path, device: str) -> list[float]:
    """Seconds per step of ``learning.loop.train``, everything that it does included; on a card, of whole epochs."""
    config = Config("any", size=SIZE, width=WIDTH, batch=BATCH, epochs=EPOCHS.get(device, 1), device=device)
    times, data = [time.perf_counter()], pack(samples, SIZE)
    state = folder / f"{time.time_ns()}.pt"
    if device == "cpu":
        train(Run(config, data, None, state, lambda *_: times.append(time.perf_counter()), lambda history: None))
        return [after - before for before, after in pairwise(times[1:])]
    lines: list[dict[str, float]] = []
    train(Run(config, data, None, state, lambda *_: None, lambda history: lines.extend(history[len(lines) :])))
    return [line["seconds"] / steps_per_epoch(len(data), BATCH) for line in lines]


def measure(side: str, data: str, steps: int, device: str) -> list[float]:
    """Seconds per step of one side, in this process."""
    samples = list(open_set(data).samples[: steps * BATCH])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if side == "sonoseg":
            return ours(samples, folder, device)[2:]
        return list(obvious(write_files(samples, folder), steps, device))[2:]


def cell(threads: int, compiled: bool, device: str, seconds: float, ready: Barrier) -> float:
    """Images per second of our steps in this process, once all are ready."""
    torch.set_num_threads(threads)
    config = Config("any", size=SIZE, width=WIDTH, batch=BATCH, device=device)
    fabric = Fabric(accelerator=device, devices=1, precision="bf16-mixed" if in_bfloat16(config) else "32-true")
    network = new_network(config).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW([{"params": list(network.parameters()), "share": 1.0}], lr=1e-3)
    answers = Answers(network)
    model, optimizer = fabric.setup(torch.compile(answers) if compiled else answers, optimizer)
    step = Step(fabric, model, optimizer, config)
    data = pack(open_set("phantom:64").samples, SIZE).to(fabric.device)
    for images, masks in training_batches(data, config, 0, Share(), fabric.device):
        step(images, masks, 1e-3)
    ready.wait()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for images, masks in training_batches(data, config, done, Share(), fabric.device):
            loss = step(images, masks, 1e-3)
            done += len(images)
        float(loss)  # waits for a card
    return done / (time.perf_counter() - began)


def cells(device: str, seconds: float) -> None:
    """Print how fast processes are together."""
    cores = torch.get_num_threads()
    layouts = ((1, cores), (cores, 1)) if device == "cpu" else ((1, 2), (2, 2), (4, 2), (8, 2))
    for count, threads in layouts:
        for compiled in (False, True):
            with get_context("spawn").Manager() as manager, ProcessPoolExecutor(count, get_context("spawn")) as pool:
                ready = manager.Barrier(count)
                given = (threads, compiled, device, seconds, ready)
                with busy(device) as share:
                    found = [future.result() for future in [pool.submit(cell, *given) for _ in range(count)]]
            how = "compiled" if compiled else "as it is"
            print(f"{count} x {threads} threads, {how}: {sum(found):.1f} images/s together{share()}", flush=True)


@contextmanager
def busy(device: str) -> Iterator[Callable[[], str]]:
    """Watch a card; what is given says in words how much of the time it computed, without what came before."""
    if device != "cuda":
        yield lambda: ""
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=100"]
    with subprocess.Popen(query, stdout=subprocess.PIPE, text=True) as process:

        def told() -> str:
            process.terminate()
            shares = [int(line) for line in process.communicate()[0].split()]
            steady = [share for share in shares if share >= max(shares) / 2]
            return f", the card computes {statistics.mean(steady):.0f} % of the time" if steady else ""

        yield told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="phantom:200")
    parser.add_argument("--steps", type=int, default=6, help="steps per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cells", action="store_true", help="how cells share a machine, instead")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each layout of --cells")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; leave --device out for the CPU")
    bfloat16 = in_bfloat16(Config("any", device=options.device))
    print(
        f"{machine(options.device)}, {torch.get_num_threads()} threads, bfloat16: {bfloat16}, torch {torch.__version__}"
    )
    if options.cells:
        cells(options.device, options.seconds)
        return
    seconds: dict[str, list[float]] = {"obvious loop": [], "sonoseg": []}
    for number in range(options.rounds):
        for side, times in seconds.items():
            with busy(options.device) as share, ProcessPoolExecutor(1, get_context("spawn")) as alone:
                new = alone.submit(measure, side, options.data, options.steps, options.device).result()
            times += new
            print(f"round {number + 1}: {side} {BATCH / statistics.median(new):.1f} images/s{share()}", flush=True)
    slow, fast = (statistics.median(times) for times in seconds.values())
    print(f"obvious loop {BATCH / slow:.2f}, sonoseg {BATCH / fast:.2f} images/s: {slow / fast:.2f} times as fast")


def machine(device: str) -> str:
    """What it is measured on."""
    return torch.cuda.get_device_name() if device == "cuda" else processor()


if __name__ == "__main__":
    main()
