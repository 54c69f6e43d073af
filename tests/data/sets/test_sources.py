import pickle
from pathlib import Path

import numpy as np
import pytest

from small_set import assert_same, small_set
from sonoseg.data.sets.sources import PHANTOMS, SOURCES, WRITERS, open_set
from sonoseg.errors import UserError


def test_phantoms_are_a_set_like_any_other():
    data = open_set("phantom:24")
    assert len(data.samples) == 24
    assert data.folds.count == 5
    assert data.spec == "phantom:24"
    image, mask = pickle.loads(pickle.dumps(data.samples[0].read))()
    assert image.shape == mask.shape
    assert image.spacing is not None
    assert np.array_equal(image.pixels, open_set("phantom:24").samples[0].read()[0].pixels)


def test_without_a_number_there_are_so_many():
    assert len(open_set("phantom").samples) == PHANTOMS


@pytest.mark.parametrize("count", ["19", "x", "-3", "100001", "²"])
def test_a_number_of_phantoms_must_be_one(count):
    with pytest.raises(UserError, match="is not a number of images"):
        open_set(f"phantom:{count}")


def test_an_unknown_name_has_a_nearest_one():
    with pytest.raises(UserError, match="no set is called 'busbra'") as caught:
        open_set("busbra:somewhere")
    assert "bus-bra:PATH" in caught.value.hint


@pytest.mark.parametrize(("folder", "hint"), [("BUSI", "--data busi:"), ("scans", "--data folder:")])
def test_a_folder_alone_is_answered_with_what_it_may_be(folder, hint, tmp_path):
    (tmp_path / folder).mkdir()
    with pytest.raises(UserError) as caught:
        open_set(str(tmp_path / folder))
    assert caught.value.hint.endswith(hint + str(tmp_path / folder))


def test_a_word_like_none_of_them_is_answered_with_ones_own_images():
    with pytest.raises(UserError) as caught:
        open_set("zzz")
    assert "folder:PATH" in caught.value.hint


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "phantom"])
def test_a_place_is_needed_and_must_be_there(name, tmp_path):
    with pytest.raises(UserError, match=f"{name} alone does not say where"):
        open_set(f"{name}:")
    with pytest.raises(UserError) as caught:
        open_set(f"{name}:{tmp_path / 'nowhere'}")
    assert "nowhere" in str(caught.value)
    assert caught.value.hint


def test_the_page_on_data_names_every_source():
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    assert not [name for name in SOURCES if f"| `{name}` |" not in page]


OPENED = {"nnunet": "", "coco": "/annotations.json"}


@pytest.mark.parametrize("name", WRITERS)
def test_a_set_comes_back_from_every_layout_as_it_went(tmp_path, name):
    WRITERS[name](small_set(), tmp_path / "Dataset502_x", None)
    data = open_set(f"{name}:{tmp_path}/Dataset502_x{OPENED[name]}")
    assert_same(small_set(), data)
    assert data.spec.startswith(f"{name}:")


def test_a_set_goes_from_one_layout_to_the_other(tmp_path):
    WRITERS["coco"](small_set(), tmp_path / "coco", None)
    WRITERS["nnunet"](open_set(f"coco:{tmp_path}/coco/annotations.json"), tmp_path / "Dataset503_y", None)
    assert_same(small_set(), open_set(f"nnunet:{tmp_path}/Dataset503_y"))
