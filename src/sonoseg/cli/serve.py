"""Commands of the viewer: serve, review export, review report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonoseg.errors import UserError, need

if TYPE_CHECKING:
    from sonoseg.viewer.settings import Settings

app = typer.Typer(no_args_is_help=True, help="What reviews are good for: training data, and how far people corrected.")

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "nibabel", "nrrd")

Kept = Annotated[Path | None, typer.Option("--store", help="File of the review store; the user's own if left out.")]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at; another than this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    store: Kept = None,
    model: Annotated[
        list[str] | None, typer.Option(help="As for predict; may be given several times, the first is the default.")
    ] = None,
    backend: Annotated[str | None, typer.Option(help="onnxruntime or openvino; openvino where it is.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Images at the same time.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads for one image.")] = None,
    waiting: Annotated[int, typer.Option(min=0, help="Images that may wait; more are answered with 503.")] = 32,
    token: Annotated[str | None, typer.Option(envvar="SONOSEG_TOKEN", help="What every request must bring.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A name that this service is called by.")] = None,
    allow_origin: Annotated[list[str] | None, typer.Option(help="A site that may use it, such as OHIF's.")] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="Megabytes of one request.")] = 100,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are refused.")] = 25_000_000,
    max_seconds: Annotated[float, typer.Option(min=1, help="Time for one request.")] = 60,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Open a page where scans are outlined, corrected, judged and kept; nothing leaves the machine."""
    need("serve", *_NEEDED)
    from sonoseg.viewer.settings import MEGABYTE, Settings

    settings = Settings(
        store=_place(store), models=tuple(model or ["default"]), backend=backend, threads=threads, workers=workers,
        waiting=waiting, host=host, port=port, token=token, hosts=frozenset(allow_host or ()),
        origins=frozenset(allow_origin or ()), upload=max_upload * MEGABYTE, pixels=max_pixels, seconds=max_seconds,
    )  # fmt: skip
    from sonoseg.prediction.modelfile import resolve

    for name in settings.models:
        if "://" not in name:  # an address is fetched beside the page, and says there what is wrong with it
            resolve(name)
    _listen(settings, browser)


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Folder to write; train reads it as folder:OUT/manifest.csv.")],
    store: Kept = None,
    undecided: Annotated[bool, typer.Option("--undecided", help="Also what was predicted and not touched.")] = False,
) -> None:
    """Write what was accepted or corrected as a set to train on."""
    need("serve", *_NEEDED)
    from sonoseg.viewer import review
    from sonoseg.viewer.store import Store

    written = review.export(Store(_place(store), writable=False), out, undecided)
    typer.echo(f"{written} images with masks: {out}")
    typer.echo(f"train on them: sonoseg train --data folder:{out / review.MANIFEST} ...")


@app.command("report")
def report(
    store: Kept = None,
    out: Annotated[Path | None, typer.Option(help="A CSV with a row for each frame and reader.")] = None,
) -> None:
    """Say how often and how far people corrected, by reader."""
    need("serve", *_NEEDED)
    from sonoseg.files import write_csv
    from sonoseg.viewer import review
    from sonoseg.viewer.store import Store

    found = list(review.changes(Store(_place(store), writable=False)))
    if not found:
        raise UserError("nobody has corrected or judged anything yet", hint="sonoseg serve", exit_code=1)
    for row in review.report(found):
        compared = "nothing was predicted"
        if row.dice_mean is not None:
            compared = f"Dice of first and final {row.dice_mean:.3f}, median {row.dice_median:.3f}, "
            compared += f"least {row.dice_least:.3f}"
        typer.echo(
            f"{row.reader}: {row.frames} frames, {row.corrected} corrected, {row.accepted} accepted, "
            f"{row.rejected} rejected; {compared}"
        )
    if out:
        write_csv(out, review.CHANGE_COLUMNS, (vars(each) for each in found))
        typer.echo(f"table: {out}")


def _place(store: Path | None) -> Path:
    from platformdirs import user_data_path

    return store or user_data_path("sonoseg", appauthor=False) / "reviews.sqlite3"


def _listen(settings: "Settings", browser: bool) -> None:
    import socket
    import sys
    import threading
    import webbrowser

    import uvicorn

    from sonoseg.viewer.app import create

    service = create(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host.strip("[]"), settings.port), family=family)
    except OSError as error:
        raise UserError(
            f"{settings.host}:{settings.port} cannot be listened at ({error.strerror or error})",
            hint="sonoseg serve --port 0 takes a free one",
        ) from error
    # Connections inherit it. Without it the end of an answer waits, 40 ms mostly, until the client says that it has the
    # beginning; asyncio sets it, but not on a socket that does not name its protocol, as those of create_server.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    typer.echo(f"open {url} in a browser; Ctrl-C ends it. Reviews are kept in {settings.store}")
    if browser and sys.stdout.isatty():
        threading.Timer(1.0, webbrowser.open, (url,)).start()
    # No log of addresses: MONAI Label's hold names of images.
    config = uvicorn.Config(service, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
