"""The tutorial notebook runs from its first cell to its last and leaves what it says."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from sonoseg.prediction.predictor import Prediction

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


def run(code: str, names: dict[str, Any]) -> object:
    """Run a cell as a notebook does; gives the value of its last line."""
    *body, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        exec(compile(code, NOTEBOOK.name, "exec"), names)
        return None
    exec(compile(ast.Module(body, []), NOTEBOOK.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 6
    assert not any(cell["outputs"] for cell in cells)
    names: dict[str, Any] = {}
    values = [run("".join(cell["source"]), names) for cell in cells]
    assert isinstance(values[1], Prediction)
    assert isinstance(values[3], float)
    assert values[3] > 0.8
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "phantom.json", "phantom_mask.png", "phantom_overlay.png",
    ]  # fmt: skip
    printed = capsys.readouterr().out
    assert " mm, confidence " in printed
    assert "median Dice" in printed
