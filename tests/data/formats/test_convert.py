import pytest

from small_set import assert_same, small_set
from sonoseg.data.formats.convert import WRITERS
from sonoseg.data.sets.sources import open_set

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
