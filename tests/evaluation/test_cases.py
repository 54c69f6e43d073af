import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.data.samples import DataSet, digest
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS, Case, evaluate, read_cases, summarise, write_cases
from sonoseg.files import write_csv
from sonoseg.images.pictures import Image
from sonoseg.prediction.predictor import Prediction, Predictor


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
    whole = open_set("phantom:30")
    return replace(whole, samples=tuple(s for s in whole.samples if s.name.endswith(("1)", "2)", "3)"))))


def judged(data: DataSet, answer: str) -> list[Case]:
    return evaluate(Oracle(data, answer), data, data.samples, answer, 0, 0).cases


def test_a_row_per_image_in_order_with_the_stated_columns(data: DataSet) -> None:
    cases = judged(data, "truth")
    assert [case["image"] for case in cases] == [sample.name for sample in data.samples]
    assert all(tuple(case) == COLUMNS for case in cases)
    assert all(case["group"] == data.folds.groups[case["image"]] for case in cases)


def test_the_truth_scores_one_and_normals_are_reported_apart(data: DataSet) -> None:
    model = summarise(judged(data, "truth"))["models"]["truth"]
    normals = sum(sample.label == "normal" for sample in data.samples)
    assert model["lesion"]["images"] == len(data.samples) - normals
    assert model["normal"]["images"] == normals > 0
    assert model["lesion"]["dice"]["mean"] == model["lesion"]["nsd_mm"]["mean"] == 1
    assert model["lesion"]["hd95"]["mean"] == 0
    assert model["normal"]["drawn"]["mean"] == 0
    assert model["detection"]["found"] == model["detection"]["lesions"] > 0


def test_the_row_nothing_drawn_is_what_an_empty_answer_scores(data: DataSet) -> None:
    empty = summarise(judged(data, "nothing"))
    row, made = empty["models"]["nothing"], summarise(judged(data, "all"))["nothing"]
    for part in ("lesion", "normal", "all", "detection"):
        for name, value in made[part].items():
            assert value == row[part][name], name
    assert row["lesion"]["dice"]["mean"] == 0
    assert row["lesion"]["hd95"]["mean"] > 100
    assert row["all"]["study_accuracy"]["mean"] > 0.8


def test_drawing_everywhere_draws_on_every_normal(data: DataSet) -> None:
    model = summarise(judged(data, "all"))["models"]["all"]
    assert model["normal"]["drawn"]["mean"] == model["normal"]["drawn_share_of_image"]["mean"] == 1
    assert model["lesion"]["sensitivity"]["mean"] == 1


def test_differences_are_paired(data: DataSet) -> None:
    cases = judged(data, "truth") + judged(data, "nothing")
    (difference,) = summarise(cases)["differences"]
    assert (difference["first"], difference["second"], difference["mean"]) == ("truth", "nothing", 1)
    assert difference["low"] == difference["high"] == 1


def test_seeds_are_averaged_per_image_before_anything_else(data: DataSet) -> None:
    first = judged(data, "truth")
    second = [case | {"seed": 1, "model": "truth"} for case in judged(data, "nothing")]
    model = summarise(first + second)["models"]["truth"]
    assert model["lesion"]["dice"]["mean"] == 0.5
    assert model["lesion"]["images"] == sum(sample.label != "normal" for sample in data.samples)


def test_images_seen_in_training_are_refused(data: DataSet) -> None:
    image, _ = data.samples[1].read()
    with pytest.raises(UserError, match="was in the training") as caught:
        evaluate(Oracle(data, "truth"), data, data.samples, "m", 0, 0, [digest(image)])
    assert data.samples[1].name in str(caught.value)


def test_cases_survive_the_file(data: DataSet, tmp_path: Path) -> None:
    cases = judged(data, "all")
    write_cases(tmp_path / "cases.csv", cases)
    again = read_cases(tmp_path / "cases.csv")
    for case, read in zip(cases, again, strict=True):
        for name in COLUMNS:
            if isinstance(case[name], float):
                assert read[name] == pytest.approx(case[name], rel=1e-5, nan_ok=True)
            else:
                assert read[name] == case[name]
    assert any(math.isnan(case["dice"]) for case in again)
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="not a table of cases"):
        read_cases(tmp_path / "other.csv")


def test_size_confidence_and_marks_stand_beside_the_measures(data: DataSet) -> None:
    found = evaluate(
        Oracle(data, "truth"), data, data.samples, "m", 0, 0, has_marks=lambda image: image.shape[0] % 2 == 0
    )
    assert found.reliability.error == 0
    for case, sample in zip(found.cases, data.samples, strict=True):
        assert (case["height"], case["width"]) == sample.read()[0].shape
        assert case["confidence"] == 1
        assert case["marks"] == int(case["height"] % 2 == 0)
    assert all(math.isnan(case["marks"]) for case in judged(data, "truth"))


def test_tables_of_earlier_versions_are_read(data: DataSet, tmp_path: Path) -> None:
    old = tuple(name for name in COLUMNS if name not in ("height", "width", "confidence", "marks"))
    cases = judged(data, "all")
    write_csv(tmp_path / "old.csv", old, ({name: case[name] for name in old} for case in cases))
    again = read_cases(tmp_path / "old.csv")
    assert all(tuple(case) == COLUMNS and math.isnan(case["height"]) for case in again)
    assert [case["tp"] for case in again] == [case["tp"] for case in cases]
    nothing = summarise(again)["nothing"]["lesion"]
    assert nothing["hd95"]["mean"] is None
    assert nothing["dice"]["mean"] == 0
    write_cases(tmp_path / "new.csv", again)
    assert all(math.isnan(case["marks"]) for case in read_cases(tmp_path / "new.csv"))


def test_a_summary_is_plain_json(data: DataSet) -> None:
    json.dumps(summarise(judged(data, "nothing")), allow_nan=False)
