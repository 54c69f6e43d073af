import base64
import io
import re

import numpy as np
import PIL.Image
import pytest

from sonoseg.reports import charts
from sonoseg.reports.charts import Axis, Estimate, Series

UNIT = Axis("x", 0, 1, (0.0, 0.5, 1.0))


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


def paths(svg, style):
    return re.findall(rf'<path class="{style}[^"]*" d="([^"]*)"', svg)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.052, 0.031), (0, 1373), (0.75, 0.98), (3, 3)])
def test_linear_axis_has_round_ends_around_the_values(low, high):
    axis = charts.linear_axis("x", low, high)
    assert axis.low <= low
    assert axis.high >= high
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 8
    assert np.diff(axis.ticks) == pytest.approx(axis.ticks[1] - axis.ticks[0])
    assert (axis.low, axis.high) == (axis.ticks[0], axis.ticks[-1])


def test_log_axis_gives_factors_equal_room():
    axis = charts.log_axis("size", 0.2, 60)
    assert axis.ticks == (0.3, 1, 3, 10, 30)
    one, ten, hundred = axis.place([0.3, 3, 30])
    assert ten - one == pytest.approx(hundred - ten)


def test_values_beyond_the_ends_lie_on_them():
    assert UNIT.place([-1, 0.25, 7]).tolist() == [0, 0.25, 1]


def test_ticks_are_written_with_a_true_minus():
    assert UNIT.write(-0.05) == "−0.05"


def test_plot_puts_values_where_they_belong():
    svg = charts.plot("T", UNIT, UNIT, [Series("a", 1, [0, 1], [0, 1])], "a line")
    (line,) = paths(svg, "line c1")
    assert numbers(line) == [charts.LEFT, charts.BOTTOM, charts.RIGHT, charts.TOP]


def test_undefined_points_are_left_out_and_empty_series_are_none():
    nothing, dots = Series("", 1, [], []), Series("", 2, [0.5, np.nan], [0.5, 0.5], dots=True)
    svg = charts.plot("", UNIT, UNIT, [nothing, dots], "dots")
    assert paths(svg, "line c1") == []
    assert paths(svg, "dots c2")[0].count("M") == 1
    assert "nan" not in svg


def test_text_is_escaped():
    svg = charts.plot("<b>", UNIT, UNIT, [Series("<i>", 1, [0], [0])], '"<u>"')
    assert not re.search("<[biu]>", svg)
    assert 'aria-label="&#34;&lt;u&gt;&#34;"' in svg


def test_intervals_draw_mean_inner_and_outer():
    row = Estimate("a", 3, 0.5, 0.25, 0.75, "0.5", outer=(0.0, 1.0))
    svg = charts.intervals("T", UNIT, [row], "one", lines=(0.0, 0.5))
    (inner,), (outer,) = paths(svg, "inner"), paths(svg, "outer")
    left, _, right = numbers(inner)
    outer_left, _, outer_right = numbers(outer)
    assert outer_left < left < numbers(*paths(svg, "mean"))[0] < right < outer_right
    assert len(paths(svg, "zero")) == len(paths(svg, "margin")) == 1


def test_undefined_estimates_are_named_but_not_drawn():
    rows = [Estimate("a", 1, None, None, None, "–"), Estimate("b", 2, 0.5, None, None, "0.5")]
    svg = charts.intervals("T", UNIT, rows, "two")
    assert ">a<" in svg
    assert paths(svg, "inner") == []
    assert len(paths(svg, "mean")) == 1
    assert "nan" not in svg


def test_scan_is_a_small_picture_of_the_same_shape():
    head, _, body = charts.scan(np.full((500, 1000), 90, np.uint8)).partition(",")
    picture = PIL.Image.open(io.BytesIO(base64.b64decode(body)))
    assert head == "data:image/jpeg;base64"
    assert picture.size == (charts.PICTURE_SIDE, charts.PICTURE_SIDE // 2)
    assert np.asarray(picture) == pytest.approx(90, abs=2)


def test_outline_of_a_pixel_by_hand():
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    # Its sides' middles, in half pixels: (5, 2), (6, 3), (5, 4), (4, 3).
    assert charts.outline(mask) == "M5 2l1 1 -1 1 -1 -1z"


def test_outline_has_every_component_and_hole():
    mask = np.zeros((20, 30), bool)
    mask[2:10, 2:10] = True
    mask[4:7, 4:7] = False
    mask[12:18, 20:28] = True
    assert charts.outline(mask).count("M") == 3
    assert charts.outline(np.zeros((4, 4), bool)) == ""
