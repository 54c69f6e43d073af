"""Summary and page made again from the tables that stand: what a later version tells of figures measured earlier."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.evaluation import calibration
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.summary import CALIBRATION, CASES, SUMMARY, sum_up
from sonoseg.experiments.histories import learning, lines_of
from sonoseg.experiments.plan import CELLS, REPORT
from sonoseg.files import write_json
from sonoseg.learning.config import HISTORY
from sonoseg.reports.benchmark import page

STAYS = (
    "data", "settings", "arms", "folds", "seeds", "judged", "given", "external", "versions", "machine", "command",
)  # fmt: skip
"""Of a summary: what its tables do not tell."""
STAYS_OF_MODEL = ("parameters", "multiply_adds", "train_seconds", "images_per_second", "machines", "learning")
"""Of a model in it: what it cost, and how it learned where no history stands."""


def rebuild(folder: Path) -> dict[str, Any]:
    """Write ``summary.json`` anew from ``cases.csv`` and ``calibration.csv``, and the page where there was one.

    What follows from neither stays as it was told (``STAYS``, ``STAYS_OF_MODEL``). The page has no pictures. Gives the
    summary.
    Errors: ``UserError`` for a folder that has no summary or a damaged one, a table of other models, folds or seeds
    than it tells, and those of ``read_cases``.
    """
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder} has no {SUMMARY}", hint="give a folder that a benchmark or an evaluation wrote")
    stands = _told(folder / SUMMARY)
    cases = read_cases(folder / CASES)
    counts = calibration.read(folder / CALIBRATION) if (folder / CALIBRATION).is_file() else []
    _check_same(folder, stands, cases)
    made, histories = sum_up(cases, counts), _histories(folder, cases)
    for model, entry in stands["models"].items():
        made["models"][model] |= {name: value for name, value in entry.items() if name in STAYS_OF_MODEL}
        if own := [history for name, history in histories.items() if name.startswith(f"{model} fold ")]:
            made["models"][model]["learning"] = learning(own)
    summary = made | {name: value for name, value in stands.items() if name in STAYS}
    write_json(folder / SUMMARY, summary)
    if (folder / REPORT).is_file():
        page.write(folder / REPORT, summary, cases, histories)
    return summary


def _check_same(folder: Path, stands: Mapping[str, Any], cases: Sequence[Case]) -> None:
    told: dict[str, tuple[Sequence[Any] | None, set[Any]]] = {
        "models": (list(stands["models"]), {case.model for case in cases}),
        "folds": (stands.get("folds"), {case.fold for case in cases}),
        "seeds": (stands.get("seeds"), {case.seed for case in cases}),
    }
    for what, (named, found) in told.items():
        if named is not None and set(named) != found:
            here, there = (", ".join(sorted(map(str, each))) or "none" for each in (found, named))
            raise UserError(
                f"{folder / CASES} has the {what} {here}; {SUMMARY} tells {there}", hint="evaluate or score again"
            )


def _told(path: Path) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        models = summary["models"].values()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged, or no summary ({type(error).__name__})", hint="evaluate again") from error
    if not all(isinstance(entry, dict) for entry in models):
        raise UserError(f"{path} is damaged: its models are no tables", hint="evaluate again")
    return dict(summary)


def _histories(folder: Path, cases: list[Case]) -> dict[str, list[dict[str, float]]]:
    """The history of each cell that has one, by the cell's name."""
    found = {}
    for model, fold, seed in dict.fromkeys((case.model, case.fold, case.seed) for case in cases):
        name = f"{model} fold {fold} seed {seed}"
        history = folder / CELLS / name.replace(" ", "-") / HISTORY
        if lines := lines_of(history):
            found[name] = lines
    return found
