"""Commands about sets of images: data audit, folds, list, get, convert, pack."""

from pathlib import Path
from typing import Annotated

import typer

from sonoseg.cli.options import NOTHING_KEPT, command_line, need_data, need_file, need_folder, stoppable
from sonoseg.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Look at sets of images: their copies and folds.")

Source = Annotated[str, typer.Argument(metavar="NAME:WHERE", help="The set, such as busi:PATH.")]


@app.command("audit")
def audit(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for the page and the table; an earlier audit is replaced.")] = Path(
        "audit"
    ),
) -> None:
    """Say what is the matter with a set: copies, odd masks, burnt-in marks, sizes; a page with pictures and a table."""
    need_data()
    need_folder(out)
    from sonoseg.cli.progress import Bar
    from sonoseg.data.audit import measure
    from sonoseg.data.sets.sources import open_set
    from sonoseg.evaluation.audited import sum_up
    from sonoseg.reports.audit import page

    bars: dict[str, Bar] = {}

    def progress(stage: str, done: int, total: int) -> None:
        bars.setdefault(stage, Bar(stage)).step(done, total)

    with stoppable(*NOTHING_KEPT):
        found = measure(open_set(source), page.thumbnail, progress)
        figures = sum_up(found)
        written = page.write(out, found, figures, command_line())
    for failure in found.failures:
        typer.echo(f"{failure.name}: {failure.message}", err=True)
    for sentence in page.sentences(found, figures):
        typer.echo(sentence)
    for path in written:
        typer.echo(f"written: {path}")


@app.command("folds")
def folds(
    source: Source,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("folds.csv"),
    count: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    seed: Annotated[int, typer.Option(help="Another seed gives other folds.")] = 0,
) -> None:
    """Find near-duplicates from the pixels and make folds that keep them together; for BUSI the shipped file."""
    need_data()
    need_file(out)
    from sonoseg.cli.progress import Bar
    from sonoseg.data.dealing import make
    from sonoseg.data.folds import write
    from sonoseg.data.sets.sources import open_set

    samples = open_set(source).samples
    images = ((sample.name, sample.label, sample.read()[0].pixels) for sample in samples)
    bar = Bar("comparing images")
    with stoppable(*NOTHING_KEPT):
        made = make(images, count, seed, lambda done, _: bar.step(done, 2 * len(samples)))
    write(out, made)
    sizes = sorted(len(made.test(fold)) for fold in made.numbers)
    left_out = sum(row.fold is None for row in made.rows)
    typer.echo(
        f"{len(made.rows)} images in {len(set(made.groups.values()))} groups; "
        f"{made.count} folds of {' to '.join(map(str, sorted({sizes[0], sizes[-1]})))} images"
        + (f", {left_out} in none" if left_out else "")
    )
    typer.echo(f"folds: {out}")


@app.command("list")
def list_sets() -> None:
    """List the known sets: size, licence, citation, how to get them, what their reader was tested on."""
    from sonoseg.data.sets.catalogue import KNOWN

    for name, known in KNOWN.items():
        checksum = "published" if known.downloads and all(d.checksum for d in known.downloads) else "none published"
        facts = {
            "size": known.size,
            "read with": f"--data {known.source}:PATH",
            "licence": known.licence,
            "citation": known.citation,
            "page": known.page,
            "to get it": known.access,
            "checksum": checksum,
            "reader tested on": known.tested,
        }
        typer.echo(f"{name}: {known.title}")
        typer.echo("".join(f"    {key}: {value}\n" for key, value in facts.items()))


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="A name of `sonoseg data list`.")],
    to: Annotated[Path, typer.Option(help="Folder for the set.")],
) -> None:
    """Download a set where its licence allows it; else say where it is and what to sign. Goes on after a stop."""
    need_data()
    from sonoseg.cli.progress import Bar
    from sonoseg.data.sets.download import get as download

    bar = Bar(f"downloading {name}")
    with stoppable("the same command goes on from there"):
        folder = download(name, to, lambda done, of: bar.step(done, of or done + 1))
    typer.echo(f"set: {folder}")


@app.command("convert")
def convert(
    source: Source,
    to: Annotated[str, typer.Option(help="nnunet or coco.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Write a set in the layout of nnU-Net or COCO, its folds with it; --data nnunet:PATH and coco:FILE read them."""
    need_data()
    from sonoseg.cli.progress import Bar
    from sonoseg.data.sets.sources import WRITERS, open_set

    if to not in WRITERS:
        raise UserError(f"--to is {to!r}; {', '.join(WRITERS)} are allowed", hint="--to nnunet")
    WRITERS[to](open_set(source), out, Bar("converting").step)
    typer.echo(f"written: {out}")
    if to == "nnunet":
        typer.echo(
            f"its folds: copy {out / 'splits_final.json'} to nnUNet_preprocessed/{out.name}, or it makes its own"
        )


@app.command("pack")
def pack(
    source: Source,
    out: Annotated[Path, typer.Option(help="The file to write; it ends with .npz.")],
    size: Annotated[int, typer.Option(help="Side of the network's frame in pixels.")] = 128,
    crops: Annotated[int, typer.Option(min=0, help="Crops without a lesion to cut beside those of an image.")] = 0,
) -> None:
    """Write a set as one file: --data packed:FILE trains on it anywhere, and is judged at the images' own sizes."""
    need_data()
    need_file(out)
    from sonoseg.cli.progress import Bar
    from sonoseg.data.formats.packed import to_packed
    from sonoseg.data.sets.sources import open_set

    with stoppable(*NOTHING_KEPT):
        checksum = to_packed(open_set(source), out, size, crops, Bar("packing").step)
    typer.echo(f"packed: {out}, {out.stat().st_size / 1e6:.1f} MB, checksum {checksum}")
    typer.echo("it holds the images: the licence of the set goes with it")
