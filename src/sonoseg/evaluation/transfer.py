"""What a figure loses on the way from the set that a network was trained on to another one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, average_by_image, plain, read_cases
from sonoseg.evaluation.intervals import Interval, bootstrap_apart, bootstrap_mean
from sonoseg.evaluation.judging import CASES, SUMMARY


def home_cases(where: Path) -> list[Case]:
    """The table of the figures at home: in a folder of a run or a benchmark, or named itself or by its summary.

    Errors: ``UserError`` where there is none.
    """
    if where.is_dir():
        where = where / CASES
    return read_cases(where.with_name(CASES) if where.name == SUMMARY else where)


def drops(home: Sequence[Case], away: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Mean lesion Dice of each model at home and away, and the drop from one to the other, each with its interval.

    The two sets share no image, so each is resampled by itself. Plain data; models that have no rows at home are left
    out. Errors: ``UserError`` where both tables are of the same images.
    """
    if {case["image"] for case in home} == {case["image"] for case in away}:
        raise UserError(
            "the table at home is of the same images as the other set", hint="give the run's own table: --home RUN"
        )
    models = dict.fromkeys(case["model"] for case in away)
    known = {case["model"] for case in home}
    return {model: _drop(_lesions(home, model), _lesions(away, model)) for model in models if model in known}


def sentences(found: dict[str, dict[str, Any]], home: str, away: str) -> list[str]:
    """Say what ``drops`` found, a sentence for each model. home, away: the sets' names."""
    return [
        f"{model}: lesion Dice {_words(of['home'])} at home on {of['home']['n']} images of {home}, "
        f"{_words(of['away'])} on {of['away']['n']} images of {away}; the drop is {_words(of['drop'])}"
        for model, of in found.items()
    ]


def _lesions(cases: Sequence[Case], model: str) -> list[Case]:
    rows = average_by_image([case for case in cases if case["model"] == model])
    return [row for row in rows if row["tp"] + row["fn"] > 0]


def _drop(home: Sequence[Case], away: Sequence[Case]) -> dict[str, Any]:
    first, second = (([row["dice"] for row in rows], [row["group"] for row in rows]) for rows in (home, away))
    found: dict[str, Interval] = {
        "home": bootstrap_mean(*first),
        "away": bootstrap_mean(*second),
        "drop": bootstrap_apart(*first, *second),
    }
    return {name: plain(interval) for name, interval in found.items()}


def _words(interval: dict[str, Any]) -> str:
    if interval["mean"] is None:
        return "undefined"
    between = "" if interval["low"] is None else f" [{interval['low']:.3f}, {interval['high']:.3f}]"
    return f"{interval['mean']:.3f}{between}"
