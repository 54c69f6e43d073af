"""Commands of the researcher: benchmark, train, evaluate, models."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from sonoseg.cli.options import (
    Typed,
    command_line,
    data_of,
    held_out,
    look_for,
    need_data,
    need_folder,
    need_path,
    need_run,
    need_training,
    numbers,
    opened,
    stoppable,
    takes_recipe,
)
from sonoseg.errors import UserError, need
from sonoseg.learning.config import CONFIG, FIELDS, MODELS, Config

Out = Annotated[Path, typer.Option(help="Folder for what is written.")]


ABOVE = ("data", "also", "encoder_weights", "device", "devices")
"""Settings that tell where things are on this machine, and so stand above a plan."""


@takes_recipe([name for name in FIELDS if name not in ("model", "fold", "seed")], resolve=Typed)
def benchmark(
    typed: Typed,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Arms, folds and seeds as a file; --data, --folds, --seeds, --device, --devices stand above it, and "
            "where its --also and --encoder-weights lie.",
            metavar="FILE",
        ),
    ] = None,
    models: Annotated[str | None, typer.Option(help="Names of `sonoseg models`, or all.", show_default="all")] = None,
    folds: Annotated[
        str | None, typer.Option(help="Folds to hold out, such as 0,1, or all.", show_default="all, or the plan's")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seed", "--seeds", help="Seeds, such as 0 or 0,1,2.", show_default="0, or the plan's"),
    ] = None,
    pictures: Annotated[bool, typer.Option(help="Show images of the data in the report.")] = True,
    out: Out = Path("runs/benchmark"),
) -> None:
    """Train and compare models, or the arms of a plan, on the same folds; go on where an earlier call stopped."""
    recipe = None if plan else typed.configure()
    need_folder(out)
    from sonoseg.experiments.plan import REPORT, of_models, read_plan

    if recipe is None:
        beside = {"models": models, "recipe": typed.recipe}
        above = _above_a_plan(typed, [name for name, given in beside.items() if given])
        planned = read_plan(
            cast(Path, plan),
            above,
            None if folds in (None, "all") else numbers("folds", folds),
            None if seeds is None else numbers("seeds", seeds),
        )
        data = data_of(planned.data)
        if folds == "all":
            planned = replace(planned, folds=held_out(folds, data))
    else:
        data = data_of(recipe.data)
        planned = of_models(
            recipe,
            MODELS if models in (None, "all") else models.split(","),
            held_out(folds or "all", data),
            numbers("seeds", seeds or "0"),
        )
    planned.check(data)
    look_for(data, [cell.config for cell in planned.missing(out)])
    need_training()
    from sonoseg.cli.progress import bars
    from sonoseg.experiments.benchmark import benchmark as compare

    with stoppable("the same command goes on from there"):
        summary = compare(planned, data, out, bars(), command_line(), pictures)
    show(summary)
    typer.echo(f"report: {out / REPORT}")


def _above_a_plan(typed: Typed, beside: list[str]) -> dict[str, Any]:
    """The settings that may be typed beside --plan. Errors: ``UserError`` for one that the plan itself states."""
    above = {name: value for name, value in typed.given.items() if name in ABOVE}
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
    if tensorboard:
        need("tensorboard", "tensorboard")
    need_folder(out)
    data = opened(recipe)
    if recipe.fold >= 0:
        data.folds.test(recipe.fold)
    need_training()
    from sonoseg.cli.progress import bars
    from sonoseg.learning.run import MODEL, train_run

    finished = (out / MODEL).exists()
    with stoppable("the same command with --resume goes on from there"):
        written = train_run(recipe, data, out, resume, bars().watch, tensorboard)
    typer.echo(f"model: {written}" + (", finished earlier; nothing was trained now" if finished else ""))
    other = " --data NAME:WHERE, which it was not trained on" if recipe.fold < 0 else ""
    typer.echo(f"next: sonoseg evaluate {out}{other}")


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
    from sonoseg.experiments.plan import CELLS, set_of
    from sonoseg.prediction.modelfile import read_record, resolve, shipped

    if run in shipped() or "://" in run or Path(run).is_file():
        read_record(resolve(run))
    else:
        need_run(Path(run), (CONFIG, CELLS), "give the folder of a run or of a benchmark, a model file, or default")
    if home:
        need_path(home, "give the table of the figures at home, or the folder that holds it")
    if out:
        need_folder(out)
    images = data_of(data or set_of(Path(run)))
    need_training()
    from sonoseg.cli.progress import bars
    from sonoseg.evaluation.summary import CASES, SUMMARY
    from sonoseg.experiments.evaluating import evaluate as judge
    from sonoseg.reports.benchmark.sentences import abroad

    found = judge(run, images, home, out, bars().evaluated)
    if external := found.summary.get("external"):
        for sentence in abroad(external["models"], external["trained_on"], external["judged_on"]):
            typer.echo(sentence)
        if not external["models"]:
            typer.echo(
                "no figure at home stands beside this; evaluate what held out a fold there first, or give --home"
            )
    show(found.summary)
    typer.echo(f"tables: {found.folder / CASES}, {found.folder / SUMMARY}")


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


def report(
    folders: Annotated[list[Path], typer.Argument(help="What a benchmark or an evaluation wrote.")],
) -> None:
    """Make summary.json and the page again from the tables that stand, such as those of an earlier version."""
    need_data()
    from sonoseg.evaluation.summary import SUMMARY

    for folder in folders:
        need_run(folder, (SUMMARY,), "give a folder that a benchmark or an evaluation wrote")
    from sonoseg.experiments.rebuilding import rebuild

    for folder in folders:
        show(rebuild(folder))


def show(summary: dict[str, Any]) -> None:
    """The short table on stdout; the page and summary.json say everything."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sonoseg.evaluation.cases import NOTHING
    from sonoseg.reports.figures import figure, number

    table = Table("model", "lesion Dice [95 %]", "median", "IoU", "HD95 px", "normals drawn on", "study's accuracy")
    for name, row in [*summary["models"].items(), (NOTHING, summary["nothing"])]:
        lesion = row["lesion"]
        table.add_row(
            escape(name),
            figure(lesion["dice"]),
            number(lesion["dice_median"]),
            figure(lesion["iou"]),
            figure(lesion["hd95"], 1),
            figure(row["normal"]["drawn"], 0, shares=True),
            figure(row["all"]["study_accuracy"]),
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)
