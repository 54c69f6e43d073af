from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.experiments.histories import images_per_second, learning, lines_of, machines, seconds_on, train_seconds


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


@pytest.mark.parametrize("unfinished", ['{"epoch": 3', '{"epoch": 3, "loss": 0.', "{", '"epoch'])
def test_a_line_that_is_just_being_written_is_passed_over(tmp_path: Path, unfinished: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1}\n{"epoch": 2}\n' + unfinished)
    assert lines_of(path) == [{"epoch": 1}, {"epoch": 2}]
    path.write_text(unfinished)
    assert lines_of(path) == []


def test_a_last_line_that_is_whole_counts_without_its_end(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}')
    assert lines_of(tmp_path / "history.jsonl") == [{"epoch": 1}, {"epoch": 2}]


@pytest.mark.parametrize("line", [b'{"epoch": 2', b"", b"2", b'"epoch"', b"null", b"[1]", b"epoch\xff", b"\xff\xfe1"])
def test_a_line_that_is_no_table_is_told_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "history.jsonl"
    for after in (b"", b'{"epoch": 3}\n'):
        path.write_bytes(b'{"epoch": 1}\n' + line + b"\n" + after)
        with pytest.raises(UserError, match=r"history\.jsonl, line 2: ") as refused:
            lines_of(path)
        assert "restore it" in refused.value.hint


TIMED = [{"epoch": number, "seconds": float(number)} for number in range(1, 6)]
HERE: dict[str, object] = {"machine": "m", "threads": 2, "precision": "float32", "torch": "2"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(1, {})], [1, 2, 3, 4, 5]),
        ([(1, {"torch": "3"})], [1, 2, 3, 4, 5]),
        ([(1, {"machine": "n"})], []),
        ([(1, {"threads": 1})], []),
        ([(1, {"precision": "bfloat16"})], []),
        ([(1, {"machine": "n"}), (4, {})], [4, 5]),
        ([(1, {}), (2, {"machine": "n"}), (3, {})], [1, 3, 4, 5]),
        ([(3, {})], [3, 4, 5]),
        ([], []),
    ],
)
def test_epochs_count_for_the_machine_that_trained_them(
    told: list[tuple[int, dict[str, object]]], expected: list[float]
) -> None:
    lines = [{"from_epoch": number, **HERE, **other} for number, other in told]
    assert seconds_on(HERE, TIMED, lines) == expected


def test_an_epoch_without_a_clock_tells_no_time() -> None:
    assert seconds_on(HERE, [{"epoch": 1}, {"epoch": 2, "seconds": 3.0}], [{"from_epoch": 1, **HERE}]) == [3.0]
