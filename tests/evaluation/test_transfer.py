from pathlib import Path

import numpy as np
import pytest

from rows import judged
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case
from sonoseg.evaluation.transfer import drops
from sonoseg.learning.run import runs_in


def rows(place: str, shift: int, images: int = 12, model: str = "unet", fold: int = 0) -> list[Case]:
    """Bars of 20 rows, drawn too low by ``shift`` and up to 2 more; the last image is a normal."""
    cases = []
    for number in range(images):
        truth, drawn = np.zeros((60, 30), bool), np.zeros((60, 30), bool)
        truth[10:30] = number < images - 1
        drawn[10 + shift + number % 3 : 30 + shift + number % 3] = True
        keys = {"image": f"{place} {number}", "label": "benign", "group": f"{place} {number // 2}"}
        cases.append(judged(drawn, truth, **keys, model=model, fold=fold, seed=0))
    return cases


def test_the_drop_is_the_difference_of_the_means_on_lesion_images() -> None:
    found = drops(rows("home", 0), rows("away", 4, 9))["unet"]
    assert found["drop"]["mean"] == pytest.approx(found["home"]["mean"] - found["away"]["mean"], abs=1e-6)
    assert found["drop"]["low"] < found["drop"]["mean"] < found["drop"]["high"]
    assert (found["home"]["n"], found["away"]["n"]) == (11, 8)
    assert found["away"]["mean"] == pytest.approx(np.mean([0.8, 0.75, 0.7] * 2 + [0.8, 0.75]), abs=1e-6)


def test_runs_of_several_folds_are_averaged_for_each_image() -> None:
    away = rows("away", 0) + rows("away", 4, fold=1)
    assert drops(rows("home", 0), away)["unet"]["away"]["n"] == 11


def test_other_models_and_the_same_images_do_not_compare() -> None:
    assert drops(rows("home", 0, model="attention-unet"), rows("away", 1)) == {}
    with pytest.raises(UserError, match="same images"):
        drops(rows("home", 0), rows("home", 1))


def test_runs_of_a_benchmark_are_its_cells(tmp_path: Path) -> None:
    assert runs_in(tmp_path) == [tmp_path]
    (tmp_path / "cells" / "b").mkdir(parents=True)
    with pytest.raises(UserError, match="without weights"):
        runs_in(tmp_path)
    (tmp_path / "cells" / "b" / "model.safetensors").touch()
    assert runs_in(tmp_path) == [tmp_path / "cells" / "b"]
