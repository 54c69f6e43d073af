"""Commands that measure the field's own weak points: measure leakage, labels, study, subset, difference."""

from pathlib import Path
from typing import Annotated

import typer

from sonoseg.cli.options import (
    Data,
    HeldOut,
    command_line,
    held_out,
    need_data,
    need_folder,
    need_training,
    opened,
    stoppable,
    takes_recipe,
)
from sonoseg.errors import UserError
from sonoseg.learning.config import FIELDS, Config

app = typer.Typer(no_args_is_help=True, help="Measure what leakage, noisy masks and the old measure do to figures.")

Out = Annotated[Path, typer.Option(help="Folder for the tables and the page.")]


@app.command("leakage")
@takes_recipe([name for name in FIELDS if name != "fold"])
def leakage(
    recipe: Config,
    arm: Annotated[str, typer.Option(help="grouped, random or both; two processes may train one each.")] = "both",
    folds: HeldOut = "all",
    out: Out = Path("runs/leakage"),
) -> None:
    """Train one recipe on grouped and on random folds and compare image by image; go on where it stopped."""
    need_folder(out)
    images = opened(recipe)
    held = held_out(folds, images)
    from sonoseg.experiments import leakage as measurement

    if arm not in (*measurement.ARMS, "both"):
        raise UserError(f"--arm is {arm!r}; grouped, random and both are allowed", hint="--arm both")
    need_training()
    from sonoseg.cli.progress import bars
    from sonoseg.learning.run import resolve

    trial = measurement.Trial(resolve(recipe, images), held)
    with stoppable("the same command goes on from there"):
        for each in measurement.ARMS if arm == "both" else (arm,):
            measurement.train_arm(each, trial, images, out, bars())
    if lacking := measurement.missing(trial, out):
        typer.echo(f"finished: {arm}; the tables are written when the other arm stands: --arm {lacking[0]}")
        return
    rows = measurement.compare(trial, images, out)
    summary = measurement.sum_up(rows, trial.folds)
    about = {
        "data": images.name,
        "folds": list(trial.folds),
        "settings": measurement.settings(trial),
        "command": command_line(),
    }
    measurement.write(out, rows, summary, about)
    typer.echo(measurement.page(summary, about))
    typer.echo(f"tables: {out / measurement.TABLE}, {out / measurement.SUMMARY}, {out / measurement.PAGE}")


@app.command("labels")
def labels(data: Data, out: Out = Path("runs/labels")) -> None:
    """Compare the masks of copies of one scan, one laid over the other: how noisy the masks are."""
    need_data()
    need_folder(out)
    from sonoseg.cli.progress import Bar
    from sonoseg.data.sets.sources import open_set
    from sonoseg.experiments import labels as measurement

    opened = open_set(data)
    pairs = measurement.measure(opened, Bar("comparing masks").step)
    summary = measurement.sum_up(pairs, measurement.measure_itself(opened))
    measurement.write(out, pairs, summary, opened.name, command_line())
    typer.echo(measurement.page(summary, opened.name, command_line()))
    typer.echo(f"tables: {out / measurement.TABLE}, {out / measurement.SUMMARY}, {out / measurement.PAGE}")


@app.command("study")
def study(
    cases: Annotated[Path, typer.Option(help="The cases.csv of a benchmark.")],
    out: Out = Path("runs/study"),
) -> None:
    """Set the accuracy that an earlier study published beside Dice, for its four models and for drawing nothing."""
    need_data()
    need_folder(out)
    from sonoseg.evaluation.cases import read_cases
    from sonoseg.experiments import study as measurement

    rows = measurement.compare(read_cases(cases))
    measurement.write(out, rows, command_line())
    typer.echo(measurement.page(rows, command_line()))
    typer.echo(f"tables: {out / measurement.TABLE}, {out / measurement.PAGE}")


@app.command("subset")
def subset(
    cases: Annotated[Path, typer.Option(help="The cases.csv of a benchmark or an evaluation.")],
    images: Annotated[list[Path], typer.Option(help="A CSV with a column image, to set apart. May be repeated.")],
    out: Out = Path("runs/subset"),
) -> None:
    """Set lesion Dice on a list of images beside that on the rest: how much of a mean is owed to a few."""
    need_data()
    need_folder(out)
    from sonoseg.evaluation.cases import read_cases
    from sonoseg.experiments import subset as measurement

    table, listed = read_cases(cases), measurement.read_lists(images)
    if lacking := measurement.unknown(table, listed):
        first = f"the first is {lacking[0]}"
        typer.echo(f"{len(lacking)} of the {len(listed)} names that are listed are in no row, {first}", err=True)
    rows = measurement.compare(table, listed)
    about = " and ".join(path.parent.name if path.name == "cases.csv" else path.stem for path in images)
    measurement.write(out, rows, about, command_line())
    typer.echo(measurement.page(rows, about, command_line()))
    typer.echo(f"tables: {out / measurement.TABLE}, {out / measurement.PAGE}")


@app.command("difference")
def difference(
    cases: Annotated[
        list[str],
        typer.Option(help="Folder or cases.csv of a network, or of several. May be repeated.", metavar="PATH[:MODEL]"),
    ],
    against: Annotated[
        list[str],
        typer.Option(help="That of the one that they are set against. May be repeated.", metavar="PATH[:MODEL]"),
    ],
    out: Out = Path("runs/difference"),
) -> None:
    """Set networks against one, image by image; the tables of several folds count as one."""
    need_data()
    need_folder(out)
    from sonoseg.experiments import difference as measurement

    rows = measurement.compare(*measurement.read(cases, against))
    about = " and ".join(against)
    measurement.write(out, rows, about, command_line())
    typer.echo(measurement.page(rows, about, command_line()))
    typer.echo(f"tables: {out / measurement.TABLE}, {out / measurement.PAGE}")
