import pytest

from sonoseg.data.sets.released import compare_names, find_release, label_of, read_rows
from sonoseg.errors import UserError


def test_a_release_is_found_at_its_folder_or_above(tmp_path):
    inner = tmp_path / "Release" / "v1"
    inner.mkdir(parents=True)
    (inner / "table.csv").touch()
    for root in (inner, tmp_path):
        assert find_release(root, ("Other", "Release/v1"), ("table.csv",), "x") == inner
    with pytest.raises(UserError, match=r"it has no images; table\.csv, images are needed"):
        find_release(inner, ("Release",), ("table.csv", "images"), "x")
    with pytest.raises(UserError, match="nowhere is not a folder"):
        find_release(tmp_path / "nowhere", ("Release",), ("table.csv",), "x")


def test_rows_come_with_their_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a ; b\n1;"x\ny"\n\n 2 ;z\n')
    assert read_rows(path, ("b",), delimiter=";") == [(3, {"a": "1", "b": "x\ny"}), (5, {"a": "2", "b": "z"})]


def test_names_are_compared_both_ways(tmp_path):
    compare_names(iter("ab"), iter("ba"), tmp_path, "t.csv")
    with pytest.raises(UserError, match=r"lacks 2 files that t\.csv lists, the first is b"):
        compare_names("a", "abc", tmp_path, "t.csv")
    with pytest.raises(UserError, match=r"holds 1 files that t\.csv does not list, the first is c"):
        compare_names("abc", "ab", tmp_path, "t.csv")


def test_a_label_is_read_in_letters_of_any_size():
    assert label_of("Benign", ("benign", "malignant"), "t.csv") == "benign"
    with pytest.raises(UserError, match=r"t\.csv: x has the label 'lump'; benign, malignant are known"):
        label_of("lump", ("benign", "malignant"), "t.csv: x")
