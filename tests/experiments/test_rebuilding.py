import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import read_cases, write_cases
from sonoseg.experiments.rebuilding import rebuild

RESULTS = Path(__file__).parents[2] / "results"


def test_what_stands_is_what_is_made_again(tmp_path: Path) -> None:
    for name in ("busi-four-unets", "bus-bra-to-busi"):
        shutil.copytree(RESULTS / name, tmp_path / name)
        rebuild(tmp_path / name)
        for path in (RESULTS / name).rglob("*"):
            if path.is_file():
                assert (tmp_path / name / path.relative_to(RESULTS / name)).read_bytes() == path.read_bytes(), path


def test_what_the_tables_do_not_tell_stays_and_what_they_tell_does_not(tmp_path: Path) -> None:
    shutil.copytree(RESULTS / "busi-four-unets", tmp_path / "r")
    stands = json.loads((tmp_path / "r" / "summary.json").read_text(encoding="utf-8"))
    stands["models"]["unet"]["lesion"]["dice"]["mean"] = 0.99
    stands["models"]["unet"]["parameters"] = 7
    stands["machine"] = "another"
    (tmp_path / "r" / "summary.json").write_text(json.dumps(stands), encoding="utf-8")
    made = rebuild(tmp_path / "r")
    assert made["models"]["unet"]["lesion"]["dice"]["mean"] == pytest.approx(0.715686)
    assert (made["models"]["unet"]["parameters"], made["machine"]) == (7, "another")


def test_a_folder_without_a_summary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no summary\.json"):
        rebuild(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "other"}, "has the models other; summary.json tells attention-unet, recurrent"),
        ({"seed": 7}, "has the seeds 7; summary.json tells 0"),
        ({"fold": 2}, "has the folds 2; summary.json tells 0"),
    ],
)
def test_a_table_that_the_summary_is_not_of_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    shutil.copytree(RESULTS / "busi-four-unets", tmp_path / "r")
    stands = (tmp_path / "r" / "summary.json").read_bytes()
    rows = read_cases(tmp_path / "r" / "cases.csv")
    write_cases(tmp_path / "r" / "cases.csv", [replace(row, **change) for row in rows])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        rebuild(tmp_path / "r")
    assert (tmp_path / "r" / "summary.json").read_bytes() == stands
