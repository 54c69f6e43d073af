"""Damaged sets, tables and settings: they are read, or refused in a sentence, in parts or as a whole."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from campaign import Campaign
from commands import pictures
from mutations import mutated, mutated_text
from small_set import small_set
from sonoseg.data import folds
from sonoseg.data.formats.coco import to_coco
from sonoseg.data.formats.nnunet import to_nnunet
from sonoseg.data.formats.packed import to_packed
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation import calibration
from sonoseg.evaluation.calibration import BINS
from sonoseg.evaluation.cases import read_cases
from sonoseg.experiments.plan import read_plan
from sonoseg.learning.config import Config, read_config

ROOT = Path(__file__).parents[2]
RESULTS, PLAN, NNUNET = ROOT / "results" / "default", ROOT / "plans" / "four-unets.toml", "Dataset501_small"


def _manifest(folder: Path) -> None:
    pictures(folder)
    rows = [f"x{number}.png,x{number}_mask.png,benign,g{number},{number % 2},0.07,0.07" for number in range(6)]
    lines = ["image,mask,label,group,fold,spacing_row,spacing_column", *rows]
    (folder / "set.csv").write_text("\n".join(lines), encoding="utf-8")


def _beginning(name: str, folder: Path) -> None:
    """The first rows of a table that was measured."""
    folder.mkdir()
    lines = (RESULTS / name).read_bytes().splitlines(keepends=True)
    (folder / name).write_bytes(b"".join(lines[: 1 + BINS]))


def _whole(spec: str) -> None:
    for sample in open_set(spec).samples:
        sample.read()


MADE: dict[str, tuple[Callable[[Path], object], str, Callable[[Path], object]]] = {
    "manifest": (_manifest, "set.csv", lambda path: _whole(f"folder:{path}")),
    "coco": (lambda folder: to_coco(small_set(), folder), "annotations.json", lambda path: _whole(f"coco:{path}")),
    "nnunet": (
        lambda folder: to_nnunet(small_set(), folder / NNUNET), f"{NNUNET}/dataset.json",
        lambda path: _whole(f"nnunet:{path.parent}"),
    ),
    "packed": (
        lambda folder: (folder.mkdir(), to_packed(small_set(), folder / "set.npz", 32)), "set.npz",
        lambda path: _whole(f"packed:{path}"),
    ),
    "folds": (lambda folder: folds.write(folder / "folds.csv", small_set().folds), "folds.csv", folds.read),
    "settings": (lambda folder: Config("phantom:20").write(folder / "config.toml"), "config.toml", read_config),
    "cases": (partial(_beginning, "cases.csv"), "cases.csv", read_cases),
    "calibration": (partial(_beginning, "calibration.csv"), "calibration.csv", calibration.read),
    "plan": (lambda folder: (folder.mkdir(), shutil.copy(PLAN, folder)), PLAN.name, lambda path: read_plan(path, {})),
}  # fmt: skip
"""By name: makes a folder, the file of it that is damaged, and reads that."""


@pytest.mark.parametrize("name", MADE)
def test_damaged_tables(campaign: Campaign, tmp_path: Path, name: str) -> None:
    make, file, read = MADE[name]
    make(tmp_path / "set")
    path = tmp_path / "set" / file
    content = path.read_bytes()
    for number, draw in campaign.draws(40):
        damage = mutated if path.suffix == ".npz" else mutated_text
        path.write_bytes(damage(content, draw))
        try:
            read(path)
        except UserError as error:
            campaign.refused(number, error)
        else:
            campaign.counts["read"] += 1
