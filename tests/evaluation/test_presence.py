import math

import numpy as np
import pytest

from rows import row
from sonoseg.evaluation.cases import table
from sonoseg.evaluation.presence import THRESHOLDS, auc, curve, summarise


def test_the_auc_is_the_share_of_pairs_in_order_and_its_interval_draws_groups() -> None:
    generator = np.random.default_rng(0)
    lesions, normals = generator.random(40).round(1) + 0.3, generator.random(25).round(1)
    rows = [row(f"l{i}", presence=value, group=f"g{i // 2}") for i, value in enumerate(lesions)]
    rows += [row(f"n{i}", lesion=0, presence=value) for i, value in enumerate(normals)]
    found = auc(table([*rows, row("untold")]))
    pairs = [(a > b) + (a == b) / 2 for a in lesions for b in normals]
    assert found.mean == pytest.approx(np.mean(pairs))
    assert found.low < found.mean < found.high <= 1
    assert (found.n, found.groups) == (65, 45)
    assert auc(table(rows[::-1])) == found
    assert math.isnan(auc(table(rows[:40])).mean)


def test_the_interval_is_wider_where_images_come_in_groups() -> None:
    values = np.random.default_rng(1).random(60)
    alone, grouped = (
        auc(table([row(f"{i}", lesion=i % 2, presence=v, group=f"{i // each}") for i, v in enumerate(values)]))
        for each in (1, 20)
    )
    assert alone.mean == grouped.mean
    assert alone.groups == 60
    assert grouped.groups == 3


def test_the_curve_is_what_silenced_rows_score() -> None:
    generator = np.random.default_rng(2)
    rows = [
        row(f"{i % 30}", lesion=50 * (i % 3 > 0), dice=generator.random(), presence=generator.random(), seed=i // 30,
            drawn=i % 2, height=20, width=50)
        for i in range(60)
    ]  # fmt: skip
    told = curve(rows)
    for place in (0, 10, 40, len(THRESHOLDS) - 1):
        silenced = table([case.silenced(THRESHOLDS[place]) for case in rows]).rows
        assert told.dice[place] == pytest.approx(np.mean([case.dice for case in silenced if case.has_lesion]))
        assert told.drawn[place] == pytest.approx(np.mean([case.drawn for case in silenced if not case.has_lesion]))
    assert np.isnan(curve(rows[1:3]).drawn).all()
    assert told.drawn[0] > told.drawn[-1]


def test_without_a_head_for_presence_nothing_is_told() -> None:
    assert summarise(table([row("x")])) == {}
    told = summarise(table([row("x", presence=0.9), row("n", lesion=0, presence=0.2)]))
    assert told["auc"]["mean"] == 1
    assert set(map(len, told["curve"].values())) == {len(THRESHOLDS)}
