from dataclasses import replace

import pytest

from sonoseg.data.folds import Folds, Row
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError


def test_split_keeps_groups_apart_and_leaves_nobody_out() -> None:
    data = open_set("phantom:60")
    groups = data.folds.groups
    for fold in range(5):
        parts = split(data, fold, validation=0.2)
        sides = [{groups[s.name] for s in part} for part in (parts.training, parts.validation, parts.test)]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]
        assert sum(map(len, (parts.training, parts.validation, parts.test))) == 60
        assert parts.validation


def test_a_smaller_share_of_the_training_lies_in_a_larger_one_by_whole_groups() -> None:
    data = open_set("phantom:120")
    whole = split(data, 1)
    half, quarter = (split(data, 1, share=share) for share in (0.5, 0.25))
    assert half.test == quarter.test == whole.test
    names = [{sample.name for sample in parts.training} for parts in (quarter, half, whole)]
    assert names[0] < names[1] < names[2]
    assert len(names[0]) == pytest.approx(len(names[2]) / 4, abs=4)
    assert len(names[1]) == pytest.approx(len(names[2]) / 2, abs=4)
    groups = data.folds.groups
    assert not {groups[name] for name in names[1]} & {groups[name] for name in names[2] - names[1]}
    normals = [sum(sample.label == "normal" for sample in parts.training) for parts in (half, whole)]
    assert normals[0] == pytest.approx(normals[1] / 2, abs=2)


def test_fold_minus_one_trains_on_all_but_the_excluded() -> None:
    data = open_set("phantom:20")
    rows = (replace(data.folds.rows[0], fold=None, flags=("excluded",)), *data.folds.rows[1:])
    parts = split(replace(data, folds=Folds(rows)), -1)
    assert len(parts.training) == 19
    assert not parts.test


def test_an_overlap_is_an_error_not_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_set("phantom:20")
    leaking = tuple(Row(row.image, row.label, "one", 0) if i < 2 else row for i, row in enumerate(data.folds.rows))
    leaking = (replace(leaking[0], fold=1), *leaking[1:])
    with pytest.raises(UserError, match="one"):
        split(replace(data, folds=Folds(leaking)), 0)
