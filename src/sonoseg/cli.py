"""The command ``sonoseg``: each command a few lines, its imports inside, so that help is there at once."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonoseg.errors import UserError

if TYPE_CHECKING:
    from sonoseg.batch import Summary
    from sonoseg.benchmark import Progress

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help at once: the rich form imports for twice as long
    help="Find and outline breast lesions in ultrasound images; compare U-Nets without leakage. "
    "Research use, not a medical device.",
)

Data = Annotated[str, typer.Option(help="The images: busi:PATH, phantom, phantom:COUNT.", metavar="NAME:WHERE")]
Size = Annotated[int, typer.Option(help="Side of the network's frame in pixels.")]
Width = Annotated[int, typer.Option(help="Channels at full size.")]
Steps = Annotated[int, typer.Option(help="Recurrences of a recurrent unit.")]
Encoder = Annotated[str, typer.Option(help="plain, or the name of a timm model.")]
Weights = Annotated[str, typer.Option(help="Weights of a timm encoder: none, timm (downloads) or a safetensors file.")]
Epochs = Annotated[int, typer.Option(help="Epochs of training.")]
Batch = Annotated[int, typer.Option(help="Images per step.")]
Rate = Annotated[float, typer.Option(help="Highest learning rate.")]
Validation = Annotated[float, typer.Option(help="Share of the training groups to cut off and watch.")]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option(help="Processes, one per device.")]
Out = Annotated[Path, typer.Option(help="Folder for what is written.")]


def _version(wanted: bool) -> None:
    if wanted:
        from sonoseg import __version__

        typer.echo(f"sonoseg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def benchmark(
    data: Data = "phantom",
    models: Annotated[str, typer.Option(help="Names of `sonoseg models`, or all.")] = "all",
    folds: Annotated[str, typer.Option(help="Folds to hold out in turn, such as 0,1, or all.")] = "all",
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="Seeds, such as 0 or 0,1,2.")] = "0",
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
    encoder_weights: Weights = "none",
    epochs: Epochs = 40,
    batch: Batch = 8,
    learning_rate: Rate = 0.002,
    validation: Validation = 0.0,
    device: Device = "auto",
    devices: Devices = 1,
    pictures: Annotated[bool, typer.Option(help="Show images of the data in the report.")] = True,
    out: Out = Path("runs/benchmark"),
) -> None:
    """Train and compare models on the same folds; go on where an earlier call stopped."""
    _need_training()
    from sonoseg.benchmark import REPORT, Plan
    from sonoseg.benchmark import benchmark as compare
    from sonoseg.data.sources import open_set
    from sonoseg.models.catalogue import CATALOGUE
    from sonoseg.training.config import Config

    opened = open_set(data)
    recipe = Config(
        data, "unet", 0, size, width, steps, encoder, encoder_weights, epochs, batch, learning_rate,
        validation=validation, device=device, devices=devices,
    )  # fmt: skip
    plan = Plan(
        recipe,
        tuple(CATALOGUE) if models == "all" else tuple(models.split(",")),
        tuple(range(opened.folds.count)) if folds == "all" else _numbers("folds", folds),
        _numbers("seeds", seeds),
        _command(),
        pictures,
    )
    with _stoppable("the same command goes on from there"):
        summary = compare(plan, opened, out, _progress())
    _table(summary)
    typer.echo(f"report: {out / REPORT}")


@app.command()
def train(
    data: Data = "phantom",
    model: Annotated[str, typer.Option(help="A name of `sonoseg models`.")] = "unet",
    fold: Annotated[int, typer.Option(help="The fold to hold out; -1 trains on all.")] = 0,
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
    encoder_weights: Weights = "none",
    epochs: Epochs = 40,
    batch: Batch = 8,
    learning_rate: Rate = 0.002,
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
    _need_training()
    from sonoseg.data.sources import open_set
    from sonoseg.training.config import Config
    from sonoseg.training.run import train_run

    config = Config(
        data, model, fold, size, width, steps, encoder, encoder_weights, epochs, batch, learning_rate,
        validation=validation, seed=seed, device=device, devices=devices,
    )  # fmt: skip
    if tensorboard:
        _need("tensorboard", "tensorboard")
    with _stoppable("the same command with --resume goes on from there"):
        written = train_run(config, open_set(data), out, resume, _progress().watch, tensorboard)
    typer.echo(f"model: {written}")
    typer.echo(f"next: sonoseg evaluate {out} --data {data}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    data: Data = "phantom",
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; the run's own if left out.")] = None,
) -> None:
    """Measure a run: on the fold that it held out, or on the whole of another set."""
    _need_training()
    from sonoseg.benchmark import CASES, SUMMARY, evaluate_run
    from sonoseg.data.sources import open_set
    from sonoseg.evaluation import summarise, write_cases
    from sonoseg.files import write_json

    opened = open_set(data)
    cases = evaluate_run(run, opened, _progress().evaluated)
    summary = summarise(cases)
    folder = out or run
    write_cases(folder / CASES, cases)
    write_json(folder / SUMMARY, summary)
    _table(summary)
    typer.echo(f"tables: {folder / CASES}, {folder / SUMMARY}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its checkpoint.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("model.onnx"),
    name: Annotated[str | None, typer.Option(help="What results call the model; the file's name if left out.")] = None,
) -> None:
    """Write a run's network as a model file for `sonoseg predict`, compared with torch."""
    _need_training()
    _need("export", "onnx", "onnxscript")
    from sonoseg.export import export as write

    difference = write(run, out, name)
    typer.echo(f"model: {out}; it differs from torch by {difference:.1e} in probability at most")


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Pictures, clips or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the outputs; beside each file if left out.")] = None,
    model: Annotated[str, typer.Option(help="default, the path of an .onnx file, or URL#sha256=CHECKSUM.")] = "default",
    spacing: Annotated[str | None, typer.Option(help="mm per pixel: 0.07, or ROW,COLUMN.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Files at the same time.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads for one image.")] = None,
    backend: Annotated[str | None, typer.Option(help="onnxruntime, openvino or openvino-float32.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what an earlier run finished.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that stand.")] = False,
    tta: Annotated[bool, typer.Option("--tta", help="Predict the mirror image too, and take the mean.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Write the probability map as a picture.")] = False,
    coco: Annotated[bool, typer.Option("--coco", help="Write coco.json for all files.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are refused.")] = 100_000_000,
) -> None:
    """Outline and measure lesions: a mask, an overlay and a JSON for each file, and tables for all."""
    from dataclasses import replace

    from sonoseg.batch import run
    from sonoseg.modelfile import load
    from sonoseg.outputs import Options
    from sonoseg.progress import Bar
    from sonoseg.reading import spacing_of

    predictor = replace(load(model, backend, threads, workers), mirrored=tta)
    options = Options(
        out=out, spacing=spacing_of(spacing) if spacing else None, resume=resume, overwrite=overwrite,
        workers=workers, explain=explain, coco=coco, max_pixels=max_pixels,
    )  # fmt: skip
    bar = Bar("predicting")
    with _stoppable("the same command with --resume goes on from there"):
        summary = run(files, predictor, options, lambda outcome, done, of: bar.step(done, of))
    _told(summary)


def _told(summary: "Summary") -> None:
    """Say what became of a batch, and list what failed; all of it failing is a failure of the command."""
    from sonoseg.predictor import NOTICE

    for failure in summary.failures:
        typer.echo(f"failed: {failure.file}: {failure.message}", err=True)
    found = f"{summary.lesions} lesions in {summary.images} images, {summary.empty} of them without a lesion"
    typer.echo(f"{found}; {len(summary.failures)} failures. {NOTICE}")
    for table in summary.tables:
        typer.echo(f"table: {table}")
    if summary.failures:
        raise typer.Exit(1 if summary.images else 2)


@app.command()
def models(
    size: Size = 128,
    width: Width = 16,
    steps: Steps = 2,
    encoder: Encoder = "plain",
) -> None:
    """List the models, with their parameters and multiply-adds for one image."""
    _need_training()
    from rich.console import Console
    from rich.table import Table

    from sonoseg.models.catalogue import CATALOGUE, count_parameters, multiply_adds
    from sonoseg.training.config import Config
    from sonoseg.training.loop import new_network

    table = Table("model", "parameters", f"multiply-adds at {size} x {size}")
    for name in CATALOGUE:
        network = new_network(Config("", name, size=size, width=width, steps=steps, encoder=encoder))
        table.add_row(name, f"{count_parameters(network) / 1e6:.2f} M", f"{multiply_adds(network, size) / 1e9:.2f} G")
    Console().print(table)


data_app = typer.Typer(no_args_is_help=True, help="Look at sets of images: their copies and folds.")
app.add_typer(data_app, name="data")


@data_app.command("folds")
def data_folds(
    source: Annotated[str, typer.Argument(metavar="NAME:WHERE", help="The set, such as busi:PATH.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("folds.csv"),
    count: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    seed: Annotated[int, typer.Option(help="Another seed gives other folds.")] = 0,
) -> None:
    """Find near-duplicates from the pixels and make folds that keep them together; for BUSI the shipped file."""
    from sonoseg.data.folds import make, write
    from sonoseg.data.sources import open_set
    from sonoseg.progress import Bar

    samples = open_set(source).samples
    images = ((sample.name, sample.label, sample.read()[0].pixels) for sample in samples)
    bar = Bar("comparing images")
    write(out, make(images, count, seed, lambda done, _: bar.step(done, 2 * len(samples))))
    typer.echo(f"folds: {out}")


def main() -> None:
    """Run the command; an error that the user can mend is a sentence, and its hint the next thing to type."""
    try:
        app()
    except UserError as error:
        _stop(str(error), error.hint, error.exit_code, error)
    except OSError as error:
        _stop(f"the system refuses: {error}", "check the free space of the disk and the rights on the folder", 1, error)


def _stop(message: str, hint: str, code: int, error: BaseException) -> None:
    if "--debug" in sys.argv:
        raise error
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise SystemExit(code)


@contextmanager
def _stoppable(hint: str) -> Iterator[None]:
    """Ctrl-C ends long work with a sentence."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise UserError("stopped; every finished epoch is kept", hint, exit_code=130) from error


def _need(extra: str, *modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f"this needs {', '.join(missing)}, which is not installed", hint=f"pip install 'sonoseg[{extra}]'"
        )


def _need_training() -> None:
    _need("train", "torch", "timm", "lightning_fabric", "safetensors", "matplotlib", "jinja2")


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--{name} is {text!r}; whole numbers with commas are allowed", hint=f"--{name} 0,1") from error


def _command() -> str:
    return shlex.join(["sonoseg", *sys.argv[1:]])


def _progress() -> "Progress":
    from sonoseg.benchmark import Progress
    from sonoseg.progress import Bar, TrainingBar
    from sonoseg.training.run import Watch

    title = ["training"]

    def cell(number: int, of: int, name: str) -> None:
        title[0] = f"{name} ({number} of {of})"

    return Progress(
        cell,
        Watch(Bar("reading images").step, lambda epochs, images: TrainingBar(title[0], epochs, images)),
        Bar("evaluating").step,
    )


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
