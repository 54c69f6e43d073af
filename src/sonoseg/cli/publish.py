"""Commands that make model files: export, publish, rescore."""

from pathlib import Path
from typing import Annotated

import typer

from sonoseg.cli.options import Data, data_of, need_path, need_run, need_training
from sonoseg.errors import UserError, need

Labels = Annotated[Path | None, typer.Option(help="What `sonoseg measure labels` wrote of the set, for the card.")]
Card = Annotated[Path, typer.Option(help="The card to write.")]
Results = Annotated[Path, typer.Option(help="Folder for the tables of the scores.")]
_LABELS = "give the folder that `sonoseg measure labels` wrote"


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its checkpoint.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("model.onnx"),
    name: Annotated[str | None, typer.Option(help="What results call the model; the file's name if left out.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights and activations, compared with float.")] = False,
    data: Annotated[str, typer.Option(help="With --int8: the set of the run, if it has moved.")] = "",
) -> None:
    """Write a run's network as a model file for `sonoseg predict`, compared with torch."""
    need_run(run)
    if out.is_dir():
        raise UserError(f"{out} is a folder; a model is one file", hint=f"--out {out / 'model.onnx'}")
    if int8 and data:
        data_of(data)
    need("export", "onnx", "onnxscript")
    need_training()
    from sonoseg.files import write_json
    from sonoseg.learning.export import export as write
    from sonoseg.learning.export import export_int8
    from sonoseg.prediction.modelfile import sidecar

    if int8:
        found = export_int8(run, out, name, data)
        typer.echo(
            f"model: {out}; lesion Dice {found.int8:.4f} in int8, {found.float32:.4f} in float32, "
            f"over {found.images} images that the run was trained on"
        )
    else:
        difference = write(run, out, name)
        typer.echo(f"model: {out}; it differs from torch by {difference:.1e} in probability at most")
    write_json(out.with_suffix(".json"), sidecar(out))
    typer.echo(f"its record, for other programs: {out.with_suffix('.json')}")


def publish(
    run: Annotated[Path, typer.Argument(help="A run with --fold -1: the network to ship.")],
    cross_validation: Annotated[Path, typer.Option(help="What `sonoseg benchmark` left for the same recipe.")],
    data: Data,
    tta: Annotated[bool, typer.Option("--tta", help="Judge and ship it with the mean over the mirror image.")] = False,
    labels: Labels = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="A further set to judge on. May be repeated.", metavar="NAME:WHERE"),
    ] = None,
    alone: Annotated[
        list[Path] | None,
        typer.Option(help="A run of the recipe on one set alone, to judge on the others. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The model file to write.")] = Path(
        "src/sonoseg/prediction/weights/default.onnx"
    ),
    card: Card = Path("MODEL_CARD.md"),
    results: Results = Path("results/default"),
) -> None:
    """Score a recipe on its held-out folds and write the network trained on all as a model file with its card."""
    from sonoseg.experiments.plan import CELLS

    for each in (run, *(alone or ())):
        need_run(each)
    need_run(cross_validation, (CELLS,), "give the folder that `sonoseg benchmark` left")
    if labels:
        need_path(labels, _LABELS)
    images, others = data_of(data), [data_of(spec) for spec in also or ()]
    need("export", "onnx", "onnxscript")
    need_training()
    from sonoseg.cli.progress import bars
    from sonoseg.experiments.publish import Elsewhere
    from sonoseg.experiments.publish import publish as write

    elsewhere = Elsewhere(others, alone or ())
    difference = write(run, cross_validation, images, out, results, tta, labels, elsewhere, bars().evaluated)
    typer.echo(f"model: {out}; it differs from torch by {difference:.1e} in probability at most")
    _write_card(out, card)
    typer.echo(f"card: {card}; tables: {results}")


def rescore(
    model: Annotated[Path, typer.Argument(help="A model file that `sonoseg publish` wrote.")],
    data: Data,
    labels: Labels = None,
    card: Card = Path("MODEL_CARD.md"),
    results: Results = Path("results/default"),
) -> None:
    """Tell the scores of a model file anew, from the tables that it was published with; the network stays."""
    from sonoseg.prediction.modelfile import read_record

    need_path(model, "give a model file that `sonoseg publish` wrote")
    read_record(model)
    need_path(results, "give the folder of its tables: --results FOLDER")
    if labels:
        need_path(labels, _LABELS)
    images = data_of(data)
    need_training()
    from sonoseg.experiments.publish import rescore as write

    write(model, results, images, labels)
    _write_card(model, card)
    typer.echo(f"model: {model}; card: {card}")


def _write_card(model: Path, card: Path) -> None:
    """Write the card of a model file; pin the file where it is one that comes with the package."""
    from sonoseg.files import checksum, write_text
    from sonoseg.prediction.modelfile import WEIGHTS, pin, read_record
    from sonoseg.reports.card import write as card_of

    if model.resolve().parent == WEIGHTS.resolve():
        pin(model)
    write_text(card, card_of(read_record(model), checksum(model)))
