"""A plan, worked through: what is in the output folder is kept, what is missing is trained; then tables and a page."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sonoseg import __version__
from sonoseg.data import folds
from sonoseg.data.samples import DataSet, Sample
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation import calibration
from sonoseg.evaluation.calibration import Counted
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.entries import check_seed
from sonoseg.evaluation.judging import judge, judge_watched
from sonoseg.evaluation.summary import CALIBRATION, CASES, of_set, sum_up, write_tables
from sonoseg.experiments.histories import images_per_second, learning, lines_of, machines, seconds_on, train_seconds
from sonoseg.experiments.plan import REPORT, TEST, VALIDATION, Cell, Plan
from sonoseg.learning import checkpoint
from sonoseg.learning.config import CONFIG, ELSEWHERE, HISTORY, Config, read_config, told_settings
from sonoseg.learning.loop import new_network
from sonoseg.learning.networks.catalogue import count_parameters, multiply_adds
from sonoseg.learning.run import (
    FOLDS,
    MACHINES,
    MODEL,
    Watch,
    machine,
    of_run,
    processor,
    train_run,
)
from sonoseg.reports.benchmark import page


@dataclass(frozen=True)
class Progress:
    """Who is told how far the benchmark is.

    cell: number, of how many, its name, and the hours that one process has left, None where nothing tells yet; the
    others as in training.
    """

    cell: Callable[[int, int, str, float | None], None]
    watch: Watch
    evaluated: Callable[[int, int], None]


def benchmark(
    plan: Plan, data: DataSet, out: Path, progress: Progress, command: str, pictures: bool = True
) -> dict[str, Any]:
    """Train and judge every cell that ``out`` lacks, then write the tables and the page; gives the summary.

    Several processes may work on one plan: a cell that another one holds is left to it, and the last one to finish
    writes the tables. Errors: ``UserError`` as ``check``, and where another process still works on cells.
    """
    plan = plan.resolved(data)
    check(plan, data, out)
    while work(plan, data, out, progress):
        pass
    if held := plan.missing(out):
        raise UserError(
            f"{len(held)} of {len(plan.cells)} cells are in the hands of other processes, the first is {held[0].name}",
            hint="the last of them writes the tables; the same command goes on if one should stop",
            exit_code=1,
        )
    return assemble(plan, data, out, command, pictures)


def check(plan: Plan, data: DataSet, out: Path) -> None:
    """Errors: ``UserError`` where the folds, or cells that stand in ``out``, are not those of the plan and the set."""
    plan.check(data)
    for cell in plan.cells:
        folder = cell.folder(out)
        if (folder / CONFIG).exists():
            stands, wanted = (_compared(config) for config in (read_config(folder / CONFIG), cell.config))
            if changed := [name for name, value in wanted.items() if stands[name] != value]:
                raise UserError(
                    f"{folder} was trained with other settings: {', '.join(changed)}",
                    hint="give another --out, or its settings",
                )
        if (folder / FOLDS).exists() and folds.read(folder / FOLDS) != data.folds:
            raise UserError(
                f"{folder} was trained on other folds than those of {data.spec}", hint="give another --out, or that set"
            )
        if (folder / CASES).exists():
            _check_table(cell, data, folder)


def _check_table(cell: Cell, data: DataSet, folder: Path) -> None:
    """Refuse a table that is not of this cell and of all images that it is judged on."""
    path, fold, seed = folder / CASES, cell.config.fold, cell.config.seed
    groups = data.folds.groups
    rows = {each.name: folds.Row(each.name, each.label, groups[each.name], fold) for each in judged_on(cell, data)}
    try:
        cases = read_cases(path)
        for case in cases:
            if (own := (case.model, case.fold, case.seed)) != (cell.arm, fold, seed):
                raise UserError("{} has rows of {} fold {} seed {}; the cell is {}".format(path, *own, cell.name))
        if cases and not any(case.image in rows for case in cases):
            raise UserError(f"{path}: the cell was not judged on the {cell.judged} part of fold {fold}")
        check_seed(path, seed, cases, rows)
    except UserError as error:
        raise UserError(
            str(error),
            hint=f"restore {path}, or remove it, and run the command again; or give another --out",
        ) from error


def _compared(config: Config) -> dict[str, Any]:
    """The settings that two cells of one arm must share. A further set may be packed on one machine alone."""
    told = told_settings(config) | {"also": len(config.also)}
    return {name: value for name, value in told.items() if name not in ELSEWHERE}


def work(plan: Plan, data: DataSet, out: Path, progress: Progress) -> bool:
    """Train and judge the first cell that is missing and that no other process holds; False where there is none.

    The lock is the system's, on a file beside the cell: that of a process that died is free.
    """
    cells = plan.cells
    for cell in plan.missing(out):
        folder = cell.folder(out)
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f"{folder.name}.lock")
        try:
            with FileLock(lock, timeout=0):
                progress.cell(cells.index(cell) + 1, len(cells), cell.name, hours_left(plan, out))
                run_cell(cell, data, folder, progress)
        except Timeout:
            continue
        lock.unlink(missing_ok=True)  # whoever opened it in between finds the cell judged
        return True
    return False


def run_cell(cell: Cell, data: DataSet, folder: Path, progress: Progress, copies_allowed: bool = False) -> None:
    """Train and judge one cell, unless its cases stand already. copies_allowed: as of ``judging.judge``."""
    if (folder / CASES).exists():
        return
    train_run(cell.config, data, folder, True, progress.watch)
    candidate = replace(of_run(folder), model=cell.arm)
    if cell.judged == VALIDATION:
        evaluation = judge_watched(candidate, data, judged_on(cell, data), progress.evaluated)
    else:
        evaluation = judge(candidate, data, progress.evaluated, copies_allowed)
    write_tables(folder, evaluation.cases, evaluation.counts, sum_up(evaluation.cases, evaluation.counts))


def judged_on(cell: Cell, data: DataSet) -> tuple[Sample, ...]:
    """The images that a cell is judged on."""
    parts = split(data, cell.config.fold, cell.config.validation, cell.config.seed, cell.config.share)
    return parts.validation if cell.judged == VALIDATION else parts.test


def hours_left(plan: Plan, out: Path) -> float | None:
    """Hours of one process that the epochs still to be trained will take; None where nothing tells.

    What tells are epochs that a machine like this one trained. An epoch of an arm that has none counts as the mean of
    the others.
    """
    lines = {cell: lines_of(cell.folder(out) / HISTORY) for cell in plan.cells}
    seconds: dict[str, list[float]] = {}
    for cell, history in lines.items():
        told = lines_of(cell.folder(out) / MACHINES)
        seconds.setdefault(cell.arm, []).extend(seconds_on(machine(cell.config), history, told))
    everything = [value for values in seconds.values() for value in values]
    if not everything:
        return None

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    left = ((cell, cell.config.epochs - len(lines[cell])) for cell in plan.missing(out))
    return sum(epochs * mean(seconds[cell.arm] or everything) for cell, epochs in left) / 3600


def assemble(plan: Plan, data: DataSet, out: Path, command: str, pictures: bool = True) -> dict[str, Any]:
    """Write ``cases.csv``, ``summary.json`` and ``report.html`` of cells that stand; gives the summary.

    The tables of the cells are enough; weights are looked at for pictures alone. pictures: whether the page shows
    images of the data.
    """
    cells = plan.cells
    cases = [case for cell in cells for case in read_cases(cell.folder(out) / CASES)]
    counts = _counts(cells, out)
    summary = sum_up(cases, counts) | _circumstances(plan, data, command)
    histories = {cell.name: lines_of(cell.folder(out) / HISTORY) for cell in cells}
    for arm in plan.arms:
        own = [cell for cell in cells if cell.arm == arm.name]
        network = new_network(replace(arm.recipe, encoder_weights="none"))  # cells may have come without their weights
        summary["models"][arm.name] |= {
            "parameters": count_parameters(network),
            "multiply_adds": multiply_adds(network, arm.recipe.size),
            "train_seconds": train_seconds([histories[cell.name] for cell in own]),
            "images_per_second": images_per_second([histories[cell.name] for cell in own]),
            "learning": learning([histories[cell.name] for cell in own]),
            "machines": machines([lines_of(cell.folder(out) / MACHINES) for cell in own]),
        }
    folds.write(out / FOLDS, data.folds)
    write_tables(out, cases, counts, summary)
    gallery = _gallery(plan, data, out, cases, summary) if pictures else []
    page.write(out / REPORT, summary, cases, histories, gallery)
    return summary


def _counts(cells: Sequence[Cell], out: Path) -> list[Counted]:
    """What the cells counted on the bands, of the arms that have it of all their cells: earlier ones did not."""
    tables = {cell: cell.folder(out) / CALIBRATION for cell in cells}
    lacking = {cell.arm for cell, table in tables.items() if not table.is_file()}
    return [entry for cell, table in tables.items() if cell.arm not in lacking for entry in calibration.read(table)]


def _circumstances(plan: Plan, data: DataSet, command: str) -> dict[str, Any]:
    return {
        "data": of_set(data),
        "settings": {name: value for name, value in plan.settings().items() if name != "model"},
        "arms": plan.own_settings(),
        "folds": list(plan.folds),
        **({"judged": plan.judged} if plan.judged != TEST else {}),
        "seeds": list(plan.seeds),
        "versions": {"sonoseg": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "timm", "numpy", "scipy", "pillow")},
        "machine": processor(),
        "command": command,
    }


def _gallery(
    plan: Plan, data: DataSet, out: Path, cases: Sequence[Case], summary: Mapping[str, Any]
) -> list[page.Shown]:
    """The images that the summary names, predicted again by every network that was judged on them.

    Cells whose weights stayed elsewhere show nothing.
    """
    samples = {sample.name: sample for sample in data.samples}
    named = {each["image"] for picked in summary["picked"].values() for each in picked}
    shown = []
    for cell in plan.cells:
        if (cell.folder(out) / MODEL).exists():
            predictor = checkpoint.load(cell.folder(out)).predictor()
            for case in cases:
                own = (case.model, case.fold, case.seed)
                if case.image in named and own == (cell.arm, cell.config.fold, cell.config.seed):
                    image, truth = samples[case.image].read()
                    shown.append(page.Shown(case, image.pixels, truth, predictor.predict(image).mask))
    return shown
