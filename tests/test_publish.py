import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoseg import card, modelfile
from sonoseg.benchmark import Plan, Progress, benchmark
from sonoseg.data.sources import open_set
from sonoseg.errors import UserError
from sonoseg.lesions import remove_specks
from sonoseg.publish import LOSS, SHARES, Trial, _choose, publish, scores_by_share
from sonoseg.training.config import Config
from sonoseg.training.run import Watch, train_run

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")
WATCH = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation over all folds in ``cv``, the network trained on all of them in ``all``."""
    folder, data = tmp_path_factory.mktemp("publish"), open_set("phantom:20")
    progress = Progress(lambda number, of, name: None, WATCH, lambda done, of: None)
    plan = Plan(RECIPE, ("unet",), tuple(range(data.folds.count)), (0,), "", False)
    benchmark(plan, data, folder / "cv", progress)
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


def test_scores_under_each_share_are_those_of_the_mask_without_specks() -> None:
    generator = np.random.default_rng(3)
    drawn, truth = generator.random((2, 80, 90)) < 0.2
    dice, any_drawn = scores_by_share(drawn, truth)
    for share, one, left in zip(SHARES, dice, any_drawn, strict=True):
        kept = remove_specks(drawn, share * drawn.size)
        assert one == pytest.approx(2 * (kept & truth).sum() / (kept.sum() + truth.sum()))
        assert left == kept.any()
    assert np.isnan(scores_by_share(drawn, np.zeros_like(drawn))[0]).all()
    assert scores_by_share(np.zeros_like(drawn), truth)[0].tolist() == [0] * len(SHARES)


def test_the_largest_share_that_costs_little_is_chosen() -> None:
    base = np.full(len(SHARES), 0.8)
    base[-2] -= LOSS / 2
    base[-1] -= 2 * LOSS
    normal = Trial(0, np.full(len(SHARES), np.nan), np.ones(len(SHARES)))
    assert _choose([Trial(0, base, np.ones(len(SHARES))), normal]) == len(SHARES) - 2
