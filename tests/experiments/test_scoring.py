import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.data import folds
from sonoseg.data.formats.packed import to_packed
from sonoseg.data.samples import DataSet
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation import calibration
from sonoseg.evaluation.cases import read_cases
from sonoseg.evaluation.entries import read_entry
from sonoseg.experiments.scoring import score
from sonoseg.images.image import Image
from trees import contents, names

FILES = ["calibration.csv", "cases.csv", "entry.toml", "folds.csv", "report.html", "summary.json"]


@pytest.fixture(scope="module")
def data() -> DataSet:
    return open_set("phantom:20")


def dark(image: Image) -> NDArray[np.float64]:
    """What a lesion of a phantom is, more or less."""
    return np.asarray(image.pixels < 90) * 0.8 + 0.1


def bright(image: Image) -> NDArray[np.bool_]:
    return np.asarray(image.pixels > 120)


def test_what_is_written_tells_what_was_given(data: DataSet, tmp_path: Path) -> None:
    summary = score(dark, data, [0, 2], "dark", threshold=0.6, out=tmp_path / "a")
    assert names(tmp_path / "a") == FILES
    assert json.loads((tmp_path / "a" / "summary.json").read_text(encoding="utf-8")) == summary
    assert summary["data"]["folds_sha256"] == folds.checksum(data.folds)
    assert folds.read(tmp_path / "a" / "folds.csv") == data.folds
    assert (summary["folds"], summary["seeds"], summary["given"]) == ([0, 2], [0], {"model": "dark", "threshold": 0.6})
    cases = read_cases(tmp_path / "a" / "cases.csv")
    assert {case.image for case in cases} == {*data.folds.test(0), *data.folds.test(2)}
    assert {row.image for row in calibration.read(tmp_path / "a" / "calibration.csv")} == {
        case.image for case in cases if case.has_lesion
    }
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert "What dark was trained on" in page
    assert "0.6 or more is lesion" in page
    assert "The network sees the image" not in page
    assert "data:image/jpeg" in page


def test_the_page_shows_no_picture_where_none_is_wanted(data: DataSet, tmp_path: Path) -> None:
    score(dark, data, [0], out=tmp_path, pictures=False)
    assert "data:image" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_a_folder_nothing_is_written(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert score(dark, data)["tested"]["images"] == sum(len(data.folds.test(fold)) for fold in range(5))
    assert names(tmp_path) == []


def test_a_reference_is_compared_image_by_image(data: DataSet, tmp_path: Path) -> None:
    score(bright, data, name="bright", out=tmp_path / "ref")
    summary = score(dark, data, [1, 3], "dark", reference=str(tmp_path / "ref"), out=tmp_path / "own")
    (difference,) = summary["differences"]
    assert (difference["first"], difference["second"]) == ("dark", "bright")
    means = {name: model["lesion"]["dice"]["mean"] for name, model in summary["models"].items()}
    assert difference["mean"] == pytest.approx(means["dark"] - means["bright"], abs=1e-5)
    assert difference["n"] == summary["models"]["dark"]["lesion"]["images"]
    assert "dark − bright" in (tmp_path / "own" / "report.html").read_text(encoding="utf-8")


def test_several_seeds_are_averaged_by_image(data: DataSet) -> None:
    summary = score([dark, bright], data, [0], "it", seeds=[4, 9])
    alone = [score(each, data, [0], "it")["models"]["it"]["lesion"]["dice"]["mean"] for each in (dark, bright)]
    assert summary["models"]["it"]["lesion"]["dice"]["mean"] == pytest.approx(np.mean(alone), abs=1e-6)
    assert list(summary["models"]["it"]["seeds"]["dice"]) == ["4", "9"]
    for seeds in ([0], [1, 1]):
        with pytest.raises(UserError, match="2 sets of masks are given and the seeds"):
            score([dark, bright], data, [0], seeds=seeds)


def test_filled_in_it_is_an_entry_and_what_was_filled_in_stays(data: DataSet, tmp_path: Path) -> None:
    score(dark, data, [0], "dark", out=tmp_path)
    form = tmp_path / "entry.toml"
    text = form.read_text(encoding="utf-8").replace('trained_on = ""', 'trained_on = "nothing"')
    form.write_text(text.replace('licence = ""', 'licence = "MIT"'), encoding="utf-8")
    filled = form.read_bytes()
    score(dark, data, [0], "dark", out=tmp_path)
    assert form.read_bytes() == filled
    assert len(read_entry(tmp_path)[1]) == len(data.folds.test(0))


def test_another_network_does_not_take_an_entry_over(data: DataSet, tmp_path: Path) -> None:
    score(dark, data, [0], "dark", out=tmp_path, pictures=False)
    with pytest.raises(UserError, match=r"entry\.toml tells name dark; scored now: bright"):
        score(bright, data, [0], "bright", out=tmp_path, pictures=False)
    score(bright, data, [0], "dark", out=tmp_path, pictures=False)


@pytest.mark.parametrize(
    ("folds", "seeds", "told"),
    [([0], [0], r"tells folds 0, 2; scored now: 0\n"), ([2, 0], [1], r"tells seeds 0; scored now: 1\n")],
)
def test_a_form_of_other_folds_or_seeds_is_not_left_beside_the_table(
    data: DataSet, tmp_path: Path, folds: list[int], seeds: list[int], told: str
) -> None:
    score(dark, data, [0, 2], "dark", out=tmp_path, pictures=False)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=told):
        score(dark, data, folds, "dark", seeds=seeds, out=tmp_path, pictures=False)
    assert contents(tmp_path) == before
    (tmp_path / "entry.toml").unlink()
    score(dark, data, folds, "dark", seeds=seeds, out=tmp_path, pictures=False)
    assert "held_out" in (tmp_path / "entry.toml").read_text(encoding="utf-8")


def test_one_folder_is_not_two_seeds(data: DataSet, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(UserError, match="m is given twice"):
        score([tmp_path / "m", f"{tmp_path}/x/../m"], data, [0], seeds=[0, 1])


@pytest.mark.parametrize("seeds", [[-1], -1, [0.5], "0", None, []])
def test_seeds_are_whole_numbers_from_0(data: DataSet, seeds: Any) -> None:
    with pytest.raises(UserError, match="seeds: whole numbers from 0 are needed"):
        score(dark, data, [0], seeds=seeds)


def test_one_number_is_a_fold_or_a_seed(data: DataSet) -> None:
    summary = score(dark, data, 2, seeds=np.int64(3))
    assert (summary["folds"], summary["seeds"]) == ([2], [3])
    assert json.loads(json.dumps(summary)) == summary
    with pytest.raises(UserError, match="folds: whole numbers from 0 are needed"):
        score(dark, data, [])


def test_the_name_of_a_row_of_the_page_is_taken(data: DataSet) -> None:
    with pytest.raises(UserError, match="the name is 'nothing drawn'"):
        score(dark, data, [0], "nothing drawn")


def test_folds_that_begin_at_one_are_scored(data: DataSet) -> None:
    rows = tuple(replace(row, fold=None if row.fold is None else row.fold + 1) for row in data.folds.rows)
    moved = replace(data, folds=replace(data.folds, rows=rows))
    assert score(dark, moved, name="it")["folds"] == [1, 2, 3, 4, 5]
    part = {name: dark(image) for sample in moved.samples for name, (image, _) in [(sample.name, sample.read())]}
    with pytest.raises(UserError, match="answers are of no image of folds 1, 2"):
        score(part, moved, [1, 2], "it")


def test_the_same_masks_give_the_same_bytes(data: DataSet, tmp_path: Path) -> None:
    for name in "ab":
        score(dark, data, [0], "dark", out=tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_where_something_is_wrong_nothing_is_written_and_what_stood_stays(data: DataSet, tmp_path: Path) -> None:
    masks = {name: np.zeros((3, 3), bool) for name in data.folds.test(0)}
    for out in ("new", "old"):
        if out == "old":
            score(dark, data, [0], "dark", out=tmp_path / out)
        before = contents(tmp_path)
        with pytest.raises(UserError, match="is 3 x 3 pixels, its image"):
            score(masks, data, [0], "dark", out=tmp_path / out)
        with pytest.raises(UserError, match=r"values from 0.177778 to 1.6; probabilities"):
            score(lambda image: dark(image) * 1.7777777, data, [0], "dark", out=tmp_path / out)
        assert contents(tmp_path) == before


def test_a_folder_of_our_own_training_is_left_alone(data: DataSet, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    with pytest.raises(UserError, match=r"holds config\.toml"):
        score(dark, data, [0], out=tmp_path)
    with pytest.raises(UserError, match="the name is 'a:b'"):
        score(dark, data, [0], "a:b")


def test_masks_are_held_against_a_packed_set_as_against_the_originals(data: DataSet, tmp_path: Path) -> None:
    to_packed(data, tmp_path / "p.npz", 64)
    masks = {sample.name: sample.read()[1] for sample in data.samples if sample.name in data.folds.test(0)}
    packed, own = (score(masks, each, [0], "truth") for each in (open_set(f"packed:{tmp_path / 'p.npz'}"), data))
    assert packed["models"] == own["models"]


def test_the_truth_of_busi_scores_one_and_silence_nothing(real_data: Path) -> None:
    busi = open_set(f"busi:{real_data / 'BUSI'}")
    truths = {sample.name: sample.read()[1] for sample in busi.samples if sample.name in busi.folds.test(0)}
    model = score(truths, busi, [0], "truth")["models"]["truth"]
    assert (model["lesion"]["images"], model["normal"]["images"]) == (129, 26)
    assert model["lesion"]["dice"]["mean"] == model["lesion"]["nsd"]["mean"] == 1
    assert model["normal"]["drawn"]["mean"] == 0
    silence = score(lambda image: np.zeros(image.shape, bool), busi, [0], "silence")
    assert silence["models"]["silence"]["lesion"]["dice"]["mean"] == silence["nothing"]["lesion"]["dice"]["mean"] == 0
    with pytest.raises(UserError, match=r"first, benign \(269\), is in no fold \(its label contradicts"):
        score(truths | {"benign (269)": truths["benign (1)"]}, busi, [0], "truth")
