import json
import pickle
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from small_set import assert_same, small_set
from sonoseg.data.formats.nnunet import open_nnunet, to_nnunet
from sonoseg.data.samples import ALONE, DataSet
from sonoseg.errors import UserError
from trees import grey, write


@pytest.fixture
def written(tmp_path):
    to_nnunet(small_set(), tmp_path / "Dataset501_small")
    return tmp_path / "Dataset501_small"


def forget(folder):
    """Take away what only our own files have."""
    described = json.loads((folder / "dataset.json").read_text())
    del described["sonoseg"]
    (folder / "dataset.json").write_text(json.dumps(described))


def test_the_layout_is_that_of_nnunet(written):
    described = json.loads((written / "dataset.json").read_text())
    assert described["channel_names"] == {"0": "ultrasound"}
    assert described["labels"] == {"background": 0, "lesion": 1}
    assert (described["numTraining"], described["file_ending"]) == (5, ".png")
    assert sorted(p.name for p in (written / "imagesTr").iterdir())[:2] == ["benign_1_0000.png", "benign_2_0000.png"]
    labels = np.asarray(PIL.Image.open(written / "labelsTr" / "malignant_1.png"))
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1}
    assert json.loads((written / "splits_final.json").read_text()) == [
        {"train": ["malignant_1", "p_x"], "val": ["benign_1", "benign_2"]},
        {"train": ["benign_1", "benign_2"], "val": ["malignant_1", "p_x"]},
    ]


def test_what_was_written_is_read(written):
    data = open_nnunet(str(written))
    assert_same(small_set(), data)
    assert pickle.loads(pickle.dumps(data.samples[0].read))()[1].any()


def test_a_part_of_a_set_has_the_part_of_its_folds(tmp_path):
    part = replace(small_set(), samples=small_set().samples[:2])
    to_nnunet(part, tmp_path / "Dataset501_small")
    splits = json.loads((tmp_path / "Dataset501_small" / "splits_final.json").read_text())
    assert splits == [
        {"train": ["malignant_1"], "val": ["benign_1"]},
        {"train": ["benign_1"], "val": ["malignant_1"]},
    ]


def test_progress_is_told(tmp_path):
    told = []
    to_nnunet(small_set(), tmp_path / "Dataset501_small", lambda done, of: told.append((done, of)))
    assert told == [(n, 5) for n in range(1, 6)]


def test_a_set_of_nnunets_own_has_its_folds_and_lone_groups(written):
    forget(written)
    data = open_nnunet(str(written))
    assert {row.image: row.fold for row in data.folds.rows} == {
        "benign_1": 0,
        "benign_2": 0,
        "malignant_1": 1,
        "normal_1": None,
        "p_x": 1,
    }
    assert data.grouping == ALONE
    assert {sample.label for sample in data.samples} == {"unknown"}
    (written / "splits_final.json").unlink()
    assert open_nnunet(str(written)).folds.count == 5


def test_every_label_but_background_is_lesion(written):
    forget(written)
    labels = np.zeros((24, 32), np.uint8)
    labels[3, 4], labels[5, 6] = 1, 2
    write(written / "labelsTr" / "benign_1.png", labels)
    assert np.array_equal(open_nnunet(str(written)).samples[0].read()[1], labels > 0)


def test_a_name_that_nnunet_does_not_take_and_a_folder_in_use_are_refused(tmp_path):
    with pytest.raises(UserError, match="'small' is no name of a data set for nnU-Net") as caught:
        to_nnunet(small_set(), tmp_path / "small")
    assert "Dataset501_small" in caught.value.hint
    (tmp_path / "Dataset501_small").mkdir()
    (tmp_path / "Dataset501_small" / "a").touch()
    with pytest.raises(UserError, match="is there already"):
        to_nnunet(small_set(), tmp_path / "Dataset501_small")


def test_nothing_is_left_where_an_image_cannot_be_read(tmp_path):
    def fail():
        raise UserError("broken")

    data = small_set()
    broken = type(data.samples[0])("p/x", "unknown", fail)
    broken_set = DataSet("b", "b:", (*data.samples[:-1], broken), data.folds, "", "", "")
    with pytest.raises(UserError, match="broken"):
        to_nnunet(broken_set, tmp_path / "Dataset501_b")
    assert list(tmp_path.iterdir()) == []


def spoil(change):
    return lambda folder: (folder / "dataset.json").write_text(
        json.dumps(json.loads((folder / "dataset.json").read_text()) | change)
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (spoil({"file_ending": ".nii.gz"}), r"file ending '\.nii\.gz'"),
        (spoil({"labels": {"background": 0, "lesion": 1, "ignore": 2}}), "labels without 'ignore' are read"),
        (spoil({"sonoseg": {"cases": {"p_x": {"fold": "one"}}}}), "p_x: fold is 'one'"),
        (lambda f: (f / "dataset.json").unlink(), r"dataset\.json cannot be read"),
        (lambda f: (f / "dataset.json").write_text("[]"), "file ending None"),
        (lambda f: (f / "labelsTr" / "p_x.png").unlink(), "has no labels of p_x"),
        (lambda f: (f / "imagesTr" / "p_x_0000.png").unlink(), "has no image of p_x"),
        (lambda f: write(f / "imagesTr" / "p_x_0001.png", grey()), r"p_x_0001\.png is not read"),
        (lambda f: (f / "imagesTr").rename(f / "imagesTs"), "imagesTr is not a folder"),
    ],
)
def test_what_is_no_such_set_is_refused(written, damage, message):
    damage(written)
    with pytest.raises(UserError, match=message):
        open_nnunet(str(written))


@pytest.mark.parametrize(
    "splits",
    [
        "{}",
        "[3]",
        '[{"val": ["nobody"]}]',
        '[{"val": ["p_x"]}, {"val": ["p_x"]}]',
        '[{"val": "p_x"}]',
        '[{"val": [[1]]}]',
    ],
)
def test_splits_that_do_not_fit_are_refused(written, splits):
    forget(written)
    (written / "splits_final.json").write_text(splits)
    with pytest.raises(UserError, match=r"splits_final\.json: split \d has no 'val'"):
        open_nnunet(str(written))


def test_a_label_of_another_size_is_refused_when_it_is_read(written):
    write(written / "labelsTr" / "p_x.png", grey((3, 3)))
    with pytest.raises(UserError, match=r"p_x\.png is 3 x 3 pixels"):
        open_nnunet(str(written)).samples[-1].read()
