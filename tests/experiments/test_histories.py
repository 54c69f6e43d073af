from pathlib import Path

from sonoseg.experiments.histories import images_per_second, learning, lines_of, machines, train_seconds


def test_the_time_of_a_run_is_the_median_and_unknown_before_it_was_noted() -> None:
    runs = [[{"seconds": 1.0}, {"seconds": 2.0}], [{"seconds": 5.0}]]
    assert train_seconds(runs) == 4.0
    elsewhere = [{"seconds": 900.0}]
    assert train_seconds([*runs, elsewhere]) == 5.0
    assert train_seconds([*runs, [{"epoch": 1}]]) is None
    assert train_seconds([]) is None


def test_speed_and_machines_of_the_runs() -> None:
    slow, fast = ([{"seconds": 2.0, "images_per_second": speed}] for speed in (10.0, 30.0))
    assert images_per_second([slow, fast]) == 20
    slower = [{"seconds": 1000.0, "images_per_second": 1.0}]
    assert images_per_second([slow, fast, fast, slower]) == 20
    assert images_per_second([[*slow, {"seconds": 6.0, "images_per_second": 2.0}]]) == 4
    assert images_per_second([slow, [{"seconds": 2.0}]]) is None
    here, there = {"machine": "m", "threads": 1}, {"machine": "n", "threads": 2}
    told = [
        [{"from_epoch": 1, **here}, {"from_epoch": 7, **here}],
        [{"from_epoch": 1, **here}, {"from_epoch": 3, **there}],
        [],
    ]
    assert machines(told) == [{**here, "runs": 2}, {**there, "runs": 1}]


def test_a_curve_is_the_mean_of_the_runs_that_have_the_epoch() -> None:
    runs = [
        [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}],
        [{"epoch": 1, "loss": 2.0, "validation_dice": 0.25}],
    ]
    assert learning(runs) == {"loss": {"x": [1, 2], "y": [1.5, 0.5]}, "validation_dice": {"x": [1], "y": [0.25]}}
    assert learning([]) == {}


def test_a_history_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "none.jsonl") == []
    (tmp_path / "some.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    assert lines_of(tmp_path / "some.jsonl") == [{"epoch": 1}, {"epoch": 2}]
