"""What a figure loses on the way from the set that a network was trained on to another one."""

from collections.abc import Sequence
from typing import Any

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, Table, by_model, table
from sonoseg.evaluation.intervals import bootstrap_apart, bootstrap_mean, plain


def drops(home: Sequence[Case], away: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Mean lesion Dice of each model at home and away, and the drop from one to the other, each with its interval.

    The two sets share no image, so each is resampled by itself. Plain data; models that have no rows at home are left
    out. Errors: ``UserError`` where both tables are of the same images.
    """
    if {case.image for case in home} == {case.image for case in away}:
        raise UserError(
            "the table at home is of the same images as the other set", hint="give the run's own table: --home RUN"
        )
    at_home, abroad = (
        {model: table(rows) for model, rows in by_model(case for case in cases if case.has_lesion).items()}
        for cases in (home, away)
    )
    return {model: _drop(at_home[model], found) for model, found in abroad.items() if model in at_home}


def _drop(home: Table, away: Table) -> dict[str, Any]:
    first, second = ((found.column("dice"), found.groups) for found in (home, away))
    found = {
        "home": bootstrap_mean(*first),
        "away": bootstrap_mean(*second),
        "drop": bootstrap_apart(*first, *second),
    }
    return {name: plain(interval) for name, interval in found.items()}
