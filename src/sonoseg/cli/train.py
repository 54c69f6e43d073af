"""Commands of the researcher: benchmark, train, evaluate, models."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sonoseg.cli.options import Typed, command_line, need_training, numbers, progress, stoppable, takes_recipe
from sonoseg.errors import UserError, need
from sonoseg.learning.config import CONFIG, FIELDS, MODELS, Config, read_config

if TYPE_CHECKING:
    from sonoseg.evaluation.cases import Case

Out = Annotated[Path, typer.Option(help="Folder for what is written.")]


@takes_recipe([name for name in FIELDS if name not in ("model", "fold", "seed")], resolve=Typed)
def benchmark(
    typed: Typed,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Arms, folds and seeds as a file; --data, --device, --devices stand above it.", metavar="FILE"
        ),
    ] = None,
    models: Annotated[str, typer.Option(help="Names of `sonoseg models`, or all.")] = "all",
    folds: Annotated[str, typer.Option(help="Folds to hold out in turn, such as 0,1, or all.")] = "all",
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="Seeds, such as 0 or 0,1,2.")] = "0",
    pictures: Annotated[bool, typer.Option(help="Show images of the data in the report.")] = True,
    out: Out = Path("runs/benchmark"),
) -> None:
    """Train and compare models, or the arms of a plan, on the same folds; go on where an earlier call stopped."""
    recipe = None if plan else typed.configure()
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.experiments.benchmark import REPORT
    from sonoseg.experiments.benchmark import benchmark as compare
    from sonoseg.experiments.plan import of_models, read_plan

    if recipe is None:
        beside = {"models": models != "all", "folds": folds != "all", "seeds": seeds != "0", "recipe": typed.recipe}
        planned = read_plan(cast(Path, plan), _above_a_plan(typed, [name for name, given in beside.items() if given]))
        opened = open_set(planned.data)
    else:
        opened = open_set(recipe.data)
        planned = of_models(
            recipe,
            MODELS if models == "all" else models.split(","),
            range(opened.folds.count) if folds == "all" else numbers("folds", folds),
            numbers("seeds", seeds),
        )
    with stoppable("the same command goes on from there"):
        summary = compare(planned, opened, out, progress(), command_line(), pictures)
    _table(summary)
    typer.echo(f"report: {out / REPORT}")


def _above_a_plan(typed: Typed, beside: list[str]) -> dict[str, Any]:
    """The settings that may be typed beside --plan. Errors: ``UserError`` for one that the plan itself states."""
    above = {name: value for name, value in typed.given.items() if name in ("data", "device", "devices")}
    if stated := [*beside, *(name for name in typed.given if name not in above)]:
        raise UserError(
            f"--{stated[0].replace('_', '-')} and --plan are both given; the plan states it",
            hint="write it into the plan, or leave --plan out",
        )
    return above


@takes_recipe()
def train(
    recipe: Config,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the history for TensorBoard as well.")
    ] = False,
    out: Out = Path("runs/train"),
) -> None:
    """Train one network into a folder: settings, folds, history and model.safetensors."""
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.learning.run import MODEL, train_run

    if tensorboard:
        need("tensorboard", "tensorboard")
    finished = (out / MODEL).exists()
    with stoppable("the same command with --resume goes on from there"):
        written = train_run(recipe, open_set(recipe.data), out, resume, progress().watch, tensorboard)
    typer.echo(f"model: {written}" + (", finished earlier; nothing was trained now" if finished else ""))
    typer.echo(f"next: sonoseg evaluate {out}")


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's folder, or a benchmark's for another set; or a model: default, FILE.onnx, URL#sha256=..."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="The images to judge on; the run's own set if left out.", metavar="NAME:WHERE")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Table of the figures at home, or its folder; the run's own if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the tables; if left out the run's own, RUN/on-SET or MODEL-on-SET."),
    ] = None,
) -> None:
    """Measure a run or a model: on the fold that it held out, or on all of another set, with the drop from home."""
    from sonoseg.prediction.modelfile import resolve, shipped

    where = Path(run)
    is_model = run in shipped() or not where.is_dir()  # ./default is a folder
    if is_model:
        resolve(run)  # a name that is nothing is told before the long imports
    data = data or _own_set(where)
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.evaluation import judging
    from sonoseg.learning.run import of_run, runs_in

    opened = open_set(data)
    runs = [] if is_model else runs_in(where)
    candidates = [of_run(folder) for folder in runs] or [judging.of_model(run)]
    abroad = not all(judging.at_home(candidate, opened) for candidate in candidates)
    if not abroad and len(runs) > 1:
        raise UserError(f"{run} holds {len(runs)} runs that were judged at home", hint=f"see {where / 'summary.json'}")
    own = where / f"on-{opened.name}" if abroad else where
    folder = out or (own if runs else Path(f"{candidates[0].model}-on-{opened.name}"))
    cases, counts = [], []
    for candidate in candidates:
        evaluation = judging.judge(candidate, opened, progress().evaluated)
        cases += evaluation.cases
        counts.append(judging.counted(candidate, evaluation))
    summary = judging.sum_up(cases, counts)
    if abroad:
        trained = candidates[0].trained_on.get("set", "unknown")
        summary |= _abroad(cases, trained, opened.name, home or where, home is not None)
    if opened.frame:
        summary["frame"] = opened.frame
        typer.echo(f"measured in a frame of {opened.frame} pixels, not at each image's own size")
    judging.write_tables(folder, cases, counts, summary)
    _table(summary)
    typer.echo(f"tables: {folder / judging.CASES}, {folder / judging.SUMMARY}")


def _own_set(where: Path) -> str:
    """How a run, or the first of a benchmark, named its data. Errors: ``UserError`` where nothing tells it."""
    for folder in (where, *sorted((where / "cells").glob("*"))):
        if (folder / CONFIG).is_file():
            return read_config(folder / CONFIG).data
    raise UserError(
        f"{where} has no {CONFIG} that tells the images to judge on", hint="name them: --data busi:PATH, or folder:PATH"
    )


def _abroad(cases: "list[Case]", trained: str, judged: str, where: Path, wanted: bool) -> dict[str, Any]:
    """The part of a summary that compares with home; says so. wanted: whether a table that lacks is an error."""
    from sonoseg.evaluation import transfer

    found = {}
    if wanted or (where / "cases.csv").is_file():
        found = transfer.drops(transfer.home_cases(where), cases)
    for sentence in transfer.sentences(found, trained, judged):
        typer.echo(sentence)
    if not found:
        typer.echo("no figure at home stands beside this; evaluate the run on its own set first, or give --home")
    return {"external": {"trained_on": trained, "judged_on": judged, "models": found}}


@takes_recipe(["size", "width", "steps", "encoder", "padding"])
def models(
    recipe: Config,
    cost: Annotated[
        bool, typer.Option("--cost", help="Count parameters, and multiply-adds for one image; the settings are for it.")
    ] = False,
) -> None:
    """List the models."""
    if not cost:
        typer.echo("".join(f"{name:26}{told}\n" for name, told in MODELS.items()), nl=False)
        return
    need_training()
    from rich.console import Console
    from rich.table import Table

    from sonoseg.learning.loop import new_network
    from sonoseg.learning.networks.catalogue import count_parameters, multiply_adds

    table = Table("model", "parameters", f"multiply-adds at {recipe.size} x {recipe.size}")
    for name in MODELS:
        network = new_network(replace(recipe, model=name))
        table.add_row(
            name, f"{count_parameters(network) / 1e6:.2f} M", f"{multiply_adds(network, recipe.size) / 1e9:.2f} G"
        )
    Console().print(table)


def _table(summary: dict[str, Any]) -> None:
    """The short table on stdout; the page and summary.json say everything."""
    from rich.console import Console
    from rich.table import Table

    def cell(value: dict[str, Any], scale: float = 1, digits: int = 3) -> str:
        if value["mean"] is None:
            return "-"
        mean, low, high = (
            None if value[k] is None else f"{value[k] * scale:.{digits}f}" for k in ("mean", "low", "high")
        )
        return f"{mean} [{low}, {high}]" if low else f"{mean}"

    table = Table("model", "lesion Dice [95 %]", "median", "IoU", "HD95 px", "normals drawn on, %", "study's accuracy")
    for name, row in [*summary["models"].items(), ("nothing drawn", summary["nothing"])]:
        lesion, median = row["lesion"], row["lesion"]["dice_median"]
        table.add_row(
            name,
            cell(lesion["dice"]),
            "-" if median is None else f"{median:.3f}",
            cell(lesion["iou"]),
            cell(lesion["hd95"], digits=1),
            cell(row["normal"]["drawn"], 100, 0),
            cell(row["all"]["study_accuracy"]),
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)
