"""What CONTRIBUTING shows as a diff fits the files that it names, and does what is said of it."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SET, NETWORK, MEASURE = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S)


def hunks(diff: str) -> Iterator[tuple[str, list[str]]]:
    """Each hunk of a diff with the file that it is of."""
    path, found = "", list[str]()
    for line in [*diff.splitlines(), "@@"]:
        if line.startswith(("@@", "--- ")):
            if found:
                yield path, found
            found = []
        elif line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        else:
            found.append(line)


def applied(diff: str, folder: Path) -> Path:
    """Copy the sources and apply a diff to them: each hunk fits at one place."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name, hunk in hunks(diff):
        text = (folder / name).read_text(encoding="utf-8")
        old, new = ("".join(f"{line[1:]}\n" for line in hunk if line[:1] != sign) for sign in "+-")
        assert text.count(old) == 1, old
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder / "src"


def run(source: Path, code: str) -> str:
    """What a program prints with other sources."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT / "tests")])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_a_set_took_is_there() -> None:
    lines: dict[str, list[str]] = defaultdict(list)
    for name, hunk in hunks(SET):
        lines[name] += hunk
    assert len(lines) == 2
    for name, shown in lines.items():
        text = (ROOT / name).read_text(encoding="utf-8").splitlines()
        for line in shown:
            assert line[1:] in text or "=..." in line, line


def test_the_network_is_built(tmp_path: Path) -> None:
    source = applied(NETWORK, tmp_path)
    code = """
import torch
from sonoseg.learning.config import Config
from sonoseg.learning.networks.catalogue import build
network = build(Config("phantom", model="grouped-unet").model, width=8)
print(tuple(network(torch.zeros(1, 1, 32, 48)).shape))
"""
    assert run(source, code) == "(1, 1, 32, 48)"


@pytest.mark.parametrize("lesion", [True, False])
def test_the_measure_is_in_the_table_and_in_the_summary(tmp_path: Path, lesion: bool) -> None:
    source = applied(MEASURE, tmp_path)
    code = f"""
import numpy as np
from rows import judged
from sonoseg.evaluation.cases import read_cases, write_cases
from sonoseg.evaluation.summary import sum_up
from pathlib import Path
drawn, truth = np.ones((8, 8), bool), np.zeros((8, 8), bool)
truth[:, :2] = {lesion}
keys = {{"image": "x", "label": "benign", "group": "g", "model": "m", "fold": 0, "seed": 0}}
write_cases(Path(r"{tmp_path}") / "cases.csv", [judged(drawn, truth, **keys)])
summary = sum_up(read_cases(Path(r"{tmp_path}") / "cases.csv"))
print(*(of["lesion"]["area_similarity"]["mean"] for of in (summary["models"]["m"], summary["nothing"])))
read_cases(Path(r"{ROOT}") / "results" / "busi-four-unets" / "cases.csv")
"""
    assert run(source, code) == ("0.4 0.0" if lesion else "None None")
