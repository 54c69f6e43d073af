"""What the histories of several runs of one recipe tell together: time, speed, machines and how the loss fell."""

import json
from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sonoseg.errors import UserError

History = Sequence[Mapping[str, float]]

CURVES = ("loss", "validation_dice")
"""What ``learning`` tells of each epoch."""

ALIKE = ("machine", "threads", "precision")
"""What machines have in common that take as long for an epoch."""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The tables of JSON in a file, one a line; none where it is not there.

    A last line that is not finished is left out: another process is just writing it.
    Errors: ``UserError`` naming file and line for any other that is no table.
    """
    found = []
    *finished, last = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    for number, line in enumerate([*finished, last], 1):
        table = _table(line)
        if table is not None:
            found.append(table)
        elif number <= len(finished):
            raise UserError(
                f'{path}, line {number}: a table of JSON is needed, such as {{"epoch": 1}}',
                hint="restore it, or remove the file: no more than times, machines and curves are taken from it",
            )
    return found


def _table(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def seconds_on(machine: Mapping[str, Any], history: History, machines: Sequence[Mapping[str, Any]]) -> list[float]:
    """How long each epoch of a run took that was trained on a machine like this one.

    machines: the lines of the run's ``MACHINES``; epochs before the first, or without any, were trained nobody knows
    where.
    """
    found = []
    for number, epoch in enumerate(history, 1):
        where = [line for line in machines if line.get("from_epoch", 1) <= number][-1:]
        if "seconds" in epoch and any(all(line.get(name) == machine[name] for name in ALIKE) for line in where):
            found.append(epoch["seconds"])
    return found


def train_seconds(histories: Sequence[History]) -> float | None:
    """Median time that a run took, its resumes summed up; None where a history is older than the clock in it.

    The median, so that the few runs that another machine took do not stand for all.
    """
    times = [_seconds(history) for history in histories if history]
    return round(median(times), 1) if times and not any(map(isnan, times)) else None


def images_per_second(histories: Sequence[History]) -> float | None:
    """Images that a run trained on in a second, over its epochs: the median, None as in ``train_seconds``."""
    speeds = [
        sum(line.get("images_per_second", nan) * line.get("seconds", nan) for line in history) / _seconds(history)
        for history in histories
        if history
    ]
    return round(median(speeds), 2) if speeds and not any(map(isnan, speeds)) else None


def _seconds(history: History) -> float:
    return sum(line.get("seconds", nan) for line in history)


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
