import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS, read_cases, write_cases
from sonoseg.experiments.benchmark import (
    Progress,
    assemble,
    benchmark,
    hours_left,
)
from sonoseg.experiments.plan import Arm, Plan, of_models
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, machine

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")


PLAN = of_models(RECIPE, ("unet", "attention-unet"), (0,), (0,))
COMMAND = "sonoseg benchmark --data phantom:20"


class Told:
    """Counts the cells that were begun and the epochs that were trained."""

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.epochs = 0

    @property
    def progress(self) -> Progress:
        def training(epochs: int, images: int) -> object:
            self.epochs += epochs
            return lambda epoch, share, loss: None

        watch = Watch(lambda done, of: None, training)  # type: ignore[arg-type]
        return Progress(lambda number, of, name, hours: self.cells.append(name), watch, lambda done, of: None)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark(PLAN, open_set("phantom:20"), folder, Told().progress, COMMAND)
    return folder


def test_tables_and_page_stand(out: Path) -> None:
    cases = read_cases(out / "cases.csv")
    told = [name for name in COLUMNS if name != "presence"]  # no network of these has a head for it
    assert (out / "cases.csv").read_text().startswith(",".join(told) + "\n")
    held_out = set(open_set("phantom:20").folds.test(0))
    assert {(case.model, case.image) for case in cases} == {
        (model, image) for model in ("unet", "attention-unet") for image in held_out
    }
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary["models"]) == ["unet", "attention-unet"]
    assert summary["models"]["unet"]["parameters"] < summary["models"]["attention-unet"]["parameters"]
    assert summary["data"]["used"] == 20
    (line,) = (PLAN.cells[0].folder(out) / "history.jsonl").read_text().splitlines()
    assert summary["models"]["unet"]["train_seconds"] == pytest.approx(json.loads(line)["seconds"], abs=0.06)
    assert set(summary["calibration"]) == {"unet", "attention-unet"}
    assert 0 <= summary["calibration"]["unet"]["ece"] <= 1
    assert 0 <= summary["models"]["unet"]["dice_of_most_certain"]["mean"] <= 1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "radius of a disc" in page
    assert "attention-unet" in page
    assert "nothing drawn" in page.lower()


def test_what_stands_is_kept_and_what_is_missing_is_trained(out: Path) -> None:
    data, told = open_set("phantom:20"), Told()
    page = (out / "report.html").read_bytes()
    benchmark(PLAN, data, out, told.progress, COMMAND)
    assert told.epochs == 0
    assert (out / "report.html").read_bytes() == page
    wider = of_models(RECIPE, ("unet", "attention-unet"), (0, 1), (0,))
    summary = benchmark(wider, data, out, told.progress, "more")
    assert told.epochs == 2
    assert summary["models"]["unet"]["folds"] == [0, 1]


def test_the_tables_of_cells_are_enough(out: Path, tmp_path: Path) -> None:
    """Weights stay where they were trained; the tables travel."""
    for cell in PLAN.cells:
        folder = cell.folder(tmp_path)
        folder.mkdir(parents=True)
        for name in ("config.toml", "cases.csv", "history.jsonl"):
            (folder / name).write_bytes((cell.folder(out) / name).read_bytes())
    told = Told()
    summary = benchmark(PLAN, open_set("phantom:20"), tmp_path, told.progress, "x", pictures=False)
    assert told.epochs == 0
    assert summary["models"]["unet"]["parameters"] > 0
    assert "calibration" not in summary  # the cells came without their counts


@pytest.mark.parametrize("judged", [True, False])
def test_other_settings_and_folds_do_not_mix_with_what_stands(out: Path, tmp_path: Path, judged: bool) -> None:
    shutil.copytree(out, tmp_path / "out")
    folder = PLAN.cells[0].folder(tmp_path / "out")
    if not judged:
        (folder / "cases.csv").unlink()
    told = Told()
    other = of_models(replace(RECIPE, width=8), ("unet",), (0,), (0,))
    with pytest.raises(UserError, match="trained with other settings: width"):
        benchmark(other, open_set("phantom:20"), tmp_path / "out", told.progress, "x")
    with pytest.raises(UserError, match="trained on other folds"):
        benchmark(PLAN, open_set("phantom:40"), tmp_path / "out", told.progress, "x")
    assert told.cells == []


def test_where_it_is_computed_and_where_the_data_lies_do_not_matter(out: Path) -> None:
    plan = of_models(replace(RECIPE, device="auto", precision="32"), ("unet", "attention-unet"), (0,), (0,))
    assert not plan.missing(out)
    benchmark(plan, open_set("phantom:20"), out, Told().progress, "x")


def test_a_cell_that_another_process_holds_is_left_to_it(tmp_path: Path) -> None:
    data, told = open_set("phantom:20"), Told()
    first, second = PLAN.cells
    lock = first.folder(tmp_path).with_name(f"{first.folder(tmp_path).name}.lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"1 of 2 cells are in the hands of other processes.*{first.name}"):
            benchmark(PLAN, data, tmp_path, told.progress, "x", pictures=False)
        assert told.cells == [second.name]
        assert not (tmp_path / "summary.json").exists()
        holder.kill()
    benchmark(PLAN, data, tmp_path, told.progress, "x", pictures=False)  # what a dead process held is free
    assert told.cells == [second.name, first.name]
    assert (tmp_path / "summary.json").exists()
    assert not list(tmp_path.glob("cells/*.lock"))


HOLD = """
import sys
from pathlib import Path
from filelock import FileLock
Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_arms_of_one_model_are_told_apart_and_what_they_share_is_told_once(tmp_path: Path) -> None:
    plan = Plan((Arm("narrow", RECIPE), Arm("wide", replace(RECIPE, width=6))), (1,), (3,))
    benchmark(plan, open_set("phantom:20"), tmp_path, Told().progress, "x", pictures=False)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["arms"] == {"narrow": {"width": 4}, "wide": {"width": 6}}
    assert "width" not in summary["settings"]
    assert summary["settings"]["size"] == 32
    assert {case.model for case in read_cases(tmp_path / "cells" / "wide-fold-1-seed-3" / "cases.csv")} == {"wide"}
    assert summary["models"]["narrow"]["parameters"] < summary["models"]["wide"]["parameters"]
    assert "width 6" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_hours_left_are_counted_in_epochs_of_the_arm(tmp_path: Path) -> None:
    plan = Plan((Arm("a", replace(RECIPE, epochs=10)), Arm("b", replace(RECIPE, epochs=10))), (0, 1), (0,))
    assert hours_left(plan, tmp_path) is None
    cells = {cell.name: cell.folder(tmp_path) for cell in plan.cells}
    for name, epochs in (("a fold 0 seed 0", 10), ("a fold 1 seed 0", 4)):
        trained(cells[name], {}, epochs, 360)
    (cells["a fold 0 seed 0"] / "cases.csv").touch()
    assert hours_left(plan, tmp_path) == pytest.approx((6 + 20) / 10)  # the rest of a; b as long as a


def test_hours_left_are_those_of_this_machine(tmp_path: Path) -> None:
    plan = Plan((Arm("a", replace(RECIPE, epochs=10)),), (0, 1, 2), (0,))
    first, second, _ = (cell.folder(tmp_path) for cell in plan.cells)
    trained(first, {"machine": "a graphics card"}, 10, 1)
    (first / "cases.csv").touch()
    assert hours_left(plan, tmp_path) is None
    trained(second, {}, 4, 360)
    assert hours_left(plan, tmp_path) == pytest.approx((6 + 10) / 10)
    for name in ("machine", "threads", "precision"):
        trained(second, {name: "other"}, 4, 360)
        assert hours_left(plan, tmp_path) is None
    (second / "machines.jsonl").unlink()
    assert hours_left(plan, tmp_path) is None


def trained(folder: Path, elsewhere: dict[str, object], epochs: int, seconds: float) -> None:
    """What a run leaves that took so long on this machine, but for what is told of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machines.jsonl").write_text(json.dumps({"from_epoch": 1, **machine(RECIPE), **elsewhere}) + "\n")
    (folder / "history.jsonl").write_text(f"{json.dumps({'seconds': seconds})}\n" * epochs)


def test_a_recipe_is_chosen_on_the_validation_part_and_the_fold_is_not_looked_at(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    plan = Plan((Arm("a", replace(RECIPE, validation=0.3)),), (0,), (0,), judged="validation")
    summary = benchmark(plan, data, tmp_path, Told().progress, COMMAND, pictures=False)
    assert summary["judged"] == "validation"
    parts = split(data, 0, 0.3)
    assert {case.image for case in read_cases(tmp_path / "cases.csv")} == {sample.name for sample in parts.validation}
    with pytest.raises(UserError, match="was not judged on the test part of fold 0"):
        benchmark(replace(plan, judged="test"), data, tmp_path, Told().progress, COMMAND, pictures=False)


def test_without_pictures_the_page_shows_no_image_of_the_data(out: Path) -> None:
    with_pictures = (out / "report.html").read_text(encoding="utf-8")
    assemble(PLAN, open_set("phantom:20"), out, "x", pictures=False)
    without = (out / "report.html").read_text(encoding="utf-8")
    assert with_pictures.count("data:image") > without.count("data:image")


def drop_rows(table: Path) -> None:
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:3]))


def keep_the_header(table: Path) -> None:
    table.write_text(table.read_text().splitlines(keepends=True)[0])


def take_a_row_twice(table: Path) -> None:
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines, lines[1]]))


def take_the_other_arm(table: Path) -> None:
    table.write_bytes((table.parents[1] / "attention-unet-fold-0-seed-0" / "cases.csv").read_bytes())


def change(**values: object) -> Callable[[Path], None]:
    def of_first_row(table: Path) -> None:
        first, *others = read_cases(table)
        write_cases(table, [replace(first, **values), *others])  # type: ignore[arg-type]

    return of_first_row


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (drop_rows, "lacks 2 of the 4 images"),
        (keep_the_header, "lacks 4 of the 4 images"),
        (take_a_row_twice, "twice"),
        (take_the_other_arm, "attention-unet fold 0 seed 0.* is unet fold 0 seed 0"),
        (change(seed=1), "unet fold 0 seed 1.* is unet fold 0 seed 0"),
        (change(group="other"), "of group other"),
        (change(label="other"), "as other of group"),
        (change(dice=0.123), "dice is 0.123"),
        (change(image="other"), "has other, which"),
    ],
)
def test_a_cell_with_a_damaged_table_is_refused(
    out: Path, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    shutil.copytree(out, tmp_path / "out")
    table = PLAN.cells[0].folder(tmp_path / "out") / "cases.csv"
    before = (tmp_path / "out" / "summary.json").read_bytes()
    damage(table)
    begun = Told()
    with pytest.raises(UserError, match=f"unet-fold-0-seed-0/cases.csv.*{told}") as refused:
        benchmark(PLAN, open_set("phantom:20"), tmp_path / "out", begun.progress, COMMAND, pictures=False)
    assert str(table) in refused.value.hint
    assert "run the command again" in refused.value.hint
    assert begun.cells == []
    assert (tmp_path / "out" / "summary.json").read_bytes() == before
    table.unlink()  # as the hint says
    benchmark(PLAN, open_set("phantom:20"), tmp_path / "out", begun.progress, COMMAND, pictures=False)
    assert begun.cells == ["unet fold 0 seed 0"]
    assert begun.epochs == 0


def test_a_damaged_table_of_a_validation_part_is_refused(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    plan = Plan((Arm("a", replace(RECIPE, validation=0.3)),), (1,), (0,), judged="validation")
    benchmark(plan, data, tmp_path, Told().progress, COMMAND, pictures=False)
    drop_rows(plan.cells[0].folder(tmp_path) / "cases.csv")
    with pytest.raises(UserError, match=r"cases.csv lacks \d of the"):
        benchmark(plan, data, tmp_path, Told().progress, COMMAND, pictures=False)
