from rows import row
from sonoseg.evaluation.summary import sum_up
from sonoseg.reports.benchmark import tables
from sonoseg.reports.table import Cell


def texts(table):
    return [[cell.text for cell in cells] for _, cells in table.rows]


def difference(low, high, ahead, alike=False, second="b"):
    mean = (low + high) / 2
    told = {"first": "a", "second": second, "mean": mean, "low": low, "high": high, "ahead": ahead, "alike": alike}
    return told | {"adjusted": {"low": low - 0.01, "high": high + 0.01}}


def test_differences_name_who_is_ahead_and_who_are_alike():
    both = [difference(-0.08, -0.02, "b"), difference(-0.003, 0.003, None, alike=True, second="c")]
    table = tables.difference_table({"differences": both, "margin": 0.015})
    assert [head.text for head in table.heads][3] == "Adjusted interval"
    assert texts(table)[0] == ["−0.050", "−0.080 to −0.020", "−0.090 to −0.010", "b is ahead"]
    assert texts(table)[1][-1] == "no difference within 1.5 points"
    single = tables.difference_table({"differences": [difference(-0.08, 0.02, None)], "margin": 0.015})
    assert texts(single) == [["−0.030", "−0.080 to +0.020", "not told apart"]]


def test_thresholds_count_images():
    summary = sum_up([row(str(i), dice=dice) for i, dice in enumerate((0.9, 0.8, 0.3, 0))])
    assert [text.rstrip("\u00a0%") for text in texts(tables.threshold_table(summary))[0]] == [
        "25.0", "50.0", "50.0", "50.0", "25.0"
    ]  # fmt: skip


def test_seeds_show_their_spread():
    rows = [row("x", seed=0, dice=0.7), row("x", seed=1, dice=0.8), row("x", "b", seed=1, dice=0.6)]
    table = tables.seed_table(sum_up(rows))
    assert [head.text for head in table.heads] == ["Model", "seed 0", "seed 1", "Range", "Standard deviation"]
    assert texts(table) == [["0.700", "0.800", "0.100", "0.071"]]
    assert tables.seed_table(sum_up(rows[:1])) is None


def test_confidence_sets_the_least_certain_aside():
    rows = [row(str(i), dice=i / 10, confidence=i / 10) for i in range(10)]
    table = tables.confidence_table(sum_up(rows))
    assert texts(table) == [["0.450", "0.500", "0.550", "0.700"]]
    assert table.heads[3].text == "most certain 80\u00a0%"


def test_presence_is_told_of_those_that_have_it():
    rows = [row("x", presence=0.9, confidence=0.5), row("n", lesion=0, presence=0.2, confidence=0.9), row("x", "b")]
    table = tables.presence_table(sum_up(rows))
    assert [name for name, _ in table.rows] == ["a"]
    assert texts(table)[0][0].startswith("1.000")
    assert texts(table)[0][1:] == ["0.750", "0.750", "0.750", "1.000"]


def test_pictured_images_are_named():
    rows = [row("x", dice=0.9), row("x", "b", dice=0.7), row("n", lesion=0, fp=9, tn=991, drawn=1, drawn_pixels=9)]
    assert tables.image_table(sum_up(rows)).rows == (
        ("x", (Cell("best"), Cell("5.0\u00a0%"), Cell("0.900"), Cell("0.700"))),
    )


def test_parts_by_size_tell_where_they_were_cut():
    rows = [row(str(i), lesion=10 * i, dice=i / 10) for i in range(1, 10)]
    names = [name for name, _ in tables.strata_table(sum_up(rows)).rows]
    assert names[:4] == [
        "By lesion size", "small: up to 3.7\u00a0% of the image", "medium: 3.7 to 6.3\u00a0%", "large: over 6.3\u00a0%"
    ]  # fmt: skip


def test_hd95_stands_with_its_median_and_where_something_is_drawn():
    summary = sum_up([row(str(i), hd95=float(i)) for i in range(9)] + [row("9", hd95=500.0, drawn=0, tp=0, fn=50)])
    heads = [head.text for head in tables.lesion_table(summary).heads]
    cells = dict(zip(heads[1:], texts(tables.lesion_table(summary))[0], strict=True))
    assert (cells["HD95"], cells["HD95, median"], cells["HD95 where drawn"]) == ("53.6", "4.5", "4.0")


def test_calibration_is_told_image_by_image_where_it_is_known():
    told = {"ece": 0.1, "bins": []}
    assert texts(tables.calibration_table({"calibration": {"a": told}})) == [["0.100"]]
    interval = {"mean": 0.1, "low": 0.05, "high": 0.2}
    more = told | {"ece_interval": interval, "per_image": interval | {"mean": 0.15}}
    assert texts(tables.calibration_table({"calibration": {"a": more}})) == [["0.100", "0.150"]]
