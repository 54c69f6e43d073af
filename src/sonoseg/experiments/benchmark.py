"""Models x folds x seeds: what is in the output folder is kept, what is missing is trained; then tables and a page."""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

from sonoseg import __version__
from sonoseg.data import folds
from sonoseg.data.samples import DataSet
from sonoseg.evaluation import breakdown, calibration
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.judging import CALIBRATION, CASES, Counts, counted, judge, sum_up, write_tables
from sonoseg.learning import checkpoint
from sonoseg.learning.config import Config
from sonoseg.learning.loop import new_network
from sonoseg.learning.networks.catalogue import count_parameters, multiply_adds
from sonoseg.learning.run import FOLDS, HISTORY, MODEL, Watch, of_run, processor, told_settings, train_run
from sonoseg.reports.benchmark import page

REPORT, CELLS = "report.html", "cells"


@dataclass(frozen=True)
class Plan:
    """What is compared: one recipe, models x folds x seeds. pictures: whether the page shows images of the data."""

    recipe: Config
    models: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    command: str
    pictures: bool = True

    @property
    def cells(self) -> list[Config]:
        """One configuration per cell, seeds outermost and models innermost: a first table stands early."""
        return [
            replace(self.recipe, model=model, fold=fold, seed=seed)
            for seed, fold, model in product(self.seeds, self.folds, self.models)
        ]


@dataclass(frozen=True)
class Progress:
    """Who is told how far the benchmark is. cell: number, of how many, its name; the others as in training."""

    cell: Callable[[int, int, str], None]
    watch: Watch
    evaluated: Callable[[int, int], None]


def benchmark(plan: Plan, data: DataSet, out: Path, progress: Progress) -> dict[str, Any]:
    """Train and evaluate every cell that ``out`` lacks, then write the tables and the page; gives the summary."""
    cells = plan.cells
    for number, config in enumerate(cells):
        progress.cell(number + 1, len(cells), cell_name(config))
        run_cell(config, data, cell_folder(out, config), progress)
    return assemble(plan, data, out)


def run_cell(config: Config, data: DataSet, folder: Path, progress: Progress, copies_allowed: bool = False) -> None:
    """Train and evaluate one cell, unless its cases stand already. copies_allowed: as of ``judging.judge``."""
    if (folder / CASES).exists():
        return
    train_run(config, data, folder, True, progress.watch)
    candidate = of_run(folder)
    evaluation = judge(candidate, data, progress.evaluated, copies_allowed)
    counts = [counted(candidate, evaluation)]
    write_tables(folder, evaluation.cases, counts, sum_up(evaluation.cases, counts))


def assemble(plan: Plan, data: DataSet, out: Path) -> dict[str, Any]:
    """Write ``cases.csv``, ``summary.json`` and ``report.html`` of cells that stand; gives the summary."""
    cells = plan.cells
    cases = [case for config in cells for case in read_cases(cell_folder(out, config) / CASES)]
    counts = _counts(cells, out)
    summary = sum_up(cases, counts) | _circumstances(plan, data)
    histories = _histories(cells, out)
    for model, values in summary["models"].items():
        config, *_ = of_model = [config for config in cells if config.model == model]
        network = new_network(replace(config, encoder_weights="none"))  # cells may have come without their weights
        values |= {"parameters": count_parameters(network), "multiply_adds": multiply_adds(network, config.size)}
        values["train_seconds"] = train_seconds([histories[cell_name(config)] for config in of_model])
    folds.write(out / FOLDS, data.folds)
    write_tables(out, cases, counts, summary)
    gallery = _gallery(plan, data, out, cases) if plan.pictures else []
    page.write(out / REPORT, summary, cases, histories, gallery)
    return summary


def _counts(cells: Sequence[Config], out: Path) -> Counts:
    """What the cells counted on the bands, of the models that have it of all their cells: earlier ones did not."""
    tables = {config: cell_folder(out, config) / CALIBRATION for config in cells}
    lacking = {config.model for config, table in tables.items() if not table.is_file()}
    return [
        entry for config, table in tables.items() if config.model not in lacking for entry in calibration.read(table)
    ]


def train_seconds(histories: Sequence[Sequence[Mapping[str, float]]]) -> float | None:
    """Mean time that a run took, its resumes summed up; None where a history is older than the clock in it."""
    lines = [line for history in histories for line in history]
    if not lines or any("seconds" not in line for line in lines):
        return None
    return round(sum(line["seconds"] for line in lines) / len(histories), 1)


def cell_name(config: Config) -> str:
    """How a cell is called in messages and figures."""
    return f"{config.model} fold {config.fold} seed {config.seed}"


def cell_folder(out: Path, config: Config) -> Path:
    """Where a cell lies in the output folder."""
    return out / CELLS / cell_name(config).replace(" ", "-")


def _circumstances(plan: Plan, data: DataSet) -> dict[str, Any]:
    used = [row for row in data.folds.rows if row.fold is not None]
    table = "".join(f"{row.image},{row.group},{row.fold}\n" for row in used)
    return {
        "data": {
            "name": data.name,
            "images": len(data.samples),
            "used": len(used),
            "grouping": data.grouping,
            "citation": data.citation,
            "licence": data.licence,
            "frame": data.frame,
            "folds_sha256": hashlib.sha256(table.encode()).hexdigest(),
        },
        "settings": {
            name: value for name, value in told_settings(plan.recipe).items() if name not in ("model", "fold", "seed")
        },
        "folds": list(plan.folds),
        "seeds": list(plan.seeds),
        "versions": {"sonoseg": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "timm", "numpy", "scipy", "pillow")},
        "machine": processor(),
        "command": plan.command,
    }


def _histories(cells: Sequence[Config], out: Path) -> dict[str, list[dict[str, float]]]:
    return {
        cell_name(config): [
            json.loads(line) for line in (cell_folder(out, config) / HISTORY).read_text(encoding="utf-8").splitlines()
        ]
        for config in cells
    }


def _gallery(plan: Plan, data: DataSet, out: Path, cases: Sequence[Case]) -> list[page.Shown]:
    """The images that ``breakdown.pick`` names, predicted again by every network that was judged on them.

    Cells whose weights stayed elsewhere show nothing.
    """
    samples = {sample.name: sample for sample in data.samples}
    named = {name for names in breakdown.pick(cases).values() for name in names}
    shown = []
    for config in plan.cells:
        if (cell_folder(out, config) / MODEL).exists():
            predictor = checkpoint.load(cell_folder(out, config)).predictor()
            for case in cases:
                cell = (case["model"], case["fold"], case["seed"])
                if case["image"] in named and cell == (config.model, config.fold, config.seed):
                    image, truth = samples[case["image"]].read()
                    shown.append(page.Shown(case, image.pixels, truth, predictor.predict(image).mask))
    return shown
