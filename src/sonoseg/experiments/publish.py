"""A cross-validation and a network trained on everything -> the model file that is shipped, with its scores inside."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sonoseg.data import folds
from sonoseg.data.crops import crops_of
from sonoseg.data.samples import DataSet
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation import calibration, judging, presence
from sonoseg.evaluation.cases import Case, read_cases, table
from sonoseg.evaluation.judging import Candidate, Evaluation
from sonoseg.evaluation.summary import CALIBRATION, CASES, SUMMARY, lesion_dice, sum_up, write_tables
from sonoseg.experiments import labels
from sonoseg.experiments.plan import CELLS
from sonoseg.experiments.rules import RULE, Rule, Trial, attempt, choose, told
from sonoseg.files import write_bytes, write_csv, write_json
from sonoseg.learning.config import CONFIG, Config, read_config
from sonoseg.learning.export import export
from sonoseg.learning.networks.encoders import with_origin
from sonoseg.learning.run import of_run
from sonoseg.prediction import modelfile, onnxfile
from sonoseg.prediction.predictor import Prediction

CALIBRATED = ("ece_interval", "per_image")
"""Entries of a summary's calibration that the record tells, where they are there."""

COMPARED = 60
"""Images of the set, about, that torch and the exported file are compared on."""

LICENCE = "MIT"
"""Of the weights that are shipped; the data's own licences stand beside the data in ``trained_on``."""

SPECKS = "specks.csv"

KEPT = ("specks", "presence", "elsewhere", "silence")
"""What only ``publish`` can tell of a recipe, and scores told anew keep."""


@dataclass(frozen=True)
class Elsewhere:
    """What a recipe is judged on beside its own set.

    others: further sets; a cell that held out a fold of one is judged on that fold. alone: runs of the same recipe on
    one set each, judged on all of every set that they saw nothing of.
    """

    others: Sequence[DataSet] = ()
    alone: Sequence[Path] = ()


def publish(
    final: Path,
    cross_validation: Path,
    data: DataSet,
    out: Path,
    results: Path,
    mirrored: bool = False,
    noise: Path | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Score a recipe, choose its rule, and write the network trained on everything as a model file.

    final: a run with fold -1. cross_validation: what `sonoseg benchmark` left, with a cell of the same settings for
    every fold. results: folder for ``cases.csv``, ``summary.json`` and ``specks.csv``, and one for each set
    ``elsewhere``. mirrored: as in ``Predictor``, for the scores and the file. noise: the folder that `sonoseg measure
    labels` wrote of the set. Gives the largest difference of a probability from torch.
    Errors: ``UserError`` where a fold is missing or was trained by another recipe.
    """
    elsewhere = elsewhere or Elsewhere()
    config, of_labels = read_config(final / CONFIG), _noise(noise)
    candidates = [_with(of_run(cell), mirrored=mirrored) for cell in _cells(config, cross_validation, data)]
    trials = [trial for candidate in candidates for trial in _try(candidate, data, progress)]
    by_fold = {fold: choose([trial for trial in trials if trial.fold != fold]) for fold in data.folds.numbers}
    rule = choose(trials)
    ruled = [_with(candidate, **by_fold[candidate.fold]) for candidate in candidates]
    found = sum((judging.judge(_heard(candidate), data, progress) for candidate in ruled), Evaluation())
    cases = [case.silenced(by_fold[case.fold]["least_presence"]) for case in found.cases]
    tried = told(trials)
    write_tables(results, cases, found.counts, {})
    cases = read_cases(results / CASES)  # as everybody reads them, so that the summary can be made again
    summary = sum_up(cases, calibration.read(results / CALIBRATION))
    write_json(results / SUMMARY, summary)
    of_presence = {"presence": presence.summarise(table(found.cases))} if config.presence else {}
    write_csv(results / SPECKS, (*Rule.__annotations__, "dice", "drawn"), tried)
    near = [row for row in tried if sum(row[name] != value for name, value in rule.items()) <= 1]
    specks = {"rule": RULE, "tried": near, "by_fold": {str(fold): of_fold for fold, of_fold in by_fold.items()}}
    others = _judge_elsewhere(ruled, data, elsewhere, rule, mirrored, results, progress)
    silence = {data.name: _on_images_without(ruled, data)} | {
        other.name: _on_images_without(ruled, other) for other in elsewhere.others
    }
    scores = scores_of(cases, summary, data) | of_presence | {"specks": specks, "elsewhere": others, "silence": silence}
    extra = {**rule, "mirrored": mirrored, "scores": scores | of_labels, "licence": LICENCE}
    return export(final, out, out.stem, extra, data.samples[:: max(1, len(data.samples) // COMPARED)])


def _heard(candidate: Candidate) -> Candidate:
    """The candidate without its rule of silence: its rows then tell what any other threshold of presence leaves."""
    return _with(candidate, least_presence=0.0)


def _judge_elsewhere(
    ruled: Sequence[Candidate],
    data: DataSet,
    elsewhere: Elsewhere,
    rule: Rule,
    mirrored: bool,
    results: Path,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    """Figures on further sets: by the cells that held out a fold of them, and by networks that saw none of them."""
    rows = []
    for other in elsewhere.others:
        holders = {fold: candidate for candidate in reversed(ruled) if (fold := held_out(candidate, other)) is not None}
        if holders:
            found = sum((judging.judge(holders[fold], other, progress) for fold in sorted(holders)), Evaluation())
            rows.append(_scored(found, other, holders[min(holders)], results / f"on-{other.name}"))
    alone = [_with(of_run(run), mirrored=mirrored, **rule) for run in elsewhere.alone]
    for run, candidate in zip(elsewhere.alone, alone, strict=True):
        epochs = {"epochs": read_config(run / CONFIG).epochs}
        for other in (data, *elsewhere.others):
            if other.name not in seen_by(candidate):
                found = judging.judge(candidate, other, progress)
                place = results / f"on-{other.name}-from-{'-and-'.join(seen_by(candidate))}"
                rows.append(_scored(found, other, candidate, place) | epochs)
    return rows


def seen_by(candidate: Candidate) -> list[str]:
    """Names of the sets that a candidate was trained on."""
    return [candidate.trained_on["set"], *(other["set"] for other in candidate.trained_on.get("also", ()))]


def held_out(candidate: Candidate, data: DataSet) -> int | None:
    """The fold of a further set that a candidate held out; None where it held out none, or saw none of the set."""
    folds = {other["set"]: other.get("fold", -1) for other in candidate.trained_on.get("also", ())}
    return fold if (fold := folds.get(data.name, -1)) >= 0 else None


def _scored(found: Evaluation, data: DataSet, candidate: Candidate, folder: Path) -> dict[str, Any]:
    summary = sum_up(found.cases, found.counts)
    write_tables(folder, found.cases, found.counts, summary)
    (entry,) = summary["models"].values()
    figures = {name: entry[name] for name in ("lesion", "normal", "diameter", "presence") if name in entry}
    return {"set": data.name, "trained_on": seen_by(candidate), "folds": entry["folds"], **figures}


def _on_images_without(ruled: Sequence[Candidate], data: DataSet) -> dict[str, Any]:
    """How often the cells draw where there is nothing: on the normals that each was trained on, and on what lies beside
    the lesions of the images that it held out, which no network was trained on."""
    trained: list[Prediction] = []
    cut: list[Prediction] = []
    for candidate in ruled:
        home = candidate.trained_on["set"] == data.name
        fold = candidate.fold if home else held_out(candidate, data)
        if fold is None:
            continue
        parts = split(data, fold)
        normals = [sample.read()[0] for sample in parts.training if sample.label == "normal"]
        crops = [crop for sample in parts.test for crop in crops_of(sample)]
        for images, into in ((normals, trained), (crops, cut)):
            for start in range(0, len(images), judging.BATCH):
                into += candidate.predictor.predict_batch(images[start : start + judging.BATCH])
    return {
        name: {"n": len(these), "drawn": round(float(np.mean([each.mask.any() for each in these])), 6)}
        for name, these in (("training_normals", trained), ("crops", cut))
        if these
    }


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
    if missing := [str(fold) for fold in data.folds.numbers if fold not in found]:
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
        trials.append(attempt(candidate.fold, found.mask, found.probability, truth, found.presence))
        if progress:
            progress(len(trials), len(samples))
    return trials


def _with(candidate: Candidate, **changes: Any) -> Candidate:
    """The candidate with another setting of its predictor."""
    return replace(candidate, predictor=replace(candidate.predictor, **changes))


def scores_of(cases: Sequence[Case], summary: Mapping[str, Any], data: DataSet) -> dict[str, Any]:
    """What a model file tells of the cross-validation of its recipe. cases, summary: of one model."""
    (model,) = summary["models"]
    found, calibrated = summary["models"][model], summary["calibration"][model]
    classes = sorted({case.label for case in cases if case.has_lesion})
    return {
        "set": data.name,
        "folds": data.folds.count,
        "folds_sha256": folds.checksum(data.folds),
        **{
            key: found[key]
            for key in ("lesion", "normal", "detection", "presence", "diameter", "kept_of_all")
            if key in found
        },
        "drawn_rule": summary["drawn_rule"],
        "calibration_error": calibrated["ece"],
        **{f"calibration_{name.removeprefix('ece_')}": calibrated[name] for name in CALIBRATED if name in calibrated},
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
    kept = {name: stands[name] for name in KEPT if name in stands}
    record["scores"] = found | kept | _noise(noise)
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
