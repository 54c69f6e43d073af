import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.data.samples import DataSet
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS
from sonoseg.evaluation.given import judge_given
from sonoseg.evaluation.judging import Candidate, evaluate
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Predictor


@pytest.fixture(scope="module")
def data() -> DataSet:
    return open_set("phantom:20")


@pytest.fixture(scope="module")
def truths(data: DataSet) -> dict[str, NDArray[np.bool_]]:
    return {sample.name: sample.read()[1] for sample in data.samples}


def masks_of(folds: Iterable[int], data: DataSet, truths: dict[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    return {name: truths[name] for fold in folds for name in data.folds.test(fold)}


def test_what_our_own_network_answers_scores_as_our_own_network(data: DataSet) -> None:
    predictor = Predictor(lambda frames: 9 * (0.4 - frames), 64)
    ours = evaluate(
        Candidate(predictor, "it", 0, 0, {"set": "other", "digests": []}),
        data,
        [sample for sample in data.samples if sample.name in data.folds.test(0)],
    )

    def probability(image: Image) -> NDArray[np.float32]:
        return predictor.predict(image).probability

    theirs = judge_given(probability, data, [0], "it")
    assert len(ours.cases) == len(theirs.cases) > 2
    for one, other in zip(ours.cases, theirs.cases, strict=True):
        for name in COLUMNS:
            value, expected = getattr(other, name), getattr(one, name)
            assert value == (expected if isinstance(value, str) else pytest.approx(expected, nan_ok=True)), name
    for mine, his in zip(ours.counts, theirs.counts, strict=True):
        assert np.array_equal(mine.found.pixels, his.found.pixels)
        assert np.array_equal(mine.found.lesion, his.found.lesion)


def test_masks_alone_tell_no_probability(data: DataSet, truths: dict[str, NDArray[np.bool_]]) -> None:
    found = judge_given(masks_of([1, 3], data, truths), data, [3, 1], "it", seed=7)
    assert {case.image: case.fold for case in found.cases} == {
        name: fold for fold in (1, 3) for name in data.folds.test(fold)
    }
    assert {case.seed for case in found.cases} == {7}
    assert all(case.dice == 1 for case in found.cases if case.has_lesion)
    assert all(np.isnan([case.study_accuracy, case.confidence, case.presence]).all() for case in found.cases)
    assert found.counts == ()


def test_the_threshold_decides_what_is_drawn(data: DataSet) -> None:
    def drawn(threshold: float) -> list[float]:
        return [case.drawn_pixels for case in judge_given(half, data, [0], "it", 0, threshold).cases]

    def half(image: Image) -> NDArray[np.float32]:
        return np.full(image.shape, 0.5, np.float32)

    assert drawn(0.5) == [case.pixels for case in judge_given(half, data, [0], "it").cases]
    assert set(drawn(0.51)) == {0}
    for wrong in (0.0, 1.01, -1.0):
        with pytest.raises(UserError, match="over 0 and up to 1 is allowed"):
            drawn(wrong)


def test_a_missing_answer_is_refused_by_name_and_told_which_folds_were_meant(
    data: DataSet, truths: dict[str, NDArray[np.bool_]]
) -> None:
    given = masks_of([0, 2], data, truths)
    with pytest.raises(UserError, match=r"nothing is given for \d+ of the 20 images of folds 0, 1, 2, 3, 4") as caught:
        judge_given(given, data, range(5), "it")
    assert caught.value.hint == "--folds 0,2"
    first = next(iter(given))
    del given[first]
    with pytest.raises(
        UserError, match=rf"is given for 1 of .* the first is {re.escape(first)}; a missing answer is never skipped"
    ):
        judge_given(given, data, [0, 2], "it")


def test_a_surplus_answer_is_refused_by_name(data: DataSet, truths: dict[str, NDArray[np.bool_]]) -> None:
    with pytest.raises(UserError, match=r"\d answers are of no image of fold 0, the first, .*, is of fold 4") as caught:
        judge_given(masks_of([0, 4], data, truths), data, [0], "it")
    assert caught.value.hint == "--folds 0,4"
    dropped = next(row.image for row in data.folds.rows if row.fold == 1)
    rows = tuple(replace(row, fold=None) if row.image == dropped else row for row in data.folds.rows)
    without = replace(data, folds=replace(data.folds, rows=rows))
    with pytest.raises(
        UserError, match=f"1 answer is of no image of .*, the first, {re.escape(dropped)}, is in no fold\n"
    ):
        judge_given(truths, without, range(5), "it")


def test_a_fold_of_another_set_is_refused(data: DataSet, truths: dict[str, NDArray[np.bool_]]) -> None:
    with pytest.raises(UserError, match="fold 5 does not exist"):
        judge_given(truths, data, [5], "it")
