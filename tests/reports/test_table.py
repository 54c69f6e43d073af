from sonoseg.reports.table import Cell, estimate, markdown


def test_a_mean_carries_its_interval_in_small() -> None:
    assert estimate({"mean": 0.75, "low": 0.7, "high": 0.8}) == Cell("0.750", "0.700 to 0.800")
    assert estimate({"mean": 0.31, "low": 0.27, "high": 0.35}, 1, shares=True) == Cell("31.0\u00a0%", "27.0 to 35.0")
    assert estimate({"mean": 0.75, "low": None, "high": None}) == Cell("0.750")
    assert estimate({"mean": 0.0, "low": 0.0, "high": 0.0}) == Cell("0.000")
    assert estimate({"mean": None, "low": None, "high": None}) == Cell("–")


def test_a_table_in_markdown() -> None:
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert markdown(("a",), [("x|y",)]).endswith("| x\\|y |\n")
