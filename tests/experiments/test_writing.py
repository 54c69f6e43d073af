from sonoseg.experiments.writing import figure, table


def test_figures_with_and_without_intervals() -> None:
    assert figure({"mean": 0.7156, "low": 0.645, "high": 0.783}) == "0.716 [0.645, 0.783]"
    assert figure({"mean": -0.01, "low": -0.02, "high": 0.03}, 2, sign=True) == "−0.01 [−0.02, +0.03]"
    assert figure({"mean": 0.5, "low": None, "high": None}) == "0.500"
    assert figure({"mean": None, "low": None, "high": None}) == "–"


def test_a_table_in_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
