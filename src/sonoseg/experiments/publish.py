"""A cross-validation and a network trained on everything -> the model file that is shipped, with its scores inside."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sonoseg.data import folds
from sonoseg.data.samples import DataSet
from sonoseg.errors import UserError
from sonoseg.evaluation import judging
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.judging import Candidate, Evaluation
from sonoseg.evaluation.summary import CASES, SUMMARY, lesion_dice, sum_up, write_tables
from sonoseg.experiments import labels
from sonoseg.experiments.plan import CELLS
from sonoseg.files import write_bytes, write_csv
from sonoseg.learning.config import CONFIG, Config, read_config
from sonoseg.learning.export import export
from sonoseg.learning.networks.encoders import with_origin
from sonoseg.learning.run import of_run
from sonoseg.prediction import modelfile, onnxfile
from sonoseg.prediction.lesions import components, confidences

SHARES = (0.0, 0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01)
"""Shares of the image's area that are tried as the smallest lesion."""

CONFIDENCES = (0.0, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
"""Mean probabilities of a component that are tried as the least confidence."""

LOSS = 0.002
"""Lesion Dice that the rule for specks may cost."""

RULE = (
    f"Of the pairs that were tried, those that cost no more than {LOSS:g} of the best mean lesion Dice; of them the "
    "one that draws on the fewest normals, then the one of the highest Dice."
)

CALIBRATED = ("ece_interval", "per_image")
"""Entries of a summary's calibration that the record tells, where they are there."""

COMPARED = 60
"""Images of the set, about, that torch and the exported file are compared on."""

LICENCE = "MIT"
"""Of the weights that are shipped; the data's own licences stand beside the data in ``trained_on``."""

SPECKS = "specks.csv"


class Rule(TypedDict):
    """What is left out as a speck, as ``Predictor`` has it."""

    smallest_lesion: float
    least_confidence: float


@dataclass(frozen=True)
class Trial:
    """One image under every pair of ``SHARES`` and ``CONFIDENCES``.

    dice: ``float (shares, confidences)``, NaN without a lesion. drawn: the same shape, 0 or 1.
    """

    fold: int
    dice: NDArray[np.float64]
    drawn: NDArray[np.float64]


def publish(
    final: Path,
    cross_validation: Path,
    data: DataSet,
    out: Path,
    results: Path,
    mirrored: bool = False,
    noise: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Score a recipe, choose its rule for specks, and write the network trained on everything as a model file.

    final: a run with fold -1. cross_validation: what `sonoseg benchmark` left, with a cell of the same settings for
    every fold. results: folder for ``cases.csv``, ``summary.json`` and ``specks.csv``. mirrored: as in
    ``Predictor``, for the scores and the file. noise: the folder that `sonoseg measure labels` wrote of the set.
    Gives the largest difference of a probability from torch.
    Errors: ``UserError`` where a fold is missing or was trained by another recipe.
    """
    config = read_config(final / CONFIG)
    candidates = [_with(of_run(cell), mirrored=mirrored) for cell in _cells(config, cross_validation, data)]
    trials = [trial for candidate in candidates for trial in _try(candidate, data, progress)]
    rules = {fold: _choose([trial for trial in trials if trial.fold != fold]) for fold in range(data.folds.count)}
    judged = [judging.judge(_with(candidate, **rules[candidate.fold]), data, progress) for candidate in candidates]
    found = sum(judged, Evaluation())
    summary = sum_up(found.cases, found.counts)
    tried = _tried(trials)
    write_tables(results, found.cases, found.counts, summary)
    write_csv(results / SPECKS, (*Rule.__annotations__, "dice", "drawn"), tried)
    specks = {"rule": RULE, "tried": tried, "by_fold": {str(fold): rule for fold, rule in rules.items()}}
    extra = {
        **_choose(trials),
        "mirrored": mirrored,
        "scores": scores_of(found.cases, summary, data) | {"specks": specks} | _noise(noise),
        "licence": LICENCE,
    }
    return export(final, out, out.stem, extra, data.samples[:: max(1, len(data.samples) // COMPARED)])


def _cells(config: Config, folder: Path, data: DataSet) -> list[Path]:
    """The folders of the cells of all folds in their order, trained by the recipe of ``config``."""
    if config.fold >= 0:
        raise UserError(
            f"the network to publish held out fold {config.fold}; one trained on all is needed", hint="--fold -1"
        )
    found = {}
    for file in sorted((folder / CELLS).glob(f"*/{CONFIG}")):
        cell = read_config(file)
        if not config.changed(replace(cell, fold=-1, also_fold=-1)):
            found[cell.fold] = file.parent
    if missing := [str(fold) for fold in range(data.folds.count) if fold not in found]:
        raise UserError(
            f"{folder} has no cell of this recipe for fold {', '.join(missing)} of {data.name}",
            hint="train them: sonoseg benchmark with the same settings and --folds all",
        )
    return [found[fold] for fold in sorted(found)]


def _try(candidate: Candidate, data: DataSet, progress: Callable[[int, int], None] | None) -> list[Trial]:
    samples = judging.chosen(candidate, data)
    trials = []
    for sample in samples:
        image, truth = sample.read()
        found = candidate.predictor.predict(image)
        trials.append(Trial(candidate.fold, *scores_by_rule(found.mask, found.probability, truth)))
        if progress:
            progress(len(trials), len(samples))
    return trials


def scores_by_rule(
    drawn: NDArray[np.bool_], probability: NDArray[np.float32], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dice (NaN without a lesion) and whether anything is drawn, for each pair of ``SHARES`` and ``CONFIDENCES``.

    drawn: ``bool (H, W)`` before specks are removed. probability: ``float32 (H, W)``. truth: as drawn.
    """
    found = components(drawn)
    overlaps = np.bincount(found.labels[truth], minlength=len(found.sizes) + 1)[1:]
    large = found.sizes >= np.array(SHARES)[:, None] * drawn.size
    clear = confidences(found, probability) >= np.array(CONFIDENCES)[:, None]
    kept = large[:, None] & clear[None]
    extent = int(truth.sum())
    dice: NDArray[np.float64] = 2 * (overlaps * kept).sum(-1) / np.maximum((found.sizes * kept).sum(-1) + extent, 1)
    if not extent:
        dice[:] = np.nan
    return dice, np.asarray(kept.any(-1), np.float64)


def _choose(trials: Sequence[Trial]) -> Rule:
    dice, drawn = _means(trials)
    allowed = np.argwhere(dice >= dice.max() - LOSS)
    share, confidence = min(allowed, key=lambda pair: (0 if drawn is None else drawn[*pair], -dice[*pair]))
    return {"smallest_lesion": SHARES[share], "least_confidence": CONFIDENCES[confidence]}


def _means(trials: Sequence[Trial]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Mean lesion Dice, and the share of normals drawn on, of each pair; None for that without normals."""
    normals = [trial.drawn for trial in trials if np.isnan(trial.dice).all()]
    dice = np.mean([trial.dice for trial in trials if not np.isnan(trial.dice).all()], axis=0)
    return dice, np.mean(normals, axis=0) if normals else None


def _tried(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    dice, drawn = _means(trials)
    return [
        {
            "smallest_lesion": share,
            "least_confidence": confidence,
            "dice": round(float(dice[row, column]), 6),
            "drawn": None if drawn is None else round(float(drawn[row, column]), 6),
        }
        for row, share in enumerate(SHARES)
        for column, confidence in enumerate(CONFIDENCES)
    ]


def _with(candidate: Candidate, **changes: Any) -> Candidate:
    """The candidate with another setting of its predictor."""
    return replace(candidate, predictor=replace(candidate.predictor, **changes))


def scores_of(cases: Sequence[Case], summary: Mapping[str, Any], data: DataSet) -> dict[str, Any]:
    """What a model file tells of the cross-validation of its recipe. cases, summary: of one model."""
    (model,) = summary["models"]
    found, calibration = summary["models"][model], summary["calibration"][model]
    classes = sorted({case.label for case in cases if case.has_lesion})
    return {
        "set": data.name,
        "folds": data.folds.count,
        "folds_sha256": folds.checksum(data.folds),
        **{key: found[key] for key in ("lesion", "normal", "detection")},
        "drawn_rule": summary["drawn_rule"],
        "calibration_error": calibration["ece"],
        **{f"calibration_{name.removeprefix('ece_')}": calibration[name] for name in CALIBRATED if name in calibration},
        "dice_of_most_certain": found["dice_of_most_certain"],
        "study_accuracy": found["all"]["study_accuracy"]["mean"],
        "nothing_study_accuracy": summary["nothing"]["all"]["study_accuracy"]["mean"],
        "dice_by_fold": {
            str(fold): lesion_dice(case for case in cases if case.fold == fold) for fold in found["folds"]
        },
        "dice_by_class": {label: lesion_dice(case for case in cases if case.label == label) for label in classes},
        **_marks(cases),
    }


def rescore(model: Path, results: Path, data: DataSet, noise: Path | None = None) -> None:
    """Tell the scores in a model file's record anew, from the tables that ``publish`` left; the network stays.

    Arguments as of ``publish``. Errors: ``UserError`` as ``modelfile.read_record`` and ``read_cases``, and where the
    tables are of other figures than the record.
    """
    record = modelfile.read_record(model)
    cases, stands = read_cases(results / CASES), record["scores"]
    summary = json.loads((results / SUMMARY).read_text(encoding="utf-8"))
    found = scores_of(cases, summary, data)
    for name in ("set", "folds_sha256"):
        if found[name] != stands[name]:
            raise UserError(f"{model} was scored on another {name} than that of {data.spec}", hint="give its own set")
    if abs(found["lesion"]["dice"]["mean"] - stands["lesion"]["dice"]["mean"]) > 1e-5:
        raise UserError(f"{results} holds the figures of another model than {model}", hint="give its own tables")
    record["scores"] = found | {"specks": stands["specks"]} | _noise(noise)
    record["encoder_weights"] = with_origin(record["encoder_weights"])
    write_bytes(model, onnxfile.seal(model.read_bytes(), record))


def _marks(cases: Sequence[Case]) -> dict[str, Any]:
    """The share of the images that bear burnt-in marks, with a lesion and without; empty where nobody looked."""
    lesion, normal = ([case.marks for case in cases if case.has_lesion is kept] for kept in (True, False))
    if not lesion or not normal or np.isnan([*lesion, *normal]).any():
        return {}
    return {"marks": {"lesion": round(float(np.mean(lesion)), 6), "normal": round(float(np.mean(normal)), 6)}}


def _noise(folder: Path | None) -> dict[str, Any]:
    """How far two outlines of one image agree, as `sonoseg measure labels` found."""
    if folder is None:
        return {}
    told = json.loads((folder / labels.SUMMARY).read_text(encoding="utf-8"))
    return {"label_noise": {name: told[name]["mean"] for name in ("all", "without_worst_group")}}
