"""Masks and maps of somebody else's network on the folds of a set: the same rows as of our own networks."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.folds import EXCLUDED, Folds
from sonoseg.data.predicted import Answered, Given, Read, open_predicted
from sonoseg.data.samples import DataSet, Sample
from sonoseg.errors import UserError
from sonoseg.evaluation.judging import Answer, Evaluation, Judging, Run, measure_all
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import confidence

THRESHOLD = 0.5
"""Probabilities at or above it are lesion, and so are COCO's detections of such a score."""


def judge_given(
    given: Given,
    data: DataSet,
    folds: Collection[int],
    name: str,
    seed: int = 0,
    threshold: float = THRESHOLD,
    progress: Judging | None = None,
) -> Evaluation:
    """Measure what was given for the images of some folds; each row has the fold that its image lies in.

    Errors: ``UserError`` for a fold that does not exist, a threshold outside (0, 1], an image that nothing was given
    for, an answer for another image, and those of ``open_predicted`` and of its readers.
    """
    if not 0 < threshold <= 1:
        raise UserError(f"the threshold is {threshold:g}; over 0 and up to 1 is allowed", hint="--threshold 0.5")
    wanted = [image for fold in sorted(set(folds)) for image in data.folds.test(fold)]
    reads = open_predicted(given, data, wanted, threshold)
    _check_names(reads, wanted, data.folds, sorted(set(folds)))
    fold_of = {image: fold for fold in folds for image in data.folds.test(fold)}

    def answers(part: Sequence[Sample], images: Sequence[Image]) -> list[Answer]:
        return [_answer(reads[sample.name](image), threshold) for sample, image in zip(part, images, strict=True)]

    def run_of(sample: Sample) -> Run:
        return name, fold_of[sample.name], seed

    samples = [sample for sample in data.samples if sample.name in fold_of]
    return measure_all(samples, data, answers, run_of, progress)


def mask_of(values: Answered, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """What is drawn, ``bool (H, W)``: a mask as it is, a map where it reaches the threshold."""
    return np.asarray(values if values.dtype == bool else values >= threshold, bool)


def _answer(values: Answered, threshold: float) -> Answer:
    drawn = mask_of(values, threshold)
    if values.dtype == bool:
        return Answer(drawn)
    probability = np.asarray(values, np.float32)
    return Answer(drawn, probability, confidence(probability, drawn))


def _check_names(reads: Mapping[str, Read], wanted: Sequence[str], folds: Folds, asked: Sequence[int]) -> None:
    where = f"fold{'s' if len(asked) > 1 else ''} {', '.join(map(str, asked))}"
    if missing := [name for name in wanted if name not in reads]:
        raise UserError(
            f"nothing is given for {len(missing)} of the {len(wanted)} images of {where}, the first is {missing[0]}; "
            "a missing answer is never skipped",
            hint=_meant(reads, folds) or "add it; where nothing was found the mask is empty",
        )
    if surplus := sorted(reads.keys() - set(wanted), key=list(folds.groups).index):
        row = next(row for row in folds.rows if row.image == surplus[0])
        why = " (its label contradicts that of a copy)" if EXCLUDED in row.flags else ""
        lies = f"is in no fold{why}" if row.fold is None else f"is of fold {row.fold}"
        raise UserError(
            f"{len(surplus)} answer{'s are' if len(surplus) > 1 else ' is'} of no image of {where}, the first, "
            f"{surplus[0]}, {lies}",
            hint=_meant(reads, folds) or "take them away",
        )


def _meant(names: Collection[str], folds: Folds) -> str:
    """The folds whose images the names are, all of them and no others, as they are asked for; else empty."""
    held = {fold: set(folds.test(fold)) for fold in folds.numbers}
    whole = [fold for fold, images in held.items() if images <= set(names)]
    if not whole or set().union(*(held[fold] for fold in whole)) != set(names):
        return ""
    return f"--folds {','.join(map(str, whole))}"
