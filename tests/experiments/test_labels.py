import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet, Pair, Sample
from sonoseg.data.sets import phantom
from sonoseg.errors import UserError
from sonoseg.experiments import labels
from sonoseg.experiments.labels import Outlined, measure, measure_itself, sum_up, write
from sonoseg.images.image import Image

NAMES = ("a", "b", "c", "d", "e")


def read(number: int) -> Pair:
    """Views a and b of one scan: b is cut and its outline is shifted; c has no outline, d is another scan, e alone."""
    plans = [plan for plan in phantom.plan(40) if plan.label != "normal"]
    drawing = phantom.read(plans[0 if number < 3 else 20 + number])
    pixels, mask = drawing.pixels, drawing.mask
    if number == 1:
        pixels, mask = pixels[8:, 8:], np.roll(mask, 6, axis=1)[8:, 8:]
    return Image(np.ascontiguousarray(pixels)), np.ascontiguousarray(mask & (number != 2))


@pytest.fixture(scope="module")
def data() -> DataSet:
    samples = tuple(Sample(name, "benign", partial(read, number)) for number, name in enumerate(NAMES))
    rows = tuple(Row(name, "benign", "e" if name == "e" else "a", 0 if name == "e" else 1) for name in NAMES)
    return DataSet("small", "small:", samples, Folds(rows), "copies", "nobody", "MIT")


def test_pairs_of_a_group_that_have_outlines_are_compared_where_they_are_copies(data: DataSet) -> None:
    told: list[tuple[int, int]] = []
    found = measure(data, lambda done, of: told.append((done, of)))
    assert [(pair.first, pair.second) for pair in found] == [("a", "b"), ("a", "d"), ("b", "d")]
    assert 0.5 < (found[0].agreement or 0) < 0.97
    assert [pair.agreement for pair in found[1:]] == [None, None]
    assert told == [(1, 1)]


def test_a_set_without_groups_says_so(data: DataSet) -> None:
    alone = Folds(tuple(replace(row, group=row.image) for row in data.folds.rows))
    with pytest.raises(UserError, match="nothing was outlined twice"):
        measure(replace(data, folds=alone))


def pairs() -> list[Outlined]:
    values = [("g", 0.9), ("g", 0.8), ("g", 0.7), ("h", 0.4), ("i", None)]
    return [
        Outlined("x", "y", group, "benign", "benign" if n else "malignant", v) for n, (group, v) in enumerate(values)
    ]


def test_the_summary_by_hand() -> None:
    summary = sum_up(pairs())
    assert (summary["pairs"], summary["compared"], summary["apart"]) == (5, 4, 1)
    assert summary["all"]["mean"]["mean"] == pytest.approx(0.7)
    assert summary["all"]["median"]["mean"] == pytest.approx(0.75)
    assert summary["groups_once"]["mean"]["mean"] == pytest.approx((0.8 + 0.4) / 2)
    assert (summary["all"]["mean"]["n"], summary["all"]["mean"]["groups"]) == (4, 2)
    assert summary["classes"]["of two classes"]["mean"]["mean"] == pytest.approx(0.9)
    assert summary["classes"]["benign"]["mean"]["n"] == 3


def test_a_group_that_is_counted_once_weighs_as_one() -> None:
    many = [*pairs(), *(replace(pairs()[3], first=str(n)) for n in range(20))]
    assert sum_up(many)["groups_once"] == sum_up(pairs())["groups_once"]
    assert sum_up(many)["all"]["mean"]["mean"] < sum_up(pairs())["all"]["mean"]["mean"]


def test_what_is_written(tmp_path: Path) -> None:
    write(tmp_path, pairs(), sum_up(pairs()), "small", "sonoseg measure labels")
    with (tmp_path / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == labels.COLUMNS
    assert [row["agreement"] for row in rows] == ["0.9000", "0.8000", "0.7000", "0.4000", ""]
    page = (tmp_path / "labels.md").read_text(encoding="utf-8")
    assert "4 could be laid over each other" in page
    assert "| all pairs | 4 | 2 | 0.700 [" in page


def test_a_mask_agrees_with_itself_nearly_wholly(data: DataSet) -> None:
    found = measure_itself(data, 3)
    assert 1 <= len(found) <= 3
    assert min(found) > 0.9
    assert found == measure_itself(data, 3)
    assert sum_up(pairs(), found)["itself"]["mean"]["n"] == len(found)
