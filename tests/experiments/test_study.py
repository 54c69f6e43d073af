import csv
from dataclasses import replace
from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import read_cases
from sonoseg.experiments import study

RESULTS = Path(__file__).parent.parent.parent / "results"


@pytest.mark.parametrize(("cases", "place"), [("four-unets", "."), ("ablations", "ablations")])
def test_the_committed_finding_is_what_the_program_makes_of_the_committed_cases(
    tmp_path: Path, cases: str, place: str
) -> None:
    rows = study.compare(read_cases(RESULTS / cases / "cases.csv"))
    old = RESULTS / "old-measure" / place
    study.write(tmp_path, rows, (old / "study.md").read_text(encoding="utf-8").splitlines()[-1].strip())
    for name in ("study.csv", "study.md"):
        assert (tmp_path / name).read_bytes() == (old / name).read_bytes()


def test_silence_has_the_share_of_background_and_models_are_compared_with_it() -> None:
    rows = study.compare(read_cases(RESULTS / "busi-four-unets" / "cases.csv"))
    nothing = rows[-1]
    assert nothing["dice"]["mean"] == 0
    assert nothing["accuracy"]["mean"] > 0.9
    for row in rows[:-1]:
        over = row["accuracy"]["mean"] - nothing["accuracy"]["mean"]
        assert row["over_nothing"]["mean"] == pytest.approx(over, abs=2e-6)
        assert row["published"] == study.PUBLISHED[row["model"]]
    with pytest.raises(UserError, match="empty"):
        study.compare([])


def test_a_model_that_nobody_published_has_no_published_figure(tmp_path: Path) -> None:
    cases = [replace(case, model="mine") for case in read_cases(RESULTS / "busi-four-unets" / "cases.csv")[:60]]
    study.write(tmp_path, study.compare(cases), "x")
    with (tmp_path / "study.csv").open(encoding="utf-8") as file:
        first, last = csv.DictReader(file)
    assert (first["model"], first["published"], last["model"]) == ("mine", "", "nothing drawn")


def test_what_a_model_has_over_silence_has_the_share_of_its_seeds() -> None:
    one = [replace(case, model="mine") for case in read_cases(RESULTS / "busi-four-unets" / "cases.csv")[:120]]
    moved = [replace(case, seed=1, study_accuracy=case.study_accuracy - 0.05) for case in one]
    (single, _), (several, _) = study.compare(one), study.compare([*one, *moved])
    widths = [row["over_nothing"]["high"] - row["over_nothing"]["low"] for row in (single, several)]
    assert widths[1] > widths[0] + 0.03
