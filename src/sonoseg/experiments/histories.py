"""What the histories of several runs of one recipe tell together: time, speed, machines and how the loss fell."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

History = Sequence[Mapping[str, float]]

CURVES = ("loss", "validation_dice")
"""What ``learning`` tells of each epoch."""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of JSON in a file; none where it is not there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def train_seconds(histories: Sequence[History]) -> float | None:
    """Mean time that a run took, its resumes summed up; None where a history is older than the clock in it."""
    lines = [line for history in histories for line in history]
    if not lines or any("seconds" not in line for line in lines):
        return None
    return round(sum(line["seconds"] for line in lines) / len(histories), 1)


def images_per_second(histories: Sequence[History]) -> float | None:
    """Images that were trained on in a second, over all epochs; None where a history is older than the clock in it."""
    lines = [line for history in histories for line in history]
    if not lines or any("images_per_second" not in line for line in lines):
        return None
    images = sum(line["images_per_second"] * line["seconds"] for line in lines)
    return round(images / sum(line["seconds"] for line in lines), 2)


def machines(told: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Where the runs were trained, each machine once with how many of them it had a part in; empty where none tells."""
    found: dict[tuple[Any, ...], int] = {}
    for lines in told:
        for line in {tuple((name, value) for name, value in line.items() if name != "from_epoch") for line in lines}:
            found[line] = found.get(line, 0) + 1
    return [{**dict(line), "runs": runs} for line, runs in found.items()]


def learning(histories: Sequence[History]) -> dict[str, dict[str, list[float]]]:
    """The mean of the runs in each epoch, ``x`` and ``y`` of a curve, for those of ``CURVES`` that any run has."""
    curves = {}
    for name in CURVES:
        epochs = sorted({line["epoch"] for history in histories for line in history if name in line})
        runs = [
            [line[name] for history in histories for line in history if line["epoch"] == at and name in line]
            for at in epochs
        ]
        if epochs:
            curves[name] = {"x": epochs, "y": [round(float(np.mean(values)), 6) for values in runs]}
    return curves
