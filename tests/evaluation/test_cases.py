import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rows import judged, row
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS, COUNTS, LATER, MEASURES, by_model, read_cases, table
from sonoseg.evaluation.cases import write_cases as write
from sonoseg.evaluation.metrics import measure
from sonoseg.files import write_csv

RESULTS = Path(__file__).parents[2] / "results"
TRUTH, DRAWN = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
TRUTH[10:20, 10:30] = DRAWN[12:22, 10:30] = True
KEYS = {"image": "x", "label": "benign", "group": "g", "model": "m", "fold": 0, "seed": 0}


def test_the_columns_are_those_that_measuring_gives_in_its_order() -> None:
    found = measure(DRAWN, TRUTH, DRAWN * 0.9, (0.1, 0.1))
    assert tuple(found) == MEASURES
    assert {name for name, value in found.items() if isinstance(value, int)} == set(COUNTS)


def test_a_case_knows_its_lesion_and_what_silence_would_score() -> None:
    case = judged(DRAWN, TRUTH, **KEYS)
    assert case.has_lesion
    assert case.lesion_share == case.drawn_share == 200 / 2000
    silent = judged(np.zeros_like(TRUTH), TRUTH, **KEYS)
    for name in (*MEASURES, "height", "width"):
        assert getattr(case.silent, name) == pytest.approx(getattr(silent, name), nan_ok=True), name
    normal = judged(DRAWN, np.zeros_like(TRUTH), **KEYS)
    assert not normal.has_lesion
    for name in MEASURES:
        quiet = judged(np.zeros_like(TRUTH), np.zeros_like(TRUTH), **KEYS)
        assert getattr(normal.silent, name) == pytest.approx(getattr(quiet, name), nan_ok=True), name


def test_cases_survive_the_file(tmp_path: Path) -> None:
    cases = [judged(DRAWN, TRUTH, **KEYS), judged(DRAWN, DRAWN & False, **KEYS), row("y", confidence=0.3, marks=1)]
    write(tmp_path / "cases.csv", cases)
    for case, read in zip(cases, read_cases(tmp_path / "cases.csv"), strict=True):
        for name in COLUMNS:
            expected = getattr(case, name)
            if isinstance(expected, float):
                assert getattr(read, name) == pytest.approx(expected, rel=1e-5, nan_ok=True)
            else:
                assert getattr(read, name) == expected
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="not a table of cases"):
        read_cases(tmp_path / "other.csv")


def test_a_committed_table_is_written_again_as_it_was(tmp_path: Path) -> None:
    for name in ("default", "busi-to-bus-bra"):
        write(tmp_path / "again.csv", read_cases(RESULTS / name / "cases.csv"))
        assert (tmp_path / "again.csv").read_bytes() == (RESULTS / name / "cases.csv").read_bytes()


def test_tables_of_earlier_versions_are_read(tmp_path: Path) -> None:
    old = tuple(name for name in COLUMNS if name not in LATER)
    case = judged(DRAWN, TRUTH, **KEYS)
    write_csv(tmp_path / "old.csv", old, [{name: getattr(case, name) for name in old}])
    (again,) = read_cases(tmp_path / "old.csv")
    assert all(math.isnan(getattr(again, name)) for name in LATER)
    assert again.tp == case.tp
    assert math.isnan(again.silent.hd95)
    assert again.silent.dice == 0


def test_runs_are_averaged_for_each_image() -> None:
    rows = [row("x", dice=0.2), row("y", dice=0.9), row("x", dice=0.6, seed=1)]
    found = table(rows)
    assert [(case.image, case.dice) for case in found.rows] == [("x", 0.4), ("y", 0.9)]
    assert found.runs == ((0, 0), (0, 1))
    assert found.column("dice").values.tolist() == [0.4, 0.9]
    assert found.column("dice").recipes == (("a", 0), ("a", 0))
    part = found.part(case.image == "y" for case in found.rows)
    assert [case.image for case in part.rows] == ["y"]
    assert part.column("dice").values.tolist() == [0.9]
    assert table([]).column("dice").values.shape == (0,)


def test_an_undefined_measure_of_one_run_leaves_that_of_the_others() -> None:
    rows = [row("x", precision=math.nan), row("x", seed=1, precision=0.5)]
    assert table(rows).rows[0].precision == 0.5
    assert table(rows).column("precision").values.tolist() == [0.5]


def test_rows_are_sorted_by_model_in_order_of_appearance() -> None:
    rows = [row("x", "b"), row("x", "a"), replace(row("y", "b"), fold=1)]
    assert {model: [case.image for case in of] for model, of in by_model(rows).items()} == {"b": ["x", "y"], "a": ["x"]}


def test_a_silenced_case_is_what_the_predictor_would_have_drawn() -> None:
    case = judged(DRAWN, TRUTH, **KEYS, presence=0.3, diameter=20.0, true_diameter=20.0)
    assert case.silenced(0.3) == case
    assert judged(DRAWN, TRUTH, **KEYS).silenced(1).drawn == 1
    quiet = case.silenced(0.31)
    assert (quiet.dice, quiet.drawn, quiet.presence, quiet.confidence) == (0, 0, 0.3, 0.7)
    assert math.isnan(quiet.diameter)
    assert quiet.true_diameter == 20
    assert quiet.study_accuracy == case.study_accuracy
    normal = judged(DRAWN, TRUTH & False, **KEYS, presence=0.3)
    assert (case.score, normal.score, normal.silenced(0.5).score) == (case.dice, 0, 1)


def test_what_no_row_tells_has_no_column(tmp_path: Path) -> None:
    write(tmp_path / "cases.csv", [row("x")])
    assert "presence" not in (tmp_path / "cases.csv").read_text(encoding="utf-8")
    write(tmp_path / "cases.csv", [row("x", true_diameter=20.0)])  # nothing was drawn
    assert (
        (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()[0].endswith(",marks,diameter,true_diameter")
    )
    write(tmp_path / "cases.csv", [row("x", presence=0.25), row("y")])
    assert [case.presence for case in read_cases(tmp_path / "cases.csv")] == pytest.approx(
        [0.25, math.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace(b",963,", b",many,"), "line 2: could not convert string to float: 'many'"),
        (lambda text: text.replace(b",963,", b",963.5,"), "line 2: tp is 963.5; a whole number is needed"),
        (lambda text: text.replace(b",963,", b",inf,"), "line 2: "),
        (lambda text: text[:-40], "has another number of fields"),
        (lambda text: text + b"a,b", "has another number of fields"),
        (lambda text: text.replace(b"unet", b"\xff"), "is damaged"),
    ],
)
def test_a_damaged_table_is_refused_by_line(tmp_path: Path, damage: object, message: str) -> None:
    text = (RESULTS / "busi-four-unets" / "cases.csv").read_bytes()
    (tmp_path / "cases.csv").write_bytes(damage(text))  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        read_cases(tmp_path / "cases.csv")
