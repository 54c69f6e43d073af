from pathlib import Path

import numpy as np
import pytest

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import read_cases
from sonoseg.experiments import subset

RESULTS = Path(__file__).parent.parent.parent / "results"
AXILLA = RESULTS / "axilla"


@pytest.mark.parametrize(
    ("finding", "cases", "lists", "about"),
    [
        ("axilla", "bus-bra-then-busi", ["axilla/axilla.csv"], "axilla"),
        (
            "validation-part/default",
            "default",
            ["levers/fold-0/cases.csv", "levers/fold-4/cases.csv"],
            "fold-0 and fold-4",
        ),
        ("validation-part/four-unets", "four-unets", ["validation-part/validation-part.csv"], "validation-part"),
        ("validation-part", "bus-bra-then-busi", ["validation-part/validation-part.csv"], "validation-part"),
    ],
)
def test_the_committed_finding_is_what_the_program_makes_of_the_committed_cases(
    tmp_path: Path, finding: str, cases: str, lists: list[str], about: str
) -> None:
    listed = subset.read_lists(RESULTS / each for each in lists)
    rows = subset.compare(read_cases(RESULTS / cases / "cases.csv"), listed)
    command = (RESULTS / finding / "subset.md").read_text(encoding="utf-8").splitlines()[-1].strip()
    subset.write(tmp_path, rows, about, command)
    for name in ("subset.csv", "subset.md"):
        assert (tmp_path / name).read_bytes() == (RESULTS / finding / name).read_bytes()


def test_parts_are_the_means_of_their_images_and_the_difference_is_theirs() -> None:
    cases = read_cases(RESULTS / "default" / "cases.csv")
    lesions = [case for case in cases if case.has_lesion]
    listed = {case.image for case in lesions[::3]}
    whole, inside, rest, difference = subset.compare(cases, listed)
    assert whole["images"] == inside["images"] + rest["images"] == len(lesions)
    assert inside["dice"] == pytest.approx(np.mean([case.dice for case in lesions[::3]]), abs=1e-6)
    assert difference["dice"] == pytest.approx(inside["dice"] - rest["dice"], abs=2e-6)
    assert difference["dice_low"] < difference["dice"] < difference["dice_high"]
    assert whole["missed"] == inside["missed"] + rest["missed"]


def test_names_that_no_row_has_are_told_and_a_spreadsheet_may_write_the_list(tmp_path: Path) -> None:
    cases = read_cases(RESULTS / "default" / "cases.csv")
    (tmp_path / "list.csv").write_text(f"image\n{cases[0].image}\ntypo (10)\ntypo (9)\n", encoding="utf-8-sig")
    listed = subset.read_lists([tmp_path / "list.csv"])
    assert subset.unknown(cases, listed) == ["typo (9)", "typo (10)"]


def test_a_list_that_tells_nothing_apart_is_refused(tmp_path: Path) -> None:
    cases = read_cases(RESULTS / "default" / "cases.csv")
    for listed, told in (([], "none"), ([case.image for case in cases], "all")):
        with pytest.raises(UserError, match=f"^{told} of the"):
            subset.compare(cases, listed)
    with pytest.raises(UserError, match="no image with a lesion"):
        subset.compare([case for case in cases if not case.has_lesion], [cases[0].image])
    (tmp_path / "list.csv").write_text("name\nx\n")
    with pytest.raises(UserError, match="no column called image"):
        subset.read_lists([tmp_path / "list.csv"])
    with pytest.raises(UserError, match="cannot be read"):
        subset.read_lists([AXILLA / "axilla.csv", tmp_path / "missing.csv"])
