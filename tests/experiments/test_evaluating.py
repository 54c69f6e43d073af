import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sonoseg.data.samples import DataSet, Pair, Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.experiments.evaluating import evaluate
from sonoseg.images.image import Image
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, train_run

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")
WATCH = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells of a benchmark."""
    folder = tmp_path_factory.mktemp("evaluating")
    for fold in (0, 1):
        config = replace(RECIPE, fold=fold)
        train_run(config, open_set("phantom:20"), folder / "cells" / f"fold-{fold}", False, WATCH)
    return folder


def turned() -> DataSet:
    """Another set: 25 phantoms, each on its head."""
    whole = open_set("phantom:25")

    def read(sample: Sample) -> Pair:
        image, mask = sample.read()
        return Image(image.pixels[::-1].copy(), image.spacing), mask[::-1].copy()

    samples = tuple(replace(sample, read=partial(read, sample)) for sample in whole.samples)
    return replace(whole, name="other", samples=samples)


def test_a_run_is_judged_at_home_on_its_own_set_and_then_abroad_with_the_drop(runs: Path) -> None:
    run = runs / "cells" / "fold-0"
    home = evaluate(run)
    assert home.folder == run
    assert home.summary["tested"]["images"] == len(open_set("phantom:20").folds.test(0))
    assert "external" not in home.summary
    other = turned()
    away = evaluate(run, other)
    assert away.folder == run / "on-other"
    assert away.summary["tested"]["images"] == 25
    assert away.summary["external"]["trained_on"] == "phantom"
    assert away.summary["external"]["models"]["unet"]["drop"]["mean"] is not None
    assert json.loads((away.folder / "summary.json").read_text()) == json.loads(json.dumps(away.summary))


def test_runs_of_a_benchmark_are_judged_together_abroad_and_not_at_home(runs: Path, tmp_path: Path) -> None:
    other = turned()
    away = evaluate(runs, other, out=tmp_path / "away")
    assert away.summary["models"]["unet"]["folds"] == [0]
    assert away.summary["external"]["models"] == {}
    assert {path.name for path in (tmp_path / "away").iterdir()} == {"cases.csv", "summary.json", "calibration.csv"}
    with pytest.raises(UserError, match="2 runs were trained on phantom"):
        evaluate(runs, "phantom:20", out=tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_folder_that_names_no_images_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.toml that tells the images"):
        evaluate(tmp_path)
