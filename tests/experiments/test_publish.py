import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoseg.data.formats.packed import to_packed
from sonoseg.data.samples import Pair, Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.experiments.benchmark import Progress, benchmark, run_cell
from sonoseg.experiments.plan import Cell, of_models
from sonoseg.experiments.publish import Elsewhere, publish, rescore
from sonoseg.experiments.rules import CONFIDENCES, SHARES
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, train_run
from sonoseg.prediction import modelfile
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


class Turned:
    """A sample's image, left for right: another one."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def __call__(self) -> Pair:
        image, mask = self.sample.read()
        return replace(image, pixels=image.pixels[:, ::-1].copy()), mask[:, ::-1].copy()


def test_a_joint_recipe_is_judged_on_what_it_held_out_of_each_set_and_where_there_is_nothing(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    turned = tuple(replace(sample, read=Turned(sample)) for sample in open_set("phantom:24").samples)
    to_packed(replace(open_set("phantom:24"), name="other", samples=turned), tmp_path / "other.npz", 32)
    other = open_set(f"packed:{tmp_path / 'other.npz'}")
    recipe = replace(RECIPE, also=(other.spec,), mix="all", presence=0.3, normals=1)
    progress = Progress(lambda number, of, name, hours: None, WATCH, lambda done, of: None)
    for fold in range(data.folds.count):
        cell = Cell("unet", replace(recipe, fold=fold, also_fold=fold % 3))
        run_cell(cell, data, cell.folder(tmp_path / "cv"), progress)
    train_run(replace(recipe, fold=-1), data, tmp_path / "all", False, WATCH)
    train_run(replace(recipe, fold=-1, also=()), data, tmp_path / "alone", False, WATCH)
    train_run(replace(recipe, data=other.spec, fold=-1, also=()), other, tmp_path / "away", False, WATCH)
    elsewhere = Elsewhere([other], [tmp_path / "alone", tmp_path / "away"])
    publish(tmp_path / "all", tmp_path / "cv", data, tmp_path / "m.onnx", tmp_path / "tables", elsewhere=elsewhere)
    record = modelfile.read_record(tmp_path / "m.onnx")
    held, never, home = record["scores"]["elsewhere"]
    assert held["trained_on"] == ["phantom", "other"]
    assert held["lesion"]["images"] == sum(
        sample.label != "normal" for fold in range(3) for sample in split(other, fold).test
    )
    assert never["trained_on"] == ["phantom"]
    assert (tmp_path / "tables" / "on-other-from-phantom" / "cases.csv").exists()
    assert (home["set"], home["trained_on"]) == ("phantom", ["other"])
    assert home["lesion"]["images"] == sum(sample.label != "normal" for sample in data.samples)
    assert set(record["scores"]["silence"]) == {"phantom", "other"}
    assert record["scores"]["presence"]["auc"]["n"] == 20
    written = card.write(record, "00")
    assert "not trained on" in written
    assert "| phantom, 1 epochs |" in written
    assert "| phantom and other |" in written
    assert "images held out" in written
    assert "cut beside the lesions" in written
    assert "AUC" in written
