"""Commands for archives and for sharing: pull, push, watch, send, receive, deidentify."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonoseg.cli.options import FrameOfReference, Model, is_synthetic, stoppable
from sonoseg.errors import UserError, printable

if TYPE_CHECKING:
    from sonoseg.delivery.dicom.moved import Moved

app = typer.Typer(no_args_is_help=True, help="DICOM: to and from an archive, and without the patient.")


Url = Annotated[str, typer.Option(help="DICOMweb address of the archive, such as http://localhost:8042/dicom-web.")]
Files = Annotated[list[Path], typer.Argument(help="DICOM files or folders of them.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of DICOM's own network.")]


@app.command()
def pull(
    url: Url,
    out: Annotated[Path, typer.Option(help="Folder for the images, under names that tell of nobody.")],
    study: Annotated[str, typer.Option(help="Study Instance UID.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    date: Annotated[str, typer.Option(help="Study date: 20261124, or 20261101- for all since.")] = "",
) -> None:
    """Fetch ultrasound images from an archive (QIDO-RS, WADO-RS); what is there already is kept."""
    _need()
    from sonoseg.delivery.archive import Archive
    from sonoseg.delivery.archive import pull as fetch

    with _answering(), stoppable("the same command goes on from there"):
        moved = fetch(Archive(url), out, _filters(study, accession, date))
    typer.echo(f"images: {moved.done} in {out}")
    _told(moved)


@app.command()
def push(files: Files, url: Url) -> None:
    """Store DICOM files in an archive (STOW-RS)."""
    _need()
    from sonoseg.delivery.archive import Archive
    from sonoseg.delivery.archive import push as store
    from sonoseg.images.reading import find_dicom

    with _answering(), stoppable("the same command stores them once more"):
        moved = store(Archive(url), find_dicom(files))
    typer.echo(f"stored: {moved.done}")
    _told(moved)


@app.command()
def watch(
    url: Url,
    out: Annotated[Path, typer.Option(help="Folder for the record of what was done.")],
    model: Model = "default",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 10.0,
    looks: Annotated[int | None, typer.Option(min=1, help="Stop after so many looks; goes on if left out.")] = None,
    seg: Annotated[bool, typer.Option("--seg/--no-seg", help="Store a segmentation.")] = True,
    sr: Annotated[bool, typer.Option("--sr/--no-sr", help="Store a report.")] = True,
    sc: Annotated[bool, typer.Option("--sc/--no-sc", help="Store the overlay as a picture.")] = False,
    frame_of_reference: FrameOfReference = "none",
    date: Annotated[str, typer.Option(help="Study date: 20261124, or 20261101- for all since.")] = "",
) -> None:
    """Predict every ultrasound image that comes into an archive and store what was found, once for each."""
    _need()
    from sonoseg.delivery.archive import Archive, Watch, maker
    from sonoseg.delivery.objects import Objects
    from sonoseg.prediction.modelfile import load

    wanted = Objects(seg=seg, sr=sr, sc=sc, synthetic=is_synthetic(frame_of_reference))
    make = maker(load(model), wanted, out)
    with stoppable("the same command goes on from there"):
        Watch(Archive(url), out, make, typer.echo, every, _filters("", "", date)).run(looks)


@app.command()
def send(
    files: Files,
    host: Annotated[str, typer.Option(help="Name or address of the node.")],
    port: Port = 104,
    called: Annotated[str, typer.Option(help="Its application entity title.")] = "ANY-SCP",
) -> None:
    """Send DICOM files to a node (C-STORE)."""
    _need()
    from sonoseg.delivery.dicom.network import send as store
    from sonoseg.images.reading import find_dicom

    moved = store(find_dicom(files), host, port, called)
    typer.echo(f"sent: {moved.done}")
    _told(moved)


@app.command()
def receive(
    out: Annotated[Path, typer.Option(help="Folder for what comes, under names that tell of nobody.")],
    port: Port = 11112,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
) -> None:
    """Take what nodes send (C-STORE), until Ctrl-C."""
    _need()
    import threading

    from sonoseg.delivery.dicom.network import NAME, receiving

    with stoppable(f"what came is in {out}"), receiving(out, port, host):
        typer.echo(f"{NAME} takes what is sent to {host}:{port} into {out}; Ctrl-C ends it")
        threading.Event().wait()


@app.command()
def deidentify(
    files: Annotated[list[Path], typer.Argument(help="Ultrasound in DICOM: files, folders, zips or a DICOMDIR.")],
    out: Annotated[Path, typer.Option(help="Folder for what is written, under new names.")],
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger frames are refused.")] = 100_000_000,
) -> None:
    """Write ultrasound without its patient: tags by PS3.15, pixels outside the ultrasound regions blanked."""
    _need()
    from sonoseg.cli.progress import Bar
    from sonoseg.delivery.dicom.sharing import share

    with stoppable("what was written is whole"):
        shared = share(files, out, Bar("rewriting").step, max_pixels)
    for name, warning in shared.warnings:
        typer.echo(f"warning: {name}: {warning}", err=True)
    typer.echo(f"written: {shared.done} to {out}")
    _told(shared)


def _need() -> None:
    from sonoseg.images.dicom import need_dicom

    need_dicom()


def _told(moved: "Moved") -> None:
    """List what failed; all of it failing is a failure of the command."""
    for name, message, hint in moved.failures:
        typer.echo(f"failed: {printable(name)}: {printable(message)}\nhint: {hint}", err=True)
    if moved.failures:
        raise typer.Exit(1 if moved.done else 2)


def _filters(study: str, accession: str, date: str) -> dict[str, str]:
    given = {"StudyInstanceUID": study, "AccessionNumber": accession, "StudyDate": date}
    return {key: value for key, value in given.items() if value}


@contextmanager
def _answering() -> Iterator[None]:
    """An archive that does not answer is a sentence."""
    from sonoseg.delivery.archive import SilentError

    try:
        yield
    except SilentError as error:
        raise UserError("the archive does not answer", hint="check --url, and whether it runs", exit_code=1) from error
