"""Commands of the researcher: benchmark, train, evaluate, models."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonoseg.cli.options import command_line, need, need_training, numbers, progress, stoppable
from sonoseg.errors import UserError

if TYPE_CHECKING:
    from sonoseg.evaluation.cases import Case

Data = Annotated[
    str,
    typer.Option(
        help="The images: busi:PATH, bus-bra:PATH, folder:PATH, ..., phantom, phantom:COUNT.", metavar="NAME:WHERE"
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        help="A set to train on as well, never judged on; half of an epoch at most. May be repeated.",
        metavar="NAME:WHERE",
    ),
]
Size = Annotated[int, typer.Option(help="Side of the network's frame in pixels.")]
Width = Annotated[int, typer.Option(help="Channels at full size.")]
Steps = Annotated[int, typer.Option(help="Recurrences of a recurrent unit.")]
Encoder = Annotated[str, typer.Option(help="plain, or the name of a timm model.")]
Weights = Annotated[str, typer.Option(help="Weights of a timm encoder: none, timm (downloads) or a safetensors file.")]
EncoderRate = Annotated[float, typer.Option(help="Of a timm encoder, as a share of the learning rate.")]
Pretrained = Annotated[
    str, typer.Option(help="A finished run to begin with: its folder or checkpoint.", metavar="RUN", show_default=False)
]
Padding = Annotated[str, typer.Option(help="Of a timm encoder: plain, or same for weights from TensorFlow.")]
Epochs = Annotated[int, typer.Option(help="Epochs of training.")]
Batch = Annotated[int, typer.Option(help="Images per step.")]
Rate = Annotated[float, typer.Option(help="Highest learning rate.")]
Loss = Annotated[str, typer.Option(help="Images that its Dice part is over: lesions, or all with the normals.")]
Augmented = Annotated[float, typer.Option(help="Share of the images that are changed by more than a mirror.")]
Validation = Annotated[float, typer.Option(help="Share of the training groups to cut off and watch.")]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option(help="Processes, one per device.")]
Out = Annotated[Path, typer.Option(help="Folder for what is written.")]


def benchmark(
    data: Data = "phantom",
    also: Also = None,
    models: Annotated[str, typer.Option(help="Names of `sonoseg models`, or all.")] = "all",
    folds: Annotated[str, typer.Option(help="Folds to hold out in turn, such as 0,1, or all.")] = "all",
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="Seeds, such as 0 or 0,1,2.")] = "0",
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
    encoder_weights: Weights = "none",
    encoder_rate: EncoderRate = 1.0,
    padding: Padding = "plain",
    pretrained: Pretrained = "",
    epochs: Epochs = 40,
    batch: Batch = 8,
    learning_rate: Rate = 0.002,
    loss: Loss = "lesions",
    augmented: Augmented = 1.0,
    validation: Validation = 0.0,
    device: Device = "auto",
    devices: Devices = 1,
    pictures: Annotated[bool, typer.Option(help="Show images of the data in the report.")] = True,
    out: Out = Path("runs/benchmark"),
) -> None:
    """Train and compare models on the same folds; go on where an earlier call stopped."""
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.experiments.benchmark import REPORT, Plan
    from sonoseg.experiments.benchmark import benchmark as compare
    from sonoseg.learning.config import Config
    from sonoseg.learning.networks.catalogue import CATALOGUE

    opened = open_set(data)
    recipe = Config(
        data, "unet", 0, size, width, steps, encoder, encoder_weights, epochs, batch, learning_rate,
        validation=validation, device=device, devices=devices, also=tuple(also or ()),
        loss=loss, padding=padding, augmented=augmented, encoder_rate=encoder_rate, pretrained=pretrained,
    )  # fmt: skip
    plan = Plan(
        recipe,
        tuple(CATALOGUE) if models == "all" else tuple(models.split(",")),
        tuple(range(opened.folds.count)) if folds == "all" else numbers("folds", folds),
        numbers("seeds", seeds),
        command_line(),
        pictures,
    )
    with stoppable("the same command goes on from there"):
        summary = compare(plan, opened, out, progress())
    _table(summary)
    typer.echo(f"report: {out / REPORT}")


def train(
    data: Data = "phantom",
    also: Also = None,
    model: Annotated[str, typer.Option(help="A name of `sonoseg models`.")] = "unet",
    fold: Annotated[int, typer.Option(help="The fold to hold out; -1 trains on all.")] = 0,
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
    encoder_weights: Weights = "none",
    encoder_rate: EncoderRate = 1.0,
    padding: Padding = "plain",
    pretrained: Pretrained = "",
    epochs: Epochs = 40,
    batch: Batch = 8,
    learning_rate: Rate = 0.002,
    loss: Loss = "lesions",
    augmented: Augmented = 1.0,
    validation: Validation = 0.0,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Devices = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the history for TensorBoard as well.")
    ] = False,
    out: Out = Path("runs/train"),
) -> None:
    """Train one network into a folder: settings, folds, history and model.safetensors."""
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.learning.config import Config
    from sonoseg.learning.run import train_run

    config = Config(
        data, model, fold, size, width, steps, encoder, encoder_weights, epochs, batch, learning_rate,
        validation=validation, seed=seed, device=device, devices=devices, also=tuple(also or ()),
        loss=loss, padding=padding, augmented=augmented, encoder_rate=encoder_rate, pretrained=pretrained,
    )  # fmt: skip
    if tensorboard:
        need("tensorboard", "tensorboard")
    with stoppable("the same command with --resume goes on from there"):
        written = train_run(config, open_set(data), out, resume, progress().watch, tensorboard)
    typer.echo(f"model: {written}")
    typer.echo(f"next: sonoseg evaluate {out} --data {data}")


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's folder, or a benchmark's for another set; or a model: default, FILE.onnx, URL#sha256=..."
        ),
    ],
    data: Data = "phantom",
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
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.evaluation import judging
    from sonoseg.learning.run import of_run, runs_in
    from sonoseg.prediction.modelfile import shipped

    opened = open_set(data)
    where = Path(run)
    runs = runs_in(where) if where.is_dir() and run not in shipped() else []  # ./default is a folder
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


def models(
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
) -> None:
    """List the models, with their parameters and multiply-adds for one image."""
    need_training()
    from rich.console import Console
    from rich.table import Table

    from sonoseg.learning.config import Config
    from sonoseg.learning.loop import new_network
    from sonoseg.learning.networks.catalogue import CATALOGUE, count_parameters, multiply_adds

    table = Table("model", "parameters", f"multiply-adds at {size} x {size}")
    for name in CATALOGUE:
        network = new_network(Config("", name, size=size, width=width, steps=steps, encoder=encoder))
        table.add_row(name, f"{count_parameters(network) / 1e6:.2f} M", f"{multiply_adds(network, size) / 1e9:.2f} G")
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
