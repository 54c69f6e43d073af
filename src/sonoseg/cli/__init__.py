"""The command ``sonoseg``: each command a few lines, its imports inside, so that help is there at once."""

import logging
import sys
from typing import Annotated

import typer

from sonoseg.cli import dicom, measure, predict, publish, score, serve, sets, train
from sonoseg.errors import UserError, printable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # help at once: the rich form imports for twice as long
    help="Find and outline breast lesions in ultrasound images; compare U-Nets without leakage. "
    "Research use, not a medical device.",
)
for command in (
    predict.predict, predict.card, serve.serve, train.benchmark, train.train, train.evaluate, train.models,
    train.report, score.score, score.leaderboard, publish.export, publish.publish, publish.rescore,
):  # fmt: skip
    app.command()(command)
app.add_typer(sets.app, name="data")
app.add_typer(measure.app, name="measure")
app.add_typer(dicom.app, name="dicom")
app.add_typer(serve.app, name="review")


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
    quiet: Annotated[bool, typer.Option("--quiet", help="Show answers and errors, not how far it is.")] = False,
) -> None:
    """Options of every command; these two may also stand behind it."""


def main() -> None:
    """Run the command; an error that the user can mend is a sentence, and its hint the next thing to type."""
    if logging.lastResort:
        logging.lastResort.setFormatter(logging.Formatter("warning: %(message)s"))
    try:
        app(args=sorted(sys.argv[1:], key=lambda word: word not in ("--debug", "--quiet")))
    except UserError as error:
        _stop(str(error), error.hint, error.exit_code, error)
    except OSError as error:
        _stop(f"the system refuses: {error}", "check the free space of the disk and the rights on the folder", 1, error)


def _stop(message: str, hint: str, code: int, error: BaseException) -> None:
    if "--debug" in sys.argv:
        raise error
    typer.echo(f"error: {printable(message)}", err=True)
    if hint:
        typer.echo(f"hint: {printable(hint)}", err=True)
    raise SystemExit(code)
