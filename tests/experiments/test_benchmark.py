import json
from pathlib import Path

import pytest

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import COLUMNS, read_cases
from sonoseg.experiments.benchmark import Plan, Progress, benchmark, cell_folder, train_seconds
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch

RECIPE = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")


PLAN = Plan(RECIPE, ("unet", "attention-unet"), (0,), (0,), "sonoseg benchmark --data phantom:20")


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
        return Progress(lambda number, of, name: self.cells.append(name), watch, lambda done, of: None)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark(PLAN, open_set("phantom:20"), folder, Told().progress)
    return folder


def test_tables_and_page_stand(out: Path) -> None:
    cases = read_cases(out / "cases.csv")
    assert tuple(cases[0]) == COLUMNS
    held_out = set(open_set("phantom:20").folds.test(0))
    assert {(case["model"], case["image"]) for case in cases} == {
        (model, image) for model in ("unet", "attention-unet") for image in held_out
    }
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary["models"]) == ["unet", "attention-unet"]
    assert summary["models"]["unet"]["parameters"] < summary["models"]["attention-unet"]["parameters"]
    assert summary["data"]["used"] == 20
    (line,) = (cell_folder(out, PLAN.cells[0]) / "history.jsonl").read_text().splitlines()
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
    benchmark(PLAN, data, out, told.progress)
    assert told.epochs == 0
    assert (out / "report.html").read_bytes() == page
    wider = Plan(RECIPE, ("unet", "attention-unet"), (0, 1), (0,), "more")
    (cell_folder(out, wider.cells[3]) / "cases.csv").unlink(missing_ok=True)
    summary = benchmark(wider, data, out, told.progress)
    assert told.epochs == 2
    assert summary["models"]["unet"]["folds"] == [0, 1]


def test_the_tables_of_cells_are_enough(out: Path, tmp_path: Path) -> None:
    """Weights stay where they were trained; the tables travel."""
    plan = Plan(RECIPE, ("unet", "attention-unet"), (0,), (0,), "x", pictures=False)
    for cell in plan.cells:
        folder = cell_folder(tmp_path, cell)
        folder.mkdir(parents=True)
        for name in ("config.toml", "cases.csv", "history.jsonl"):
            (folder / name).write_bytes((cell_folder(out, cell) / name).read_bytes())
    told = Told()
    summary = benchmark(plan, open_set("phantom:20"), tmp_path, told.progress)
    assert told.epochs == 0
    assert summary["models"]["unet"]["parameters"] > 0
    assert "calibration" not in summary  # the cells came without their counts


def test_the_time_of_a_run_is_the_mean_and_unknown_before_it_was_noted() -> None:
    runs = [[{"seconds": 1.0}, {"seconds": 2.0}], [{"seconds": 5.0}]]
    assert train_seconds(runs) == 4.0
    assert train_seconds([*runs, [{"epoch": 1}]]) is None
    assert train_seconds([]) is None


def test_other_settings_do_not_mix_with_what_stands(out: Path) -> None:
    plan = Plan(Config("phantom:20", size=32, width=8, epochs=1, batch=8), ("unet",), (0,), (0,), "x")
    (cell_folder(out, plan.cells[0]) / "cases.csv").rename(out / "aside.csv")
    with pytest.raises(UserError, match="other settings"):
        benchmark(plan, open_set("phantom:20"), out, Told().progress)
    (out / "aside.csv").rename(cell_folder(out, plan.cells[0]) / "cases.csv")


def test_without_pictures_the_page_shows_no_image_of_the_data(out: Path) -> None:
    with_pictures = (out / "report.html").read_text(encoding="utf-8")
    plan = Plan(RECIPE, ("unet", "attention-unet"), (0,), (0,), "x", pictures=False)
    benchmark(plan, open_set("phantom:20"), out, Told().progress)
    without = (out / "report.html").read_text(encoding="utf-8")
    assert with_pictures.count("data:image") > without.count("data:image")
