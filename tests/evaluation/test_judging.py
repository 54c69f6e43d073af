import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoseg.data.folds import Folds
from sonoseg.data.samples import DataSet, digest
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.calibration import count
from sonoseg.evaluation.judging import Candidate, at_home, chosen, counted, judge, of_model, sum_up
from sonoseg.prediction.predictor import Predictor
from tiny_model import record, write_model


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


def test_a_summary_tells_calibration_confidence_and_the_spread_of_seeds(data: DataSet) -> None:
    found = judge(candidate(), data)
    entry = sum_up(found.cases, [counted(candidate(), found)])["models"]["dark"]
    assert "seeds" not in entry
    assert entry["dice_of_most_certain"]["share"] == 0.8
    second = [case | {"seed": 1, "dice": case["dice"] / 2} for case in found.cases]
    truth = np.eye(9, dtype=bool)
    counts = [counted(candidate(), found), ({"model": "dark", "fold": 0, "seed": 1}, count(truth.astype(float), truth))]
    summary = sum_up(found.cases + second, counts)
    seeds = summary["models"]["dark"]["seeds"]
    assert seeds["range"] == pytest.approx(entry["lesion"]["dice"]["mean"] / 2, abs=1e-6)
    assert seeds["deviation"] == pytest.approx(seeds["range"] / 2**0.5, abs=1e-5)
    pixels = sum(each["pixels"] for each in summary["calibration"]["dark"]["bins"])
    assert pixels == found.reliability.pixels.sum() + counts[1][1].pixels.sum()
    assert "calibration" not in sum_up(found.cases, [])


def test_a_model_file_is_judged_as_a_run_is_but_never_on_what_it_was_trained_on(data: DataSet, tmp_path: Path) -> None:
    def model(**trained_on: object) -> Candidate:
        told = {"sonoseg": json.dumps(record(trained_on={"digests": [], **trained_on}))}
        return of_model(write_model(tmp_path / "tiny.onnx", told))

    assert len(judge(model(set="busi", fold=-1), data).cases) == 20
    with pytest.raises(UserError, match="trained on the whole of phantom"):
        judge(model(set="phantom", fold=-1), data)
    with pytest.raises(UserError, match="was in the training"):
        judge(model(set="folder", fold=-1, digests=[digest(data.samples[3].read()[0])]), data)
