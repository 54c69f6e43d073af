"""Commands of the reader: predict, card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonoseg.cli.options import MODEL, FrameOfReference, Model, is_synthetic, need_folder, need_path, path_of, stoppable
from sonoseg.errors import UserError, printable

if TYPE_CHECKING:
    from sonoseg.delivery.batch import Summary
    from sonoseg.delivery.outputs import Outcome


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(parser=path_of, metavar="FILES", help="Pictures, clips, DICOM, folders and zips of them."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the outputs; beside each file if left out.")] = None,
    model: Model = "default",
    spacing: Annotated[str | None, typer.Option(help="mm per pixel: 0.07, or ROW,COLUMN.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Files at the same time.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads for one image.")] = None,
    backend: Annotated[str | None, typer.Option(help="onnxruntime or openvino; openvino where it is.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, or bfloat16 with openvino; sizes then differ a little.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what an earlier run finished.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that stand.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay/--no-overlay", help="Draw the result on the scan.")] = True,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.99, help="Probability from which a pixel is lesion; the model's own if left out."),
    ] = None,
    smallest_lesion: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="Share of the image under which a component is a speck; the model's own."),
    ] = None,
    least_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=0.99, help="Mean probability under which a component is left out; the model's own."),
    ] = None,
    presence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Presence under which nothing is drawn; the model's own if left out."),
    ] = None,
    tta: Annotated[
        bool | None,
        typer.Option("--tta/--no-tta", help="Predict the mirror image too, and take the mean; the model's own."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Write the probability map as a picture.")] = False,
    coco: Annotated[bool, typer.Option("--coco", help="Write coco.json for all files.")] = False,
    dicom_seg: Annotated[bool, typer.Option("--dicom-seg", help="Write a DICOM segmentation of each scan.")] = False,
    dicom_sr: Annotated[bool, typer.Option("--dicom-sr", help="Write a DICOM report of each scan.")] = False,
    dicom_sc: Annotated[
        bool, typer.Option("--dicom-sc", help="Write the overlay as DICOM, for archives that show neither.")
    ] = False,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="Probabilities in the segmentation, and not a mask.")
    ] = False,
    frame_of_reference: FrameOfReference = "none",
    slicer: Annotated[bool, typer.Option("--slicer", help="Write a .seg.nrrd for 3D Slicer, of pictures too.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are refused.")] = 25_000_000,
) -> None:
    """Outline and measure lesions: a mask, an overlay and a JSON for each file, and tables for all."""
    for path in files:
        need_path(path)
    if out:
        need_folder(out)
    from dataclasses import replace

    from sonoseg.cli.progress import Bar
    from sonoseg.delivery import document
    from sonoseg.delivery.batch import run
    from sonoseg.delivery.objects import Objects
    from sonoseg.delivery.outputs import Options
    from sonoseg.images.dicom import need_dicom
    from sonoseg.images.reading import spacing_of
    from sonoseg.prediction.modelfile import load

    synthetic = is_synthetic(frame_of_reference)
    if dicom_seg or dicom_sr or dicom_sc:
        need_dicom()
    objects = Objects(dicom_seg, dicom_sr, dicom_sc, slicer, fractional, synthetic)
    given = spacing_of(spacing) if spacing is not None else None
    own = load(model, backend, threads, workers, precision)
    if presence is not None and own.least_presence is None:
        raise UserError(
            f"the model {model} tells no presence, so --presence has nothing to go by",
            hint="leave --presence out, or take a model that was trained with one: sonoseg train --presence 0.3",
        )
    rules: dict[str, Any] = {
        "threshold": threshold, "smallest_lesion": smallest_lesion, "least_confidence": least_confidence,
        "least_presence": presence, "mirrored": tta,
    }  # fmt: skip
    predictor = replace(own, **{name: value for name, value in rules.items() if value is not None})
    options = Options(
        out=out, spacing=given, resume=resume, overwrite=overwrite,
        workers=workers, overlay=overlay, explain=explain, coco=coco, max_pixels=max_pixels,
        objects=objects,
    )  # fmt: skip
    bar, last = Bar("predicting"), list["Outcome"]()

    def report(outcome: "Outcome", done: int, of: int) -> None:
        bar.step(done, of)
        last[:] = [outcome]

    with stoppable("the same command with --resume goes on from there"):
        summary = run(files, predictor, options, report)
    if summary.files == 1:
        for each in last[0].documents:
            page = f"page {each['page']}: " if each["pages"] > 1 else ""
            for sentence in document.sentences(each):
                typer.echo(page + sentence)
    if dicom_seg and not synthetic and summary.lesions:
        typer.echo(
            "note: OHIF and 3D Slicer draw a DICOM segmentation only with --frame-of-reference synthetic", err=True
        )
    _told(summary)


def card(
    model: Annotated[str, typer.Argument(help=MODEL)] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="The record itself, for other programs.")] = False,
) -> None:
    """Show a model's card: what it is for, what it was trained on and how it scored."""
    from sonoseg.files import checksum, json_text
    from sonoseg.prediction.modelfile import read_record, resolve, sidecar
    from sonoseg.reports.card import write

    path = resolve(model)
    if as_json:
        typer.echo(json_text(sidecar(path)), nl=False)
        return
    typer.echo(write(read_record(path), checksum(path)), nl=False)


def _told(summary: "Summary") -> None:
    """Say what became of a batch, and list what failed; all of it failing is a failure of the command."""
    from sonoseg.prediction.predictor import NOTICE
    from sonoseg.reports.figures import counted

    for failure in summary.failures:
        page = f", page {failure.page}" if failure.page else ""
        typer.echo(f"failed: {failure.file}{page}: {failure.message}", err=True)
        if failure.hint:
            typer.echo(f"hint: {failure.hint}", err=True)

    kinds = {"image": summary.images - summary.clips, "clip": summary.clips}
    where = " and ".join(counted(number, kind) for kind, number in kinds.items() if number)
    every = ", counted in every frame" if summary.clips else ""
    found = f"{counted(summary.lesions, 'lesion')} in {where}{every}, {summary.empty} without"
    failed = f"; {counted(len(summary.failures), 'failure')}" if summary.failures else ""
    if summary.images:
        typer.echo(f"{found}{failed}. {NOTICE}")
    for table in summary.tables:
        typer.echo(f"table: {printable(str(table))}")
    if summary.failures:
        raise typer.Exit(1 if summary.images else 2)
