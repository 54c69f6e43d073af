"""The README tells what results hold."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_table_is_the_one_that_the_results_give() -> None:
    summary = json.loads((ROOT / "results" / "busi-four-unets" / "summary.json").read_text(encoding="utf-8"))
    table = runpy.run_path(str(ROOT / "docs" / "make_table.py"))["table"](summary)
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")
