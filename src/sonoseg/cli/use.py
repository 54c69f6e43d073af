"""Commands of the reader: predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonoseg.cli.parts import stoppable

if TYPE_CHECKING:
    from sonoseg.batch import Summary


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
    with stoppable("the same command with --resume goes on from there"):
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
