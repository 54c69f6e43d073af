import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sonoseg.data.folds import Folds
from sonoseg.data.samples import DataSet
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.judging import judge
from sonoseg.experiments import leakage
from sonoseg.experiments.benchmark import Progress
from sonoseg.experiments.leakage import Trial, compare, missing, random_folds, sum_up, train_arm, write
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, of_run

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")
PLAN = Trial(RECIPE, (0, 1))


def silent(seen: list[str]) -> Progress:
    watch = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: seen.append("epoch"))
    return Progress(lambda number, of, name, hours: seen.append(name), watch, lambda done, of: None)


@pytest.fixture(scope="module")
def data() -> DataSet:
    """Phantoms of which one image has a copy of the same bytes, in its group, that random folds part from it."""
    whole = open_set("phantom:20")
    for first, second in pairs(whole):
        drawn = {row.image: row.fold for row in random_folds(whole, 0).folds.rows}
        if drawn[first] == 0 and drawn[second] != 0:
            samples = {sample.name: sample for sample in whole.samples}
            samples[second] = replace(samples[second], read=samples[first].read)
            return replace(whole, samples=tuple(samples.values()))
    raise AssertionError("no such pair")


def pairs(data: DataSet) -> Iterator[tuple[str, str]]:
    groups = data.folds.groups
    return ((a, b) for a in groups for b in groups if a != b and groups[a] == groups[b])


@pytest.fixture(scope="module")
def out(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leakage")
    assert missing(PLAN, folder) == ["grouped", "random"]
    train_arm("random", PLAN, data, folder, silent([]))
    assert missing(PLAN, folder) == ["grouped"]
    train_arm("grouped", PLAN, data, folder, silent([]))
    assert missing(PLAN, folder) == []
    return folder


def test_random_folds_part_groups_balance_classes_and_leave_the_same_images_out() -> None:
    data = open_set("phantom:60")
    excluded = replace(data.folds.rows[0], fold=None)
    group = excluded.group
    rows = tuple(replace(row, fold=None) if row.group == group else row for row in data.folds.rows)
    data = replace(data, folds=Folds(rows))
    drawn = random_folds(data, 0)
    assert [row.fold is None for row in drawn.folds.rows] == [row.fold is None for row in rows]
    assert any(drawn.folds.groups[a] != drawn.folds.groups[b] for a, b in pairs(data))
    counts = [sum(row.fold == fold and row.label == "benign" for row in drawn.folds.rows) for fold in range(5)]
    assert max(counts) - min(counts) <= 1
    assert random_folds(data, 0).folds == drawn.folds
    assert random_folds(data, 1).folds != drawn.folds


def test_what_stands_is_kept(data: DataSet, out: Path) -> None:
    seen: list[str] = []
    train_arm("random", PLAN, data, out, silent(seen))
    assert seen == ["random folds, unet fold 0 seed 0", "random folds, unet fold 1 seed 0"]


def test_only_this_measurement_judges_on_copies_that_were_trained_on(data: DataSet, out: Path) -> None:
    leaking = of_run(PLAN.cells[0].folder(out / "random"))
    with pytest.raises(UserError, match="was in the training"):
        judge(leaking, random_folds(data, 0))
    with pytest.raises(UserError, match="was in the training"):
        judge(leaking, data)


def test_images_are_paired_and_copies_counted(data: DataSet, out: Path) -> None:
    rows = compare(PLAN, data, out)
    random = {row.image: row.fold for row in random_folds(data, 0).folds.rows}
    grouped = {row.image: row.fold for row in data.folds.rows}
    assert {row["image"] for row in rows} == {
        name for name in random if random[name] in (0, 1) or grouped[name] in (0, 1)
    }
    for row in rows:
        company = [b for a, b in pairs(data) if a == row["image"] and random[b] != random[a]]
        assert row["copies_in_random_training"] == len(company)
        lesion = row["label"] != "normal"
        assert math.isnan(row["dice_grouped"]) == (not lesion or grouped[row["image"]] not in (0, 1))
        assert math.isnan(row["dice_random"]) == (not lesion or random[row["image"]] not in (0, 1))


def made(count: int = 40, luck: float = 0.02, leak: float = 0.05) -> list[dict[str, object]]:
    """Groups of two; with copies in training the random arm is better by ``luck + leak``, else by ``luck``."""
    rows = []
    for number in range(count):
        copies = int(number % 4 < 2)
        dice = 0.5 + 0.01 * (number % 7)
        values = (f"i{number}", "benign", f"g{number // 2}", 0, 0, copies, dice, dice + luck + leak * copies)
        rows.append(dict(zip(leakage.COLUMNS, values, strict=True)))
    return rows


def test_the_leak_is_told_from_the_luck_of_the_split() -> None:
    gains = sum_up(made(), (0,))["random_minus_grouped"]
    assert gains["with_copy"]["mean"] == pytest.approx(0.07)
    assert gains["without_copy"]["mean"] == pytest.approx(0.02)
    assert (gains["beyond"]["mean"], gains["beyond"]["low"]) == (pytest.approx(0.05), pytest.approx(0.05))
    assert gains["all"]["mean"] == pytest.approx(0.045)


def test_no_leak_is_found_where_there_is_none() -> None:
    gains = sum_up(made(leak=0.0), (0,))["random_minus_grouped"]
    assert gains["beyond"]["mean"] == pytest.approx(0, abs=1e-9)
    assert gains["all"]["mean"] == pytest.approx(gains["with_copy"]["mean"])


def test_images_that_one_arm_did_not_judge_are_not_paired() -> None:
    rows = made()
    for row in rows[:10]:
        row |= {"dice_random": math.nan, "random_fold": 3}
    summary = sum_up(rows, (0,))
    assert summary["arms"]["grouped"]["n"] == 40
    assert summary["arms"]["random"]["n"] == summary["random_minus_grouped"]["all"]["n"] == 30
    assert summary["tested_with_a_copy"]["all"]["n"] == 30


def test_what_is_written(tmp_path: Path) -> None:
    summary = sum_up(made(), (0,))
    write(
        tmp_path, made(), summary, {"data": "phantom", "folds": [0], "settings": {"size": 32}, "command": "sonoseg x"}
    )
    with (tmp_path / "leakage.csv").open(encoding="utf-8") as file:
        assert tuple(next(csv.DictReader(file))) == leakage.COLUMNS
    assert json.loads((tmp_path / "summary.json").read_text())["arms"] == summary["arms"]
    page = (tmp_path / "leakage.md").read_text(encoding="utf-8")
    assert "50 % of the test images" in page
    assert "| **what the copies did** | 40 | +0.050 [+0.050, +0.050] |" in page
