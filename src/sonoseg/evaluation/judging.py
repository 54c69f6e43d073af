"""A network and the images that it is judged on: at home the fold that it never saw, elsewhere the whole set."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.folds import Folds
from sonoseg.data.samples import DataSet, Pair, Sample, digest_of
from sonoseg.data.splits import scored, split
from sonoseg.errors import UserError
from sonoseg.evaluation.calibration import Counted, count
from sonoseg.evaluation.cases import Case
from sonoseg.evaluation.metrics import measure
from sonoseg.evaluation.sizes import longest
from sonoseg.images.image import Image
from sonoseg.images.marks import marks
from sonoseg.prediction import modelfile
from sonoseg.prediction.predictor import Prediction, Predictor

BATCH = 16

Judging = Callable[[int, int], None]
"""Told after each batch: images judged, of how many."""

Run = tuple[str, int, int]
"""Model, fold and seed that a row is called by."""


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


@dataclass(frozen=True)
class Evaluation:
    """What judging gives: a row for each image, in order, and the count of the band around each outline."""

    cases: tuple[Case, ...] = ()
    counts: tuple[Counted, ...] = ()

    def __add__(self, other: "Evaluation") -> "Evaluation":
        return Evaluation((*self.cases, *other.cases), (*self.counts, *other.counts))


@dataclass(frozen=True, eq=False)
class Answer:
    """What is judged of one image.

    mask: ``bool (H, W)``. probability: float ``(H, W)`` in [0, 1]; None where a mask is all there is. confidence,
    presence: as of ``Prediction``; NaN where they are not told.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32] | None = None
    confidence: float = math.nan
    presence: float = math.nan


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
    candidate: Candidate, data: DataSet, progress: Judging | None = None, copies_allowed: bool = False
) -> Evaluation:
    """Measure a candidate on the images that it may be judged on.

    copies_allowed: only for measuring what leakage does; then an image may be there whose copy was trained on.
    Errors: ``UserError`` as ``chosen``, and where an image was seen in training.
    """
    samples = chosen(candidate, data)
    if copies_allowed:
        candidate = replace(candidate, trained_on={**candidate.trained_on, "digests": ()})
    return evaluate(candidate, data, samples, progress)


def judge_watched(
    candidate: Candidate, data: DataSet, watched: Sequence[Sample], progress: Judging | None = None
) -> Evaluation:
    """Measure a candidate on the validation part of its run: counted among what it has seen, and not trained on.

    By this recipes are chosen; no figure of theirs is one of a held-out fold.
    """
    own = {digest_of(sample, sample.read()[0]) for sample in watched}
    trained = [digest for digest in candidate.trained_on["digests"] if digest not in own]
    candidate = replace(candidate, trained_on={**candidate.trained_on, "digests": trained})
    return evaluate(candidate, data, watched, progress)


def judge_all(candidates: Sequence[Candidate], data: DataSet, progress: Judging | None = None) -> Evaluation:
    """Judge several networks of one recipe on another set, or one network anywhere; their rows together.

    Errors: ``UserError`` as ``judge``, and for several at home: there each fold is judged by the network that held it
    out, and what trained them has judged them.
    """
    if len(candidates) > 1 and all(at_home(candidate, data) for candidate in candidates):
        raise UserError(
            f"{len(candidates)} runs were trained on {data.name}, and judged there when they were",
            hint="see summary.json beside their cells; judge them together on another set",
        )
    return sum((judge(candidate, data, progress) for candidate in candidates), Evaluation())


def evaluate(
    candidate: Candidate, data: DataSet, samples: Sequence[Sample], progress: Judging | None = None
) -> Evaluation:
    """Measure every sample at its own size, in order, a row each.

    Errors: ``UserError`` where an image that was trained on is among the samples, and those of ``Sample.read``.
    """
    seen = frozenset(candidate.trained_on["digests"])

    def answers(part: Sequence[Sample], images: Sequence[Image]) -> list[Answer]:
        for sample, image in zip(part, images, strict=True):
            _refuse_seen(sample, digest_of(sample, image) in seen)
        return [_answer(prediction) for prediction in candidate.predictor.predict_batch(images)]

    return measure_all(samples, data, answers, lambda _: (candidate.model, candidate.fold, candidate.seed), progress)


def measure_all(
    samples: Sequence[Sample],
    data: DataSet,
    answers: Callable[[Sequence[Sample], Sequence[Image]], Sequence[Answer]],
    run_of: Callable[[Sample], Run],
    progress: Judging | None = None,
) -> Evaluation:
    """Measure what answers these samples of a set, a batch at a time, in order: whatever network gave it.

    run_of: what the row of a sample is called by. Errors: those of ``Sample.read`` and of ``answers``.
    """
    found = Evaluation()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(samples), BATCH):
            part = samples[start : start + BATCH]
            pairs = list(pool.map(lambda sample: sample.read(), part))
            given = answers(part, [image for image, _ in pairs])
            groups = [data.folds.groups[sample.name] for sample in part]
            found = sum(pool.map(_judged, map(run_of, part), part, groups, pairs, given), found)
            if progress:
                progress(len(found.cases), len(samples))
    return found


def _judged(run: Run, sample: Sample, group: str, pair: Pair, answer: Answer) -> Evaluation:
    """Measure one image: its row, and where it has a lesion and probabilities are told the count of its band."""
    (model, fold, seed), (image, truth) = run, pair
    height, width = image.shape
    case = Case(
        image=sample.name,
        label=sample.label,
        group=group,
        model=model,
        fold=fold,
        seed=seed,
        height=height,
        width=width,
        **measure(answer.mask, truth, answer.probability, image.spacing),
        confidence=answer.confidence,
        marks=int(marks(image) if sample.marks is None else sample.marks),
        presence=answer.presence,
        diameter=longest(answer.mask),
        true_diameter=longest(truth),
    )
    if answer.probability is None or not case.has_lesion:
        return Evaluation((case,))
    found = count(answer.probability, truth)
    return Evaluation((case,), (Counted(model, fold, seed, sample.name, group, found),))


def _answer(prediction: Prediction) -> Answer:
    presence = math.nan if prediction.presence is None else prediction.presence
    return Answer(prediction.mask, prediction.probability, prediction.confidence, presence)


def _refuse_seen(sample: Sample, seen: bool) -> None:
    if seen:
        raise UserError(
            f"{sample.name} was in the training of this model; a figure on images that were seen means nothing",
            hint="evaluate the held-out fold (leave --fold out), or another set",
        )
