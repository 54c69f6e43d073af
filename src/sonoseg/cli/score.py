"""Commands for everybody else's network: score, leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from sonoseg.cli.options import (
    NOTHING_KEPT,
    Data,
    command_line,
    need_data,
    need_file,
    need_folder,
    need_path,
    numbers,
    stoppable,
)
from sonoseg.errors import UserError


def score(
    masks: Annotated[
        list[Path],
        typer.Argument(
            help="Folder of masks or probability maps named as the images, or COCO results; one for each seed."
        ),
    ],
    data: Data,
    folds: Annotated[str, typer.Option(help="Folds that the masks are of, such as 0,1, or all.")] = "all",
    name: Annotated[str, typer.Option(help="What the network is called; the folder's name if left out.")] = "",
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="Seed of each folder, such as 0 or 0,1,2.")] = "0",
    threshold: Annotated[float, typer.Option(help="Probabilities at or above it are lesion.")] = 0.5,
    reference: Annotated[
        str,
        typer.Option(help="Folder or cases.csv of an entry to compare with, image by image.", metavar="PATH[:MODEL]"),
    ] = "",
    pictures: Annotated[bool, typer.Option(help="Show images of the data in the report.")] = True,
    out: Annotated[Path, typer.Option(help="Folder for tables, page and the form of an entry.")] = Path("score"),
) -> None:
    """Score anybody's masks or probability maps under the protocol: tables, a page, an entry for the leaderboard."""
    need_data()
    for each in masks:
        need_path(each, "give the folder that holds the masks")
    need_folder(out)
    from sonoseg.cli.progress import Bar
    from sonoseg.cli.train import show
    from sonoseg.data.sets.sources import open_set
    from sonoseg.evaluation.entries import ENTRY
    from sonoseg.experiments.scoring import REPORT
    from sonoseg.experiments.scoring import score as judge

    opened = open_set(data)
    with stoppable(*NOTHING_KEPT):
        summary = judge(
            masks,
            opened,
            None if folds == "all" else numbers("folds", folds),
            name or (masks[0].stem if masks[0].is_file() else masks[0].resolve().name),
            numbers("seeds", seeds),
            threshold,
            reference,
            out,
            pictures,
            Bar("scoring").step,
            command_line(),
        )
    show(summary)
    typer.echo(f"report: {out / REPORT}")
    typer.echo(f"to enter: fill in {out / ENTRY}, then sonoseg leaderboard {out} --out leaderboard.html")


def leaderboard(
    places: Annotated[list[Path], typer.Argument(help="Folders of results and of entries, or that hold some.")],
    out: Annotated[Path, typer.Option(help="The page; what it shows is written beside it as JSON.")] = Path(
        "leaderboard.html"
    ),
) -> None:
    """Check entries and results of benchmarks, and set them side by side on one page."""
    need_data()
    from sonoseg.evaluation.leaderboard import find, summarise
    from sonoseg.files import json_text, write_all
    from sonoseg.reports import leaderboard as page

    if out.suffix != ".html":
        raise UserError(f"{out} does not end with .html", hint=f"--out {out.with_suffix('.html')}")
    need_file(out)
    standings, passed = find(places)
    summary = summarise(standings, command_line())
    write_all({out.with_suffix(".json"): json_text(summary).encode(), out: page.page(summary).encode()})
    if passed:
        told = ", ".join(str(path.parent) for path in passed)
        typer.echo(f"passed over, neither entries nor whole benchmarks that name their folds: {told}", err=True)
    for section in summary["sections"]:
        typer.echo(f"{page.title(section)}: {page.finding(section)}")
    typer.echo(f"page: {out}")
