"""Time all metrics of image pairs of BUSI's usual size against MONAI's for the same figures, one thread, in one run.

python benchmarks/evaluation.py [--pairs 780]
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from monai.metrics import (
    compute_confusion_matrix_metric,
    compute_dice,
    compute_hausdorff_distance,
    compute_iou,
    compute_surface_dice,
    get_confusion_matrix,
)
from numpy.typing import NDArray

from sonoseg.evaluation.metrics import TOLERANCE_MM, TOLERANCE_PIXELS, measure

SPACING = (0.07, 0.07)
SAME = ("dice", "iou", "sensitivity", "precision", "accuracy", "study_accuracy", "hd95", "nsd", "nsd_mm")

Result = TypeVar("Result")
Pair = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32]]


def lesion_pair(generator: np.random.Generator) -> Pair:
    """Make a truth, a drawing near it and the drawing's probability: wavy ellipses of 0.5 to 20 % of the image."""
    height, width = (int(size * generator.uniform(0.8, 1.2)) for size in (474, 564))
    rows, columns = np.indices((height, width), dtype=np.float32)
    area, ratio = np.exp(generator.uniform(np.log(0.005), np.log(0.2))) * height * width, generator.uniform(0.5, 0.9)
    radii = np.sqrt(area / np.pi * np.array([ratio, 1 / ratio]))
    centre = np.array([height, width]) * generator.uniform(0.4, 0.6, 2)

    def level(shift: float) -> NDArray[np.float32]:
        row, column = centre + generator.normal(0, shift, 2) * radii
        high, wide = radii * generator.normal(1, shift, 2)
        angles = np.arctan2(rows - row, columns - column)
        waves = 1 + 0.06 * np.sin(generator.integers(3, 9) * angles + generator.uniform(0, 6))
        return np.asarray(waves - np.hypot((rows - row) / high, (columns - column) / wide), dtype=np.float32)

    truth, probability = level(0) > 0, 0.5 + 0.5 * np.tanh(10 * level(0.08))
    return np.asarray(probability > 0.5), truth, np.asarray(probability, dtype=np.float32)


def monai(pair: list[torch.Tensor], spacing: tuple[float, float] | None) -> list[float]:
    """Return the figures of SAME by MONAI; the study's accuracy, which it lacks, by torch."""
    drawn, truth, probability = pair
    matrix = get_confusion_matrix(drawn, truth)
    scores = [
        compute_dice(drawn, truth),
        compute_iou(drawn, truth),
        *(compute_confusion_matrix_metric(name, matrix) for name in ("sensitivity", "precision", "accuracy")),
        1 - (probability - truth).abs().mean(),
        compute_hausdorff_distance(drawn, truth, include_background=True, percentile=95),
        compute_surface_dice(drawn, truth, [TOLERANCE_PIXELS], include_background=True),
    ]
    if spacing:
        scores.append(compute_surface_dice(drawn, truth, [TOLERANCE_MM], include_background=True, spacing=spacing))
    return [float(score) for score in scores]


def timed(function: Callable[..., Result], *arguments: object) -> tuple[float, Result]:
    """Seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def compare(pairs: int, spacing: tuple[float, float] | None) -> None:
    """Measure every pair by both, one after the other, and print the ratio."""
    generator = np.random.default_rng(0)
    ours = theirs = difference = 0.0
    for number in range(pairs + 1):
        drawn, truth, probability = lesion_pair(generator)
        # MONAI gets its tensors ready made: what is compared is the measuring alone.
        tensors = [torch.from_numpy(array.astype(np.float32))[None, None] for array in (drawn, truth, probability)]
        seconds, row = timed(measure, drawn, truth, probability, spacing)
        peer_seconds, peer = timed(monai, tensors, spacing)
        figures = [row[name] for name in SAME[: len(peer)]]
        difference = max(difference, float(np.abs(np.subtract(figures, peer)).max()))
        if number:  # the first pair warms both up
            ours, theirs = ours + seconds, theirs + peer_seconds
    label = "with nsd_mm" if spacing else "without spacing"
    print(
        f"{label}: Sonoseg {1000 * ours / pairs:.2f} ms, MONAI {1000 * theirs / pairs:.2f} ms per pair; "
        f"ratio {theirs / ours:.1f}; largest difference {difference:.1e}"
    )


def cpu_name() -> str:
    """Name of the processor, as well as the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=780)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"{pairs} pairs of about 474 x 564, one thread, {cpu_name()}")
    for spacing in (None, SPACING):
        compare(pairs, spacing)


if __name__ == "__main__":
    main()
