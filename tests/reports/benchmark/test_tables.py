from math import nan

import pytest

from sonoseg.evaluation.breakdown import Difference, lesion_scores
from sonoseg.evaluation.intervals import Interval
from sonoseg.reports.benchmark import tables
from sonoseg.reports.benchmark.tables import Cell


def case(image, model="a", dice=0.5, **changes):
    row = {"image": image, "label": "benign", "group": image, "model": model, "fold": 0, "seed": 0}
    return row | {"tp": 50, "fp": 0, "fn": 0, "tn": 950, "dice": dice} | changes


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (tables.number(0.75349), "0.753"),
        (tables.number(-0.02, 2), "−0.02"),
        (tables.number(None), "–"),
        (tables.number(nan), "–"),
        (tables.percent(0.923), "92.3\u00a0%"),
        (tables.percent(None), "–"),
        (tables.amount(34_512_345), "34.5 M"),
        (tables.amount(9_610_000_000), "9.61 G"),
        (tables.amount(120), "120"),
        (tables.amount(None), "–"),
        (tables.duration(40), "40 s"),
        (tables.duration(720), "12 min"),
        (tables.duration(3.4 * 3600), "3.4 h"),
        (tables.signed(0.05), "+0.050"),
        (tables.signed(-0.05), "−0.050"),
    ],
)
def test_figures_are_written_for_a_person(written, text):
    assert written == text


def test_a_mean_carries_its_interval():
    assert tables.estimate(Interval(0.75, 0.7, 0.8, 10, 9)) == Cell("0.750", "0.700 to 0.800")
    assert tables.estimate(Interval(0.31, 0.27, 0.35, 10, 9), 1, shares=True) == Cell("31.0\u00a0%", "27.0 to 35.0")
    assert tables.estimate(Interval(0.75, nan, nan, 1, 1)) == Cell("0.750")
    assert tables.estimate(Interval(nan, nan, nan, 0, 0)) == Cell("–")


def test_differences_name_who_is_ahead():
    alone, together = Interval(-0.05, -0.08, -0.02, 9, 9), Interval(-0.05, -0.09, -0.01, 9, 9)
    table = tables.difference_table([Difference("a", "b", alone, together), Difference("a", "c", alone, alone)])
    assert [head.text for head in table.heads][3] == "Adjusted interval"
    assert [cell.text for cell in table.rows[0][1]] == ["−0.050", "−0.080 to −0.020", "−0.090 to −0.010", "b is ahead"]
    single = tables.difference_table([Difference("a", "b", alone, Interval(-0.05, -0.1, 0.01, 9, 9))])
    assert [cell.text for cell in single.rows[0][1]] == ["−0.050", "−0.080 to −0.020", "not told apart"]


def test_thresholds_count_images():
    table = tables.threshold_table(
        lesion_scores([case(str(i), dice=dice) for i, dice in enumerate((0.9, 0.8, 0.3, 0))])
    )
    assert [cell.text.rstrip("\u00a0%") for cell in table.rows[0][1]] == ["25.0", "50.0", "50.0", "50.0", "25.0"]


def test_seeds_show_their_spread():
    table = tables.seed_table({"a": {0: 0.7, 1: 0.8}, "b": {1: 0.6}})
    assert [cell.text for cell in table.rows[0][1]] == ["0.700", "0.800", "0.100", "0.071"]
    assert [cell.text for cell in table.rows[1][1]] == ["–", "0.600", "–", "–"]


def test_confidence_sets_the_least_certain_aside():
    rows = [case(str(i), dice=i / 10, confidence=i / 10) for i in range(10)]
    table = tables.confidence_table(lesion_scores(rows))
    assert [cell.text for cell in table.rows[0][1]] == ["0.450", "0.500", "0.550", "0.700"]


def test_pictured_images_are_named():
    scores = lesion_scores([case("x", dice=0.9), case("x", "b", dice=0.7)])
    table = tables.image_table(scores, {"best": ["x"], "false alarms": ["normal"]})
    assert [(name, [cell.text for cell in cells]) for name, cells in table.rows] == [
        ("x", ["best", "5.0\u00a0%", "0.900", "0.700"])
    ]
