import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import read_cases, write_cases
from sonoseg.evaluation.entries import write_template
from sonoseg.evaluation.given import judge_given
from sonoseg.evaluation.leaderboard import BENCHMARKED, DECLARED, UNDECLARED, find, summarise, trained_on
from sonoseg.evaluation.summary import of_set, sum_up, write_tables
from sonoseg.experiments.scoring import score
from sonoseg.images.image import Image

DATA = open_set("phantom:20")
RESULTS = Path(__file__).parents[2] / "results"


def below(level: int) -> Callable[[Image], NDArray[np.bool_]]:
    return lambda image: np.asarray(image.pixels < level)


def enter(folder: Path, level: int, folds: list[int], held_out: bool = True, seed: int = 0) -> Path:
    """An entry of what is darker than a level."""
    folder.mkdir(parents=True)
    name = folder.name
    write_cases(folder / "cases.csv", judge_given(below(level), DATA, folds, name, seed).cases)
    write_template(folder / "entry.toml", name, "phantom", DATA.folds, folds, [seed])
    shutil.copy(folders_csv(folder.parent), folder / "folds.csv")
    text = (folder / "entry.toml").read_text(encoding="utf-8")
    for old, new in (
        ('trained_on = ""', 'trained_on = "a level"'),
        ('licence = ""', 'licence = "CC0"'),
        ("held_out = false", f"held_out = {str(held_out).lower()}"),
    ):
        text = text.replace(old, new)
    (folder / "entry.toml").write_text(text, encoding="utf-8")
    return folder


def folders_csv(folder: Path) -> Path:
    from sonoseg.data import folds

    folds.write(folder / "folds.csv", DATA.folds)
    return folder / "folds.csv"


def benchmark(folder: Path, level: int, folds: list[int], model: str, **told: Any) -> None:
    """What a benchmark leaves."""
    found = judge_given(below(level), DATA, folds, model)
    summary = sum_up(found.cases) | {"data": of_set(DATA), "settings": {"size": 64}} | told
    write_tables(folder, found.cases, (), summary)
    folders_csv(folder)


def board(*places: Path) -> dict[str, Any]:
    return summarise(find(places)[0], "sonoseg leaderboard")


def test_each_choice_of_folds_is_a_section_of_those_who_were_judged_on_all_of_it(tmp_path: Path) -> None:
    enter(tmp_path / "whole", 90, [0, 1, 2, 3, 4])
    enter(tmp_path / "first", 60, [0], held_out=False)
    enter(tmp_path / "two", 80, [0, 1], seed=5)
    found = board(tmp_path)
    shown = {tuple(each["folds"]): {entry["name"] for entry in each["entries"]} for each in found["sections"]}
    assert shown == {(0, 1, 2, 3, 4): {"whole"}, (0, 1): {"whole", "two"}, (0,): {"whole", "two", "first"}}
    last = found["sections"][-1]
    images = len(DATA.folds.test(0))
    assert all(entry["all"]["images"] == images for entry in [*last["entries"], last["nothing"]])
    told = {entry["name"]: entry for entry in last["entries"]}
    assert told["two"]["folds"] == [0, 1]
    assert told["two"]["seeds"] == [5]
    assert (told["whole"]["held_out"], told["first"]["held_out"]) == (DECLARED, UNDECLARED)
    assert {entry["trained_on"] for entry in last["entries"]} == {"a level"}


def test_the_best_mean_stands_first_and_the_others_are_compared_with_it(tmp_path: Path) -> None:
    for name, level in (("low", 30), ("middle", 60), ("high", 90)):
        enter(tmp_path / name, level, [0, 1])
    (section,) = board(tmp_path)["sections"]
    means = [entry["lesion"]["dice"]["mean"] for entry in section["entries"]]
    assert means == sorted(means, reverse=True)
    assert section["entries"][0]["behind"] is None
    for entry, mean in list(zip(section["entries"], means, strict=True))[1:]:
        assert entry["behind"]["mean"] == pytest.approx(means[0] - mean, abs=1e-5)
        assert entry["behind"]["low"] <= entry["behind"]["mean"] <= entry["behind"]["high"]
    assert section["nothing"]["lesion"]["dice"]["mean"] == 0
    json.dumps(section, allow_nan=False)


def test_the_figures_of_an_entry_are_those_of_its_summary(tmp_path: Path) -> None:
    folder = enter(tmp_path / "it", 80, [0, 1, 2])
    (section,) = board(tmp_path)["sections"]
    expected = sum_up(read_cases(folder / "cases.csv"))
    for part in ("lesion", "normal", "all", "detection"):
        assert section["entries"][0][part] == expected["models"]["it"][part]
        assert section["nothing"][part] == expected["nothing"][part]


def test_benchmarks_stand_beside_entries_and_names_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    enter(tmp_path / "entries" / "theirs", 80, [0])
    benchmark(tmp_path / "results" / "a", 60, [0], "unet")
    benchmark(tmp_path / "results" / "b", 90, [0], "unet", settings={"encoder": "e", "encoder_weights": "w.pt"})
    benchmark(tmp_path / "results" / "a" / "cells" / "unet-fold-0", 60, [0], "unet")
    (section,) = board(tmp_path / "results", tmp_path / "entries")["sections"]
    told = {entry["name"]: entry for entry in section["entries"]}
    assert told.keys() == {"theirs", "a: unet", "b: unet"}
    assert told["a: unet"]["held_out"] == BENCHMARKED
    assert told["a: unet"]["trained_on"] == "the other folds of phantom; from nothing"
    assert told["b: unet"]["trained_on"] == "the other folds of phantom; encoder e, begun as w.pt"


def test_the_settings_say_what_was_trained_on() -> None:
    summary = {
        "data": {"name": "busi"},
        "settings": {"share": 0.25, "also": "bus-bra", "encoder": "plain", "pretrained": ""},
        "arms": {"more": {"share": 1.0, "pretrained": "first"}},
    }
    assert trained_on(summary, "less") == "25% of the groups in the other folds of busi, with bus-bra; from nothing"
    assert trained_on(summary, "more") == "the other folds of busi, with bus-bra; begun with the run first"


def test_what_names_no_folds_is_passed_over_and_told(tmp_path: Path) -> None:
    enter(tmp_path / "it", 80, [0])
    found = judge_given(below(60), DATA, [0], "x")
    write_tables(tmp_path / "other", found.cases, (), sum_up(found.cases))
    (tmp_path / "leakage").mkdir()
    (tmp_path / "leakage" / "summary.json").write_text("[]")
    assert find([tmp_path])[1] == [tmp_path / "other" / "cases.csv"]
    with pytest.raises(UserError, match="there is no entry and no benchmark"):
        find([tmp_path / "other"])
    with pytest.raises(UserError, match="is no folder"):
        find([tmp_path / "it" / "cases.csv"])


def test_only_a_whole_benchmark_stands_without_a_form(tmp_path: Path) -> None:
    enter(tmp_path / "it", 80, [0])
    score(below(60), DATA, [0], "theirs", out=tmp_path / "score", pictures=False)
    (tmp_path / "score" / "entry.toml").unlink()
    summary = json.loads((tmp_path / "score" / "summary.json").read_text(encoding="utf-8"))
    for told in (summary, {key: value for key, value in summary.items() if key != "given"}, summary | {"settings": 5}):
        (tmp_path / "score" / "summary.json").write_text(json.dumps(told), encoding="utf-8")
        standings, passed = find([tmp_path])
        assert [each.entry.name for each in standings] == ["it"]
        assert passed == [tmp_path / "score" / "cases.csv"]


def test_two_of_one_name_another_truth_and_other_images_are_refused(tmp_path: Path) -> None:
    enter(tmp_path / "a" / "it", 80, [0])
    enter(tmp_path / "b" / "it", 60, [0])
    with pytest.raises(UserError, match="it and it are both called it"):
        board(tmp_path)
    shutil.rmtree(tmp_path / "b")
    benchmark(tmp_path / "b", 60, [0], "unet")
    rows = read_cases(tmp_path / "b" / "cases.csv")
    other = replace(rows[0], tn=rows[0].tn + 1, height=1, width=rows[0].pixels + 1)
    write_cases(tmp_path / "b" / "cases.csv", [other, *rows[1:]])
    with pytest.raises(UserError, match=r"it: .* has \d+ pixels, \d+ of lesion; unet has|b: .* has \d+ pixels"):
        board(tmp_path)
    write_cases(tmp_path / "b" / "cases.csv", rows[1:])
    with pytest.raises(UserError, match="lacks 1 of the 4 images"):
        board(tmp_path)


def test_the_name_of_the_row_of_silence_is_taken(tmp_path: Path) -> None:
    enter(tmp_path / "nothing drawn", 80, [0])
    with pytest.raises(UserError, match="'nothing drawn'"):
        board(tmp_path)


def test_a_damaged_summary_and_a_damaged_entry_are_refused(tmp_path: Path) -> None:
    benchmark(tmp_path / "b", 60, [0], "unet")
    (tmp_path / "b" / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary\.json cannot be read"):
        board(tmp_path)
    (tmp_path / "b" / "entry.toml").write_text("name = ")
    with pytest.raises(UserError, match="cannot be read as an entry"):
        board(tmp_path)


def test_the_results_of_this_project_make_a_board() -> None:
    found = board(RESULTS)
    assert {section["set"] for section in found["sections"]} == {"busi"}
    assert any("unet" in entry["name"] for section in found["sections"] for entry in section["entries"])


def test_the_table_of_a_benchmark_is_checked_too(tmp_path: Path) -> None:
    shutil.copytree(RESULTS / "busi-four-unets", tmp_path / "r", ignore=shutil.ignore_patterns("cells"))
    rows = read_cases(tmp_path / "r" / "cases.csv")
    find([tmp_path])
    write_cases(tmp_path / "r" / "cases.csv", rows[1:])
    with pytest.raises(UserError, match=r"lacks 1 of the \d+ images"):
        find([tmp_path])
    write_cases(tmp_path / "r" / "cases.csv", [replace(rows[0], dice=1.7), *rows[1:]])
    with pytest.raises(UserError, match=r"dice is 1\.7, by its counts it is"):
        find([tmp_path])
