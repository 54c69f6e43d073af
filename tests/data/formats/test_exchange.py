import json

import numpy as np
import pytest

from sonoseg.data.folds import Folds, Row
from sonoseg.data.formats import exchange
from sonoseg.data.samples import DataSet, Sample
from sonoseg.errors import UserError


def named(*names):
    samples = tuple(Sample(name, "benign", lambda: None) for name in names)
    return DataSet("x", "x:y", samples, Folds(tuple(Row(n, "benign", n, 0) for n in names)), "none", "", "")


def test_file_names_are_plain_and_all_different():
    files = exchange.file_names(named("benign (1)", "benign 1", "a/b", "A B", "..", "é"))
    assert files["benign (1)"] == "benign_1"
    assert files["benign 1"] == "benign_1_2"
    assert files["a/b"] == "a_b"
    assert files["A B"] == "A_B_2"
    assert files[".."] == "image"
    assert len({file.lower() for file in files.values()}) == 6


def test_fields_are_read_as_they_were_written():
    row = Row("a", "normal", "g", 3, ("copy",))
    fields = json.loads(json.dumps(exchange.about(Sample("a", "normal", lambda: None), row, (0.1, 0.2))))
    assert exchange.listed("k", fields, "f") == exchange.Listed("k", "a", "normal", "g", 3, ("copy",), (0.1, 0.2))
    assert exchange.listed("k", {}, "f") == exchange.Listed("k", "k", "unknown", "", None, (), None)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": 3},
        {"label": "lump"},
        {"group": ["a"]},
        {"fold": -1},
        {"fold": "1"},
        {"fold": True},
        {"flags": "copy"},
        {"flags": ["new"]},
        {"spacing": 0.1},
        {"spacing": [0.1]},
        {"spacing": [0.1, -1]},
        {"spacing": [0.1, "1"]},
    ],
)
def test_fields_that_mean_nothing_are_refused(fields):
    with pytest.raises(UserError, match=f"file, k: {next(iter(fields))} is"):
        exchange.listed("k", fields, "file, k")


def test_no_image_and_two_of_one_name_are_refused():
    record = exchange.listed("k", {}, "f")
    for records in ([], [record, record]):
        with pytest.raises(UserError, match="one at least and all of another name"):
            exchange.data_set("x", "y", records, {"k": lambda: None}, {})


def test_a_folder_is_built_whole_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "set"
    with exchange.building(out) as folder:
        exchange.write_picture(folder / "a.png", np.zeros((2, 2), np.uint8))
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a.png"]
    with pytest.raises(UserError, match="is there already"), exchange.building(out):
        pass

    def fail():
        with exchange.building(tmp_path / "other") as folder:
            (folder / "a").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_an_empty_folder_may_be_there(tmp_path):
    with exchange.building(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_json_that_is_missing_or_damaged_is_named(tmp_path):
    with pytest.raises(UserError, match=r"a\.json cannot be read as JSON"):
        exchange.load_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"a\.json cannot be read as JSON"):
        exchange.load_json(tmp_path / "a.json")
