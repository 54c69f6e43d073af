"""A network and the images that it is judged on: at home the fold that it never saw, elsewhere the whole set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoseg.data.folds import Folds
from sonoseg.data.samples import DataSet, Sample
from sonoseg.data.splits import scored, split
from sonoseg.errors import UserError
from sonoseg.evaluation import breakdown, calibration
from sonoseg.evaluation.calibration import Reliability
from sonoseg.evaluation.cases import Case, Evaluation, evaluate, plain_number, summarise, write_cases
from sonoseg.files import write_json
from sonoseg.images.marks import marks
from sonoseg.prediction import modelfile
from sonoseg.prediction.predictor import Predictor

CASES, SUMMARY, CALIBRATION = "cases.csv", "summary.json", "calibration.csv"

CERTAIN = 0.8
"""Share of the images that is kept in ``dice_of_most_certain``; the least certain rest is set aside for a person."""

Counts = Sequence[tuple[Mapping[str, Any], Reliability]]
"""Counts of bands, each with its model, fold and seed."""


@dataclass(frozen=True)
class Candidate:
    """A network that is to be judged, from a run or from a model file.

    model, fold, seed: what its rows are called by. trained_on: what its record says of that: ``set``, ``fold`` (-1: all
    of it), ``digests`` and, where there are any, ``also``: sets, with the ``fold`` that was held out, if one was.
    folds: those of its run, None where nothing tells them.
    """

    predictor: Predictor
    model: str
    fold: int
    seed: int
    trained_on: Mapping[str, Any]
    folds: Folds | None = None


def of_model(name: str | Path) -> Candidate:
    """Load the candidate in a model file; its rows are called by its name. Errors: as ``modelfile.load``."""
    predictor = modelfile.load(name)
    trained_on = predictor.model.record["trained_on"]
    fold = int(trained_on.get("fold", -1))
    seed = int(predictor.model.record["provenance"].get("settings", {}).get("seed", 0))
    return Candidate(predictor, predictor.model.name, fold, seed, trained_on)


def at_home(candidate: Candidate, data: DataSet) -> bool:
    """Whether a set is the one that the candidate was trained on: the same name and, where they are told, folds."""
    return candidate.trained_on.get("set") == data.name and candidate.folds in (None, data.folds)


def chosen(candidate: Candidate, data: DataSet) -> tuple[Sample, ...]:
    """The samples that a candidate may be judged on: the fold of a set that it held out, or all scored ones of another.

    Errors: ``UserError`` where it was trained on all of the set.
    """
    folds = {other["set"]: int(other.get("fold", -1)) for other in candidate.trained_on.get("also", ())}
    if at_home(candidate, data):
        folds[data.name] = candidate.trained_on["fold"]
    if folds.get(data.name, 0) < 0:
        raise UserError(
            f"{candidate.model} was trained on the whole of {data.name}; no image of it is left to judge it on",
            hint="judge it on another set; sonoseg data list names some",
        )
    return split(data, folds[data.name]).test if data.name in folds else scored(data)


def judge(
    candidate: Candidate,
    data: DataSet,
    progress: Callable[[int, int], None] | None = None,
    copies_allowed: bool = False,
) -> Evaluation:
    """Measure a candidate on the images that it may be judged on.

    copies_allowed: only for measuring what leakage does; then an image may be there whose copy was trained on.
    Errors: ``UserError`` as ``chosen``, and where an image was seen in training.
    """
    digests = () if copies_allowed else candidate.trained_on["digests"]
    samples = chosen(candidate, data)
    return evaluate(
        candidate.predictor, data, samples, candidate.model, candidate.fold, candidate.seed, digests, progress, marks
    )


def counted(candidate: Candidate, evaluation: Evaluation) -> tuple[dict[str, Any], Reliability]:
    """The entry of ``Counts`` of a candidate's evaluation."""
    keys = {"model": candidate.model, "fold": candidate.fold, "seed": candidate.seed}
    return keys, evaluation.reliability


def sum_up(cases: Sequence[Case], counts: Counts) -> dict[str, Any]:
    """``evaluation.summarise``, and what follows from several seeds, from confidence and from the bands.

    Plain data. ``calibration`` has the models that ``counts`` has; ``seeds`` stands where a model has several, and
    ``dice_of_most_certain`` where the cases tell confidence.
    """
    summary = summarise(cases)
    scores, by_seed = breakdown.lesion_scores(cases), breakdown.by_seed(cases)
    for index, (model, values) in enumerate(summary["models"].items()):
        kept = breakdown.kept_dice(scores.dice[:, index], scores.confidence[:, index], CERTAIN)
        values["dice_of_most_certain"] = {"share": CERTAIN, "mean": plain_number(kept)}
        if len(means := by_seed.get(model, {})) > 1:
            spread = {name: plain_number(value) for name, value in vars(breakdown.seed_spread(means)).items()}
            values["seeds"] = spread | {"dice": {str(seed): plain_number(mean) for seed, mean in means.items()}}
    by_model: dict[str, list[Reliability]] = {}
    for keys, reliability in counts:
        by_model.setdefault(keys["model"], []).append(reliability)
    if by_model:
        summary["calibration"] = {model: calibration.summarise(found) for model, found in by_model.items()}
    return summary


def write_tables(folder: Path, cases: Sequence[Case], counts: Counts, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, ``calibration.csv`` and, last, ``cases.csv``: where it stands, all of them do."""
    write_json(folder / SUMMARY, summary)
    calibration.write(folder / CALIBRATION, counts)
    write_cases(folder / CASES, cases)
