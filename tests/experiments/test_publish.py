import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.experiments.benchmark import Progress, benchmark
from sonoseg.experiments.plan import of_models
from sonoseg.experiments.publish import (
    CONFIDENCES,
    LOSS,
    SHARES,
    Trial,
    _choose,
    _tried,
    publish,
    rescore,
    scores_by_rule,
)
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, train_run
from sonoseg.prediction import modelfile
from sonoseg.prediction.lesions import remove_specks
from sonoseg.reports import card

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")
WATCH = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation over all folds in ``cv``, the network trained on all of them in ``all``."""
    folder, data = tmp_path_factory.mktemp("publish"), open_set("phantom:20")
    progress = Progress(lambda number, of, name, hours: None, WATCH, lambda done, of: None)
    plan = of_models(RECIPE, ("unet",), range(data.folds.count), (0,))
    benchmark(plan, data, folder / "cv", progress, "", pictures=False)
    train_run(replace(RECIPE, fold=-1), data, folder / "all", False, WATCH)
    return folder


def test_the_file_carries_the_scores_of_its_recipe(trained: Path, tmp_path: Path) -> None:
    data = open_set("phantom:20")
    publish(trained / "all", trained / "cv", data, tmp_path / "made.onnx", tmp_path / "tables")
    record = modelfile.read_record(tmp_path / "made.onnx")
    summary = json.loads((tmp_path / "tables" / "summary.json").read_text())
    assert record["name"] == "made"
    assert record["scores"]["lesion"] == summary["models"]["unet"]["lesion"]
    assert len(record["scores"]["dice_by_fold"]) == data.folds.count
    assert record["smallest_lesion"] in SHARES
    assert record["least_confidence"] in CONFIDENCES
    assert record["trained_on"]["images"] == 20
    written = card.write(record, "0" * 64)
    assert f"{record['scores']['lesion']['dice']['mean']:.3f}" in written
    assert str(tmp_path) not in written
    assert str(trained) not in written


def test_the_mean_over_the_mirror_image_is_judged_and_shipped(trained: Path, tmp_path: Path) -> None:
    data = open_set("phantom:20")
    image = data.samples[0].read()[0].pixels[:96, :96]  # a square lies in the middle of the frame, mirrored or not
    publish(trained / "all", trained / "cv", data, tmp_path / "made.onnx", tmp_path / "tables", mirrored=True)
    predictor = modelfile.load(tmp_path / "made.onnx")
    assert predictor.mirrored
    found, turned = (predictor.predict(pixels).probability for pixels in (image, image[:, ::-1].copy()))
    np.testing.assert_allclose(found, turned[:, ::-1], atol=1e-4)
    assert "mirror image" in card.write(modelfile.read_record(tmp_path / "made.onnx"), "00")


def test_a_missing_fold_another_recipe_and_a_held_out_fold_are_refused(trained: Path, tmp_path: Path) -> None:
    data = open_set("phantom:20")
    for final, cells, told in (
        (trained / "all", tmp_path, "no cell of this recipe for fold 0, 1, 2, 3, 4"),
        (trained / "cv" / "cells" / "unet-fold-0-seed-0", trained / "cv", "held out fold 0"),
    ):
        with pytest.raises(UserError, match=told):
            publish(final, cells, data, tmp_path / "made.onnx", tmp_path / "tables")
    other = tmp_path / "other"
    other.mkdir()
    replace(RECIPE, fold=-1, epochs=2).write(other / "config.toml")
    with pytest.raises(UserError, match="no cell of this recipe"):
        publish(other, trained / "cv", data, tmp_path / "made.onnx", tmp_path / "tables")
    assert {path.name for path in tmp_path.iterdir()} == {"other"}


def test_scores_under_each_rule_are_those_of_the_mask_without_specks() -> None:
    generator = np.random.default_rng(3)
    probability = generator.random((80, 90)).astype(np.float32)
    drawn, truth = probability > 0.8, generator.random((80, 90)) < 0.2
    dice, any_drawn = scores_by_rule(drawn, probability, truth)
    assert dice.shape == any_drawn.shape == (len(SHARES), len(CONFIDENCES))
    for row, share in enumerate(SHARES):
        for column, confidence in enumerate(CONFIDENCES):
            kept = remove_specks(drawn, probability, share * drawn.size, confidence)
            assert dice[row, column] == pytest.approx(2 * (kept & truth).sum() / (kept.sum() + truth.sum()))
            assert any_drawn[row, column] == kept.any()
    assert np.isnan(scores_by_rule(drawn, probability, np.zeros_like(drawn))[0]).all()
    assert not scores_by_rule(np.zeros_like(drawn), probability, truth)[0].any()


def test_the_rule_that_draws_on_the_fewest_normals_at_little_cost_is_chosen() -> None:
    shape = (len(SHARES), len(CONFIDENCES))
    dice, drawn = np.full(shape, 0.8), np.ones(shape)
    drawn[2, 3], dice[2, 3] = 0, 0.8 - LOSS / 2
    drawn[4, 5], dice[4, 5] = 0, 0.8 - 2 * LOSS
    trials = [Trial(0, dice, np.ones(shape)), Trial(0, np.full(shape, np.nan), drawn)]
    assert _choose(trials) == {"smallest_lesion": SHARES[2], "least_confidence": CONFIDENCES[3]}
    dice[6, 6] = 0.801
    assert _tried(trials[:1])[0]["drawn"] is None
    assert _choose(trials[:1]) == {"smallest_lesion": SHARES[6], "least_confidence": CONFIDENCES[6]}


def test_scores_are_told_anew_and_the_network_stays(trained: Path, tmp_path: Path) -> None:
    data, made, tables = open_set("phantom:20"), tmp_path / "made.onnx", tmp_path / "tables"
    publish(trained / "all", trained / "cv", data, made, tables)
    first = modelfile.load(made)
    (tmp_path / "labels").mkdir()
    interval = {"mean": 0.8, "low": 0.7, "high": 0.9, "n": 9, "groups": 3}
    noise = {"all": {"mean": interval}, "without_worst_group": {"mean": interval}}
    (tmp_path / "labels" / "summary.json").write_text(json.dumps(noise), encoding="utf-8")
    rescore(made, tables, data, tmp_path / "labels")
    again = modelfile.load(made)
    record = again.model.record
    assert record["scores"]["label_noise"]["all"] == interval
    assert {k: v for k, v in record["scores"].items() if k != "label_noise"} == first.model.record["scores"]
    image, _ = data.samples[0].read()
    np.testing.assert_array_equal(first.predict(image).probability, again.predict(image).probability)
    assert "agrees at a mean Dice of 0.800 [0.700, 0.900]" in card.write(record, "00")
    other = replace(data, name="other")
    with pytest.raises(UserError, match="scored on another set"):
        rescore(made, tables, other)
