"""Commands that make model files: export, publish, rescore."""

from pathlib import Path
from typing import Annotated

import typer

from sonoseg.cli.options import Data, need_path, need_training
from sonoseg.errors import UserError, need

Labels = Annotated[Path | None, typer.Option(help="What `sonoseg measure labels` wrote of the set, for the card.")]
Card = Annotated[Path, typer.Option(help="The card to write.")]
Results = Annotated[Path, typer.Option(help="Folder for the tables of the scores.")]


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its checkpoint.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("model.onnx"),
    name: Annotated[str | None, typer.Option(help="What results call the model; the file's name if left out.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights and activations, compared with float.")] = False,
    data: Annotated[str, typer.Option(help="With --int8: the set of the run, if it has moved.")] = "",
) -> None:
    """Write a run's network as a model file for `sonoseg predict`, compared with torch."""
    need_path(run)
    if out.is_dir():
        raise UserError(f"{out} is a folder; a model is one file", hint=f"--out {out / 'model.onnx'}")
    need_training()
    need("export", "onnx", "onnxscript")
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
        typer.Option(help="A run of the recipe on one set alone, to judge on those of --also. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The model file to write.")] = Path(
        "src/sonoseg/prediction/weights/default.onnx"
    ),
    card: Card = Path("MODEL_CARD.md"),
    results: Results = Path("results/default"),
) -> None:
    """Score a recipe on its held-out folds and write the network trained on all as a model file with its card."""
    need_path(run)
    need_path(cross_validation)
    need_training()
    need("export", "onnx", "onnxscript")
    from sonoseg.cli.progress import bars
    from sonoseg.data.sets.sources import open_set
    from sonoseg.experiments.publish import Elsewhere
    from sonoseg.experiments.publish import publish as write

    for each in alone or ():
        need_path(each)
    elsewhere = Elsewhere([open_set(spec) for spec in also or ()], alone or ())
    difference = write(run, cross_validation, open_set(data), out, results, tta, labels, elsewhere, bars().evaluated)
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
    need_training()
    from sonoseg.data.sets.sources import open_set
    from sonoseg.experiments.publish import rescore as write

    write(model, results, open_set(data), labels)
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
