"""Masks or maps of any network -> tables, page and the form of an entry; needs no torch."""

import operator
import platform
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from sonoseg import __version__
from sonoseg.data import folds as tables
from sonoseg.data.predicted import Given, open_predicted
from sonoseg.data.samples import DataSet
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import NOTHING, Case
from sonoseg.evaluation.entries import ENTRY, FOLDS, write_template
from sonoseg.evaluation.given import THRESHOLD, judge_given, mask_of
from sonoseg.evaluation.judging import Evaluation, Judging
from sonoseg.evaluation.references import reference_of
from sonoseg.evaluation.summary import of_set, sum_up, write_tables
from sonoseg.files import write_text
from sonoseg.reports.benchmark import page

REPORT = "report.html"

_OTHERS = ("cells", "config.toml")
"""What only a benchmark's or a run's folder holds."""


def score(
    given: Given | Sequence[Given],
    data: DataSet,
    folds: int | Collection[int] | None = None,
    name: str = "mine",
    seeds: int | Sequence[int] = (0,),
    threshold: float = THRESHOLD,
    reference: str = "",
    out: Path | str | None = None,
    pictures: bool = True,
    progress: Judging | None = None,
    command: str = "",
) -> dict[str, Any]:
    """Judge the masks or maps of any network on the folds that it held out; gives what ``summary.json`` holds.

    given: a folder of masks or maps, a file of COCO results, arrays by the name of the image, or a function of an
    ``Image``; an array is ``bool (H, W)``, or probabilities of lesion, float ``(H, W)``, of the image's own size. With
    several ``seeds`` as many others, in their order. folds: those that the images are of, all if left out; every image
    of them must be there and no other. threshold: probabilities at or above it are lesion. reference: an entry to
    compare with image by image, PATH or PATH:MODEL. out: a folder for ``cases.csv``, ``calibration.csv``,
    ``summary.json``, ``folds.csv``, ``report.html`` and, where there is none yet, ``entry.toml`` to be filled in.
    Errors: ``UserError`` as ``judge_given`` and ``reference_of``, and where ``entry.toml`` there tells another network,
    other folds or seeds; then nothing is written.
    """
    places = cast(Sequence[Given], given if isinstance(given, list | tuple) else [given])
    chosen = data.folds.numbers if folds is None else sorted(set(_numbers("folds", folds)))
    seeds = _numbers("seeds", seeds)
    folder = Path(out) if out is not None else None
    _check(data, chosen, name, seeds, places, folder)
    if folder is not None and (folder / ENTRY).is_file():
        _check_form(folder / ENTRY, {"name": name, "folds": chosen, "seeds": seeds})
    found = Evaluation()
    for seed, each in zip(seeds, places, strict=True):
        found += judge_given(each, data, chosen, name, seed, threshold, progress)
    cases = [*found.cases, *(reference_of(reference, found.cases) if reference else ())]
    summary = sum_up(cases, found.counts) | _circumstances(data, chosen, seeds, command)
    summary["given"] = {"model": name, "threshold": threshold}
    if folder is not None:
        gallery = _gallery(places[0], data, cases, summary, threshold, name) if pictures else []
        written = page.page(summary, cases, {}, gallery)
        tables.write(folder / FOLDS, data.folds)
        write_text(folder / REPORT, written)
        if not (folder / ENTRY).exists():
            write_template(folder / ENTRY, name, data.name, data.folds, chosen, seeds)
        write_tables(folder, cases, found.counts, summary)
    return summary


def _numbers(what: str, given: int | Iterable[int]) -> list[int]:
    """The folds or seeds that were given, one or several. Errors: ``UserError`` for none and for other things."""
    try:
        found = [operator.index(each) for each in (given if isinstance(given, Iterable) else [given])]
    except TypeError:
        found = []
    if not found or min(found) < 0:
        raise UserError(f"{what}: whole numbers from 0 are needed, not {given!r}", hint=f"give {what} such as 0, 1")
    return found


def _check(
    data: DataSet, folds: Sequence[int], name: str, seeds: Sequence[int], places: Sequence[Given], folder: Path | None
) -> None:
    if not folds:
        raise UserError(f"no image of {data.spec} is in a fold", hint="make folds with: sonoseg data folds")
    if len(set(seeds)) != len(seeds) or len(seeds) != len(places):
        raise UserError(
            f"{len(places)} sets of masks are given and the seeds {', '.join(map(str, seeds))}; a different seed for "
            "each is needed",
            hint="--seeds 0,1 for two",
        )
    paths = [Path(each).resolve() for each in places if isinstance(each, str | Path)]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UserError(f"{twice} is given twice; each seed has masks of its own", hint="give each folder once")
    if name.strip() == NOTHING:
        raise UserError(f"the name is {name!r}, as a row of every page is called", hint="--name unet-large")
    if not name.strip() or not name.isprintable() or ":" in name:
        raise UserError(f"the name is {name!r}; one line of text without a colon is needed", hint="--name unet-large")
    if folder is not None and (taken := next((each for each in _OTHERS if (folder / each).exists()), None)):
        raise UserError(f"{folder} holds {taken}: a benchmark or a run of our own", hint="give another --out")


def _check_form(form: Path, scored: Mapping[str, str | Sequence[int]]) -> None:
    """Refuse a form, filled in or not, that tells otherwise what is scored now; one that tells nothing may stay."""
    try:
        content = tomllib.loads(form.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return
    told = content | {"name": content.get("model") or content.get("name")}
    for what, now in scored.items():
        stands, new = _in_words(told.get(what) or now), _in_words(now)
        if stands != new:
            raise UserError(
                f"{form} tells {what} {stands}; scored now: {new}", hint="give another --out, or take the form away"
            )


def _in_words(value: Any) -> str:
    """A name as it is; numbers in order."""
    each = value if isinstance(value, list | tuple) else [value]
    return ", ".join(sorted(map(str, each), key=lambda text: (len(text), text)))


def _circumstances(data: DataSet, folds: Sequence[int], seeds: Sequence[int], command: str) -> dict[str, Any]:
    return {
        "data": of_set(data),
        "settings": {},
        "folds": list(folds),
        "seeds": list(seeds),
        "versions": {"sonoseg": __version__, "python": platform.python_version()}
        | {library: metadata.version(library) for library in ("numpy", "scipy", "pillow")},
        "command": command or "sonoseg.score",
    }


def _gallery(
    given: Given, data: DataSet, cases: Sequence[Case], summary: Mapping[str, Any], threshold: float, name: str
) -> list[page.Shown]:
    """The images that the summary names, with what was given for them; of the first seed."""
    named = {each["image"] for picked in summary["picked"].values() for each in picked}
    reads = open_predicted(given, data, named, threshold)
    shown = []
    for sample in data.samples:
        if sample.name in named:
            case = next(case for case in cases if case.image == sample.name and case.model == name)
            image, truth = sample.read()
            drawn = mask_of(reads[sample.name](image), threshold)
            shown.append(page.Shown(case, image.pixels, truth, drawn))
    return shown
