"""The README tells what results hold."""

import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_table_is_the_one_that_the_results_give() -> None:
    summary = json.loads((ROOT / "results" / "busi-four-unets" / "summary.json").read_text(encoding="utf-8"))
    table = runpy.run_path(str(ROOT / "docs" / "make_table.py"))["table"](summary)
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_is_absolute_and_what_it_leads_to_in_the_tree_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.M)
    assert len(targets) > 10
    for target in targets:
        assert target.startswith("https://"), target
        if own := re.match(r"https://[^/]+/sonoseg/sonoseg/(?:(?:blob|tree)/)?main/(.+)", target):
            assert (ROOT / own[1]).exists(), target
