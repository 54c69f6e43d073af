import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rows import row
from sonoseg.evaluation import calibration
from sonoseg.evaluation.calibration import Counted, count
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.summary import CURVE, lesion_dice, sum_up, write_tables

RESULTS = Path(__file__).parents[2] / "results"


def rows(model: str = "a", shift: float = 0.0, seed: int = 0, confident: bool = False) -> list[Case]:
    """30 images in 15 groups, every fifth without a lesion and drawn on if its number is even."""
    made = []
    for number in range(30):
        keys = {"group": f"g{number // 2}", "fold": number % 2, "seed": seed}
        if number % 5 == 0:
            drawn = {"fp": 90, "tn": 910, "drawn": 1, "drawn_pixels": 90} if number % 2 == 0 else {}
            made.append(row(f"{number}", model, lesion=0, label="normal", **keys, **drawn))
        else:
            dice = number / 40 + shift
            told = {"confidence": dice} if confident else {}
            made.append(row(f"{number}", model, dice, 10 + number, hd95=100 - 3 * number, **keys, **told))
    return made


def test_the_means_by_hand() -> None:
    entry = sum_up(rows())["models"]["a"]
    dice = [number / 40 for number in range(30) if number % 5]
    assert entry["lesion"]["dice"]["mean"] == pytest.approx(np.mean(dice), abs=1e-6)
    assert entry["lesion"]["dice_median"] == pytest.approx(np.median(dice))
    assert (entry["lesion"]["images"], entry["normal"]["images"]) == (24, 6)
    assert entry["normal"]["drawn"]["mean"] == 0.5
    assert entry["normal"]["drawn_share_of_image"]["mean"] == pytest.approx(0.045)
    assert entry["folds"] == [0, 1]
    assert entry["detection"]["found_share"] == 1


def test_hd95_is_told_of_the_images_that_are_drawn_on_as_well() -> None:
    cases = rows()
    cases[1] = replace(cases[1], hd95=5000.0, drawn=0, drawn_pixels=0)
    lesion = sum_up(cases)["models"]["a"]["lesion"]
    assert lesion["hd95"]["n"] == 24
    assert lesion["hd95_drawn"]["n"] == 23
    assert lesion["hd95"]["mean"] > 200 > 100 > lesion["hd95_drawn"]["mean"]
    assert lesion["hd95_median"] < 100


def test_drawing_nothing_is_a_row_of_its_own_and_certain() -> None:
    nothing = sum_up(rows())["nothing"]
    assert nothing["lesion"]["dice"]["mean"] == 0
    assert (nothing["normal"]["drawn"]["low"], nothing["normal"]["drawn"]["high"]) == (0, 0)
    assert nothing["all"]["study_accuracy"]["mean"] > 0.9


def test_differences_are_paired_adjusted_and_judged_by_the_margin() -> None:
    summary = sum_up(rows() + rows("b", 0.1) + rows("c", 0.1))
    found = {(each["first"], each["second"]): each for each in summary["differences"]}
    assert found["a", "b"]["mean"] == pytest.approx(-0.1)
    assert found["a", "b"]["ahead"] == "b"
    assert found["b", "c"]["alike"]
    assert found["b", "c"]["ahead"] is None
    assert all(each["adjusted"]["low"] <= each["low"] + 1e-6 for each in summary["differences"])
    assert summary["margin"] == 0.015


def test_seeds_are_averaged_told_and_part_of_the_intervals() -> None:
    one, several = sum_up(rows()), sum_up(rows(shift=-0.1) + rows(shift=0.1, seed=1))
    assert "One seed" in one["interval_rule"]["seeds"]
    assert "drawn with replacement" in several["interval_rule"]["seeds"]
    first, second = (each["models"]["a"]["lesion"]["dice"] for each in (one, several))
    assert second["mean"] == pytest.approx(first["mean"])
    assert second["high"] - second["low"] > first["high"] - first["low"]
    assert several["models"]["a"]["seeds"]["range"] == pytest.approx(0.2)
    assert "seeds" not in one["models"]["a"]


def test_what_a_page_shows_is_there() -> None:
    summary = sum_up(rows(confident=True) + rows("b", 0.1))
    assert summary["tested"] == {"images": 30, "groups": 15}
    assert [part["by"] for part in summary["strata"]] == ["lesion size", "copies", "held-out fold"]
    assert [part["high"] for part in summary["strata"][0]["parts"][:1]] == [pytest.approx(0.02, abs=0.002)]
    assert [each["image"] for each in summary["picked"]["worst"]] == ["1", "2", "3"]
    assert summary["picked"]["best"][0]["dice"] == {"a": pytest.approx(0.725), "b": pytest.approx(0.825)}
    assert summary["picked"]["false alarms"][0] == {"image": "0"}
    reached = summary["curves"]["a"]["reached"]
    assert reached["x"] == pytest.approx(CURVE.tolist())
    assert (reached["y"][0], reached["y"][-1]) == (1, 0)
    assert "kept" in summary["curves"]["a"]
    assert "kept" not in summary["curves"]["b"]
    kept = summary["models"]["a"]["kept"]
    assert [each["mean"] for each in kept] == sorted(each["mean"] for each in kept)
    assert summary["models"]["a"]["dice_of_most_certain"]["mean"] == kept[2]["mean"]


def test_calibration_is_told_of_the_models_that_were_counted() -> None:
    truth = np.eye(9, dtype=bool)
    counts = [Counted("a", 0, 0, f"{i}", f"g{i}", count(truth * 0.8, truth)) for i in range(4)]
    found = sum_up(rows() + rows("b"), counts)["calibration"]
    assert list(found) == ["a"]
    assert found["a"]["ece_interval"]["n"] == 4
    assert "calibration" not in sum_up(rows())


def test_a_set_without_lesions_and_one_without_normals_are_summed_up() -> None:
    for kept in (True, False):
        summary = sum_up([case for case in rows() if case.has_lesion is kept])
        json.dumps(summary, allow_nan=False)
        assert summary["models"]["a"]["lesion"]["images"] == 24 * kept
    assert json.dumps(sum_up([]), allow_nan=False)


def test_the_dice_of_a_part_is_that_of_its_rows() -> None:
    part = [case for case in rows() if case.fold == 1]
    assert lesion_dice(part) == sum_up(part)["models"]["a"]["lesion"]["dice"]


@pytest.mark.parametrize("name", ["busi-four-unets", "default", "busi-alone", "bus-bra-to-busi/on-busi"])
def test_committed_summaries_are_what_the_program_makes_of_the_committed_tables(name: str) -> None:
    folder = RESULTS / name
    counts = calibration.read(folder / "calibration.csv") if (folder / "calibration.csv").is_file() else []
    made = json.loads(json.dumps(sum_up(read_cases(folder / "cases.csv"), counts)))
    stands = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for model, entry in made.pop("models").items():
        assert entry == {name: stands["models"][model][name] for name in entry}
    assert made == {name: stands[name] for name in made}


def test_tables_are_written_whole(tmp_path: Path) -> None:
    write_tables(tmp_path, rows(), [], sum_up(rows()))
    assert {path.name for path in tmp_path.iterdir()} == {"cases.csv", "summary.json", "calibration.csv"}
    assert sum_up(read_cases(tmp_path / "cases.csv")) == json.loads((tmp_path / "summary.json").read_text())


def test_of_all_images_a_normal_is_worth_one_where_it_is_left_alone() -> None:
    rows = [row("a", dice=0.5, presence=0.9, confidence=0.4), row("b", dice=0.9, presence=0.9, confidence=0.8)]
    rows += [
        row("c", lesion=0, drawn=0, presence=0.1, confidence=0.9),
        row("d", lesion=0, drawn=1, presence=0.9, confidence=0.6),
    ]
    kept = {each["share"]: each["mean"] for each in sum_up(rows)["models"]["a"]["kept_of_all"]}
    assert kept[1.0] == pytest.approx((0.5 + 0.9 + 1 + 0) / 4)
    assert kept[0.5] == pytest.approx((1 + 0.9) / 2)
    assert "kept_of_all" not in sum_up([*rows, row("e")])["models"]["a"]
