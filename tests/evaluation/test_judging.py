import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.data.folds import Folds
from sonoseg.data.samples import DataSet, digest
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS, Case
from sonoseg.evaluation.judging import Candidate, at_home, chosen, evaluate, judge, judge_all, judge_watched, of_model
from sonoseg.evaluation.summary import sum_up
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Prediction, Predictor
from tiny_model import record, write_model


class Oracle(Predictor):
    """Answers from the truth, changed by ``answer``."""

    def __init__(self, data: DataSet, answer: str) -> None:
        super().__init__(lambda images: images, 32)
        self.truth = {digest(image): mask for image, mask in (sample.read() for sample in data.samples)}
        self.answer = answer

    def predict_batch(self, images: list[Image]) -> list[Prediction]:  # type: ignore[override]
        return [self._answer(image, self.truth[digest(image)]) for image in images]

    def _answer(self, image: Image, truth: NDArray[np.bool_]) -> Prediction:
        mask = {"truth": truth, "nothing": np.zeros_like(truth), "all": np.ones_like(truth)}[self.answer]
        return Prediction(image, mask.astype(np.float32), mask)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return open_set("phantom:20")


def candidate(name: str = "phantom", fold: int = 0, **changes: object) -> Candidate:
    trained = {"set": name, "fold": fold, "digests": [], "also": []} | changes
    return Candidate(Predictor(lambda frames: 5 - 10 * frames, 32), "dark", fold, 0, trained)


def test_at_home_the_held_out_fold_and_elsewhere_the_whole_set(data: DataSet) -> None:
    assert [sample.name for sample in chosen(candidate(fold=1), data)] == list(data.folds.test(1))
    assert len(chosen(candidate("busi", fold=1), data)) == 20
    assert len(chosen(candidate("busi", fold=-1), data)) == 20


def test_home_is_told_by_the_folds_where_they_are_known(data: DataSet) -> None:
    assert at_home(candidate(), data)
    assert at_home(replace(candidate(), folds=data.folds), data)
    turned = Folds(tuple(replace(row, fold=(row.fold or 0) + 1) for row in data.folds.rows))
    assert not at_home(replace(candidate(), folds=turned), data)


def test_a_set_that_was_trained_on_as_a_whole_is_refused_by_its_name(data: DataSet) -> None:
    for seen in (candidate(fold=-1), candidate("busi", also=[{"set": "phantom"}])):
        with pytest.raises(UserError, match="trained on the whole of phantom"):
            judge(seen, data)


def test_of_a_set_that_was_trained_on_as_well_the_fold_that_was_held_out_is_left(data: DataSet) -> None:
    seen = candidate("busi", fold=3, also=[{"set": "phantom", "fold": 1}])
    assert [sample.name for sample in chosen(seen, data)] == list(data.folds.test(1))


def test_an_image_that_was_seen_is_refused_unless_leakage_is_what_is_measured(data: DataSet) -> None:
    seen = digest(chosen(candidate(), data)[1].read()[0])
    leaking = candidate(digests=[seen])
    with pytest.raises(UserError, match="was in the training"):
        judge(leaking, data)
    assert len(judge(leaking, data, copies_allowed=True).cases) == len(data.folds.test(0))


def test_what_was_watched_may_be_judged_and_what_was_trained_on_may_not(data: DataSet) -> None:
    own = split(data, 0, validation=0.3)
    digests = [digest(sample.read()[0]) for sample in (*own.training, *own.validation)]
    seen = candidate(digests=digests)
    judged = judge_watched(seen, data, own.validation)
    assert [case.image for case in judged.cases] == [sample.name for sample in own.validation]
    with pytest.raises(UserError, match="was in the training"):
        evaluate(seen, data, own.training)


def test_several_runs_are_judged_together_abroad_and_refused_at_home(data: DataSet) -> None:
    runs = [candidate("busi", fold=fold) for fold in (0, 1)]
    found = judge_all(runs, data)
    assert len(found.cases) == 40
    assert {case.fold for case in found.cases} == {0, 1}
    with pytest.raises(UserError, match="2 runs were trained on phantom"):
        judge_all([candidate(fold=0), candidate(fold=1)], data)
    assert len(judge_all([candidate()], data).cases) == len(data.folds.test(0))


def oracle(data: DataSet, answer: str) -> Candidate:
    return Candidate(Oracle(data, answer), answer, 0, 0, {"set": "other", "digests": []})


def judged(data: DataSet, answer: str) -> list[Case]:
    return list(evaluate(oracle(data, answer), data, data.samples).cases)


def test_a_row_per_image_in_order_and_a_band_per_lesion(data: DataSet) -> None:
    told: list[tuple[int, int]] = []
    found = evaluate(oracle(data, "truth"), data, data.samples, lambda done, of: told.append((done, of)))
    assert [case.image for case in found.cases] == [sample.name for sample in data.samples]
    assert all(case.group == data.folds.groups[case.image] for case in found.cases)
    assert [row.image for row in found.counts] == [case.image for case in found.cases if case.has_lesion]
    assert all(row.found.error == 0 for row in found.counts)
    assert told == [(16, 20), (20, 20)]
    for case, sample in zip(found.cases, data.samples, strict=True):
        assert (case.height, case.width) == sample.read()[0].shape
        assert case.confidence == 1
        assert case.marks in (0, 1)
        assert math.isnan(case.presence)
        assert case.diameter == pytest.approx(case.true_diameter, nan_ok=True)
        assert math.isnan(case.diameter) is not case.has_lesion


def test_a_row_tells_presence_and_silenced_it_is_the_row_of_a_silent_predictor(data: DataSet) -> None:
    def network(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return 9 * (0.4 - frames), frames.mean((1, 2, 3)) * 8 - 1

    def rows(least: float) -> tuple[Case, ...]:
        own = Candidate(Predictor(network, 64, least_presence=least), "m", 0, 0, {"set": "other", "digests": []})
        return evaluate(own, data, data.samples).cases

    loud = rows(0.0)
    least = float(np.median([case.presence for case in loud]))
    silent = rows(least)
    assert sum(case.drawn for case in silent) < sum(case.drawn for case in loud)
    for case, other in zip([case.silenced(least) for case in loud], silent, strict=True):
        for name in COLUMNS:
            value, expected = getattr(case, name), getattr(other, name)
            assert value == (expected if isinstance(value, str) else pytest.approx(expected, nan_ok=True)), name


def test_the_truth_scores_one_and_normals_are_reported_apart(data: DataSet) -> None:
    model = sum_up(judged(data, "truth"))["models"]["truth"]
    normals = sum(sample.label == "normal" for sample in data.samples)
    assert model["lesion"]["images"] == len(data.samples) - normals
    assert model["normal"]["images"] == normals > 0
    assert model["lesion"]["dice"]["mean"] == model["lesion"]["nsd_mm"]["mean"] == 1
    assert model["lesion"]["hd95"]["mean"] == 0
    assert model["normal"]["drawn"]["mean"] == 0
    assert model["detection"]["found"] == model["detection"]["lesions"] > 0


def test_the_row_nothing_drawn_is_what_an_empty_answer_scores(data: DataSet) -> None:
    empty = sum_up(judged(data, "nothing"))
    row, made = empty["models"]["nothing"], sum_up(judged(data, "all"))["nothing"]
    row["normal"]["drawn"] = made["normal"]["drawn"]  # only silence itself is known to draw on none
    for part in ("lesion", "normal", "all", "detection"):
        for name, value in made[part].items():
            assert value == row[part][name], name
    assert row["lesion"]["dice"]["mean"] == 0
    assert row["lesion"]["hd95"]["mean"] > 100
    assert row["all"]["study_accuracy"]["mean"] > 0.8


def test_drawing_everywhere_draws_on_every_normal(data: DataSet) -> None:
    model = sum_up(judged(data, "all"))["models"]["all"]
    assert model["normal"]["drawn"]["mean"] == model["normal"]["drawn_share_of_image"]["mean"] == 1
    assert model["lesion"]["sensitivity"]["mean"] == 1


def test_a_model_file_is_judged_as_a_run_is_but_never_on_what_it_was_trained_on(data: DataSet, tmp_path: Path) -> None:
    def model(**trained_on: object) -> Candidate:
        told = {"sonoseg": json.dumps(record(trained_on={"digests": [], **trained_on}))}
        return of_model(write_model(tmp_path / "tiny.onnx", told))

    assert len(judge(model(set="busi", fold=-1), data).cases) == 20
    with pytest.raises(UserError, match="trained on the whole of phantom"):
        judge(model(set="phantom", fold=-1), data)
    with pytest.raises(UserError, match="was in the training"):
        judge(model(set="folder", fold=-1, digests=[digest(data.samples[3].read()[0])]), data)
