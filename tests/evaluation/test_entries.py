import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sonoseg.data import folds
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, read_cases, write_cases
from sonoseg.evaluation.entries import Entry, check_row, read_entry, same_truth, write_template
from sonoseg.evaluation.given import judge_given
from sonoseg.images.image import Image

RESULTS = Path(__file__).parents[2] / "results"


def bright(image: Image) -> object:
    return image.pixels / 255


@pytest.fixture(scope="module")
def rows() -> list[Case]:
    return list(judge_given(bright, open_set("phantom:20"), [0, 1], "bright", 3).cases)


@pytest.fixture
def entry(rows: list[Case], tmp_path: Path) -> Path:
    """An entry that holds."""
    data = open_set("phantom:20")
    write_template(tmp_path / "entry.toml", "bright", "phantom", data.folds, [0, 1], [3])
    folds.write(tmp_path / "folds.csv", data.folds)
    write_cases(tmp_path / "cases.csv", rows)
    change(tmp_path, 'trained_on = ""', 'trained_on = "nothing: brightness \\"itself\\""')
    change(tmp_path, 'licence = ""', 'licence = "CC0-1.0"')
    return tmp_path


def change(folder: Path, old: str, new: str, name: str = "entry.toml") -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_was_filled_in_is_read(entry: Path, rows: list[Case]) -> None:
    found, cases = read_entry(entry)
    assert found == Entry(
        name="bright",
        set="phantom",
        folds_sha256=folds.checksum(open_set("phantom:20").folds),
        folds=(0, 1),
        seeds=(3,),
        trained_on='nothing: brightness "itself"',
        licence="CC0-1.0",
        held_out=False,
    )
    assert [case.image for case in cases] == [case.image for case in rows]


def test_the_form_takes_any_name(tmp_path: Path) -> None:
    name = 'Ärztin "x" \\ 5 µm'
    write_template(tmp_path / "entry.toml", name, "phantom", open_set("phantom:20").folds, [0], [0])
    assert tomllib.loads((tmp_path / "entry.toml").read_text(encoding="utf-8"))["name"] == name


def test_an_empty_form_is_no_entry(rows: list[Case], tmp_path: Path) -> None:
    write_template(tmp_path / "entry.toml", "bright", "phantom", open_set("phantom:20").folds, [0, 1], [3])
    with pytest.raises(UserError, match="licence is ''; a text of 1 to 2000 characters is needed"):
        read_entry(tmp_path)


def test_rows_of_a_reference_are_passed_over_and_a_model_may_be_called_otherwise(entry: Path, rows: list[Case]) -> None:
    write_cases(entry / "cases.csv", [*rows, *(replace(row, model="other", image="x") for row in rows)])
    assert len(read_entry(entry)[1]) == len(rows)
    change(entry, 'name = "bright"', 'name = "my best"\nmodel = "bright"')
    assert read_entry(entry)[0].name == "my best"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("protocol = 1", "protocol = 2", "is of protocol 2; 1 is this version's"),
        ("seeds = [3]", "seeds = [3, 3]", "seeds is .3, 3.; a list of different numbers"),
        ("seeds = [3]", "seeds = []", "seeds is"),
        ("seeds = [3]", "seeds = 3", "seeds is 3"),
        ("seeds = [3]", "seeds = [3, 4]", r"lacks (\d) of the \1 images for seed 4"),
        ("seeds = [3]", "seeds = [4]", r"lacks (\d) of the \1 images for seed 4"),
        ("folds = [0, 1]", "folds = [true]", "folds is .True."),
        ("folds = [0, 1]", "folds = [0, 1, 2]", r"lacks \d of the \d+ images for seed 3, the first is"),
        ("folds = [0, 1]", "folds = [0]", "which is of none of the folds that are told"),
        ("folds = [0, 1]", "folds = [9]", "fold 9 does not exist"),
        ("held_out = false", 'held_out = "yes"', "held_out is 'yes'; true or false is needed"),
        ("held_out = false", "", "has no held_out"),
        ("held_out = false", "held_out = false\nscore = 1", "has score; name, set"),
        ("held_out = false", "held_out = ", "cannot be read as an entry"),
        ('name = "bright"', 'name = " "', "name is ' '"),
        ('name = "bright"', 'name = "dark"', "has no row of dark"),
        ('folds_sha256 = "', 'folds_sha256 = "0', "is for folds with the checksum 0"),
        ('set = "phantom"', 'set = "busi"', "the shipped folds of busi have 711703b2"),
    ],
)
def test_a_form_that_does_not_hold_is_refused(entry: Path, old: str, new: str, message: str) -> None:
    change(entry, old, new)
    with pytest.raises(UserError, match=message):
        read_entry(entry)


Change = Callable[[list[Case]], list[Case]]


def first(**changes: object) -> Change:
    return lambda rows: [replace(rows[0], **changes), *rows[1:]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda rows: rows[1:], r"lacks 1 of the \d images for seed 3, the first is"),
        (lambda rows: [*rows, rows[0]], "twice for seed 3"),
        (first(image="nobody"), "has nobody, which is of none of the folds"),
        (first(group="nobody"), "in the folds it is"),
        (first(fold=4), "in the folds it is"),
        (first(label="unknown"), "in the folds it is"),
        (lambda rows: [*rows, replace(rows[0], seed=5)], "has rows of seed 5"),
    ],
)
def test_rows_that_are_not_those_of_the_folds_are_refused(
    entry: Path, rows: list[Case], changed: Change, message: str
) -> None:
    write_cases(entry / "cases.csv", changed(rows))
    with pytest.raises(UserError, match=message):
        read_entry(entry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dice": 0.99}, "dice is 0.99, by its counts it is"),
        ({"iou": 0.99}, "iou is 0.99"),
        ({"sensitivity": float("nan")}, "sensitivity is empty"),
        ({"precision": 2.0}, "precision is 2"),
        ({"accuracy": 1.0}, "accuracy is 1"),
        ({"tp": -1}, "must be whole numbers from 0"),
        ({"tp": 1.5}, "must be whole numbers from 0"),
        ({"tn": 1}, "the image has"),
        ({"drawn_pixels": 5}, "drawn_pixels is 5"),
        ({"hd95": 1e6}, "hd95 is 1e.06; 0 to"),
        ({"hd95": float("nan")}, "hd95 is empty"),
        ({"hd95": float("inf")}, "hd95 is inf"),
        ({"nsd": 1.1}, "nsd is 1.1; 0 to 1 is possible"),
        ({"study_accuracy": -0.1}, "study_accuracy is -0.1"),
        ({"confidence": 3.0}, "confidence is 3"),
        ({"lesions_found": 99}, "which cannot be"),
        ({"lesions": float("nan")}, "which cannot be"),
        ({"diameter": 1e9}, "diameter is 1e.09"),
    ],
)
def test_figures_out_of_range_or_against_the_counts_are_told(
    rows: list[Case], changes: dict[str, object], message: str
) -> None:
    row = next(row for row in rows if row.has_lesion and row.drawn)
    assert check_row(row) == ""
    assert re.search(message, check_row(replace(row, **changes)))  # type: ignore[arg-type]


def test_on_an_image_without_a_lesion_its_measures_are_undefined(rows: list[Case]) -> None:
    row = next(row for row in rows if not row.has_lesion)
    assert check_row(row) == ""
    assert "dice is 1, by its counts it is empty" in check_row(replace(row, dice=1.0))
    assert "undefined there" in check_row(replace(row, hd95=0.0))


def test_every_row_that_this_program_measured_holds() -> None:
    tables = [path for path in RESULTS.rglob("cases.csv") if "cells" not in path.relative_to(RESULTS).parts]
    assert tables
    for table in tables:
        for case in read_cases(table):
            assert check_row(case) == "", (table, case.image)


def test_another_truth_of_an_image_is_told(rows: list[Case]) -> None:
    known = {row.image: row for row in rows}
    assert same_truth(rows, known) == same_truth(rows, {}) == ""
    moved = replace(rows[0], tp=rows[0].tp + 1, tn=rows[0].tn - 1)
    assert rows[0].image in same_truth([moved], known)
