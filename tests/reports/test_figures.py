from math import nan

import pytest

from sonoseg.reports import figures
from sonoseg.reports.figures import figure


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (figures.number(0.75349), "0.753"),
        (figures.number(-0.02, 2), "−0.02"),
        (figures.number(-0.0, 1), "0.0"),
        (figures.number(None), "–"),
        (figures.number(nan), "–"),
        (figures.number(0.05, sign=True), "+0.050"),
        (figures.number(-0.05, sign=True), "−0.050"),
        (figures.percent(0.923), "92.3\u00a0%"),
        (figures.percent(None), "–"),
        (figures.counted(1, "lesion"), "1 lesion"),
        (figures.counted(0, "lesion"), "0 lesions"),
        (figures.short(0.1), "0.1"),
        (figures.short(-20.0), "−20"),
        (figures.amount(34_512_345), "34.5 M"),
        (figures.amount(9_610_000_000), "9.61 G"),
        (figures.amount(120), "120"),
        (figures.amount(None), "–"),
        (figures.duration(40), "40 s"),
        (figures.duration(720), "12 min"),
        (figures.duration(3.4 * 3600), "3.4 h"),
        (figures.duration(None), "–"),
    ],
)
def test_figures_are_written_for_a_person(written: str, text: str) -> None:
    assert written == text


def test_a_mean_carries_its_interval() -> None:
    found = {"mean": 0.7156, "low": 0.645, "high": 0.783}
    assert figure(found) == "0.716 [0.645, 0.783]"
    assert figure(found, 0, shares=True) == "72 [64, 78] %"
    assert figures.span(found) == "0.645 to 0.783"
    assert figures.span(found, 1, shares=True) == "64.5 to 78.3"
    assert figures.sentence(found) == "0.716 (95\u00a0% interval 0.645 to 0.783)"
    assert figure({"mean": -0.01, "low": -0.02, "high": 0.03}, 2, sign=True) == "−0.01 [−0.02, +0.03]"


def test_what_is_undefined_is_a_dash_or_left_out() -> None:
    alone, nothing = {"mean": 0.5, "low": None, "high": None}, {"mean": None, "low": None, "high": None}
    assert [figure(alone), figures.sentence(alone), figures.span(alone)] == ["0.500", "0.500", "–"]
    assert [figure(nothing), figures.sentence(nothing), figure(nothing, shares=True)] == ["–", "–", "–"]
