"""The README tells what results hold, and it and docs/ say nothing that the command line does not take."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer

from sonoseg.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(("page", "results"), [("README.md", "four-unets"), ("docs/findings.md", "four-on-encoder")])
def test_a_table_is_the_one_that_the_results_give(page: str, results: str) -> None:
    summary = json.loads((ROOT / "results" / results / "summary.json").read_text(encoding="utf-8"))
    table = runpy.run_path(str(ROOT / "docs" / "make_table.py"))["table"](summary)
    assert table in (ROOT / page).read_text(encoding="utf-8")


def test_every_link_is_absolute_and_what_it_leads_to_in_the_tree_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.M)
    assert len(targets) > 10
    for target in targets:
        assert target.startswith("https://"), target
        if own := re.match(r"https://[^/]+/sonoseg/sonoseg/(?:(?:blob|tree)/)?main/([^#]+)", target):
            assert (ROOT / own[1]).exists(), target


def commands(page: Path) -> list[str]:
    """The commands that stand in a block of a page, and those with arguments within its sentences."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^ {4}(sonoseg [^#\n>]*)|`(sonoseg [^`]+ [^`]+)`", text, re.M)
    return [each for groups in found for command in groups for each in command.split(";") if each.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_can_be_typed(page: Path) -> None:
    for command in commands(page):
        if "..." in command:
            continue
        _, *words = shlex.split(command)
        name, found, context = "sonoseg", typer.main.get_command(app), None
        while words and words[0] in getattr(found, "commands", {}):
            context = found.context_class(found, info_name=name, parent=context)
            name, *words = words
            found = context.command.commands[name]
        if words and words != ["--help"]:  # else a command is named
            assert not hasattr(found, "commands"), command
            found.make_context(name, words, parent=context)


def test_commands_are_found() -> None:
    assert "sonoseg predict scan.png --spacing 0.07" in [each.strip() for each in commands(ROOT / "README.md")]
    assert sum(len(commands(page)) for page in PAGES) > 60


def test_every_page_is_in_the_index_and_its_links_lead_somewhere() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*"):
        if page.suffix in {".md", ".ipynb"} and page.stem != "index":
            assert f"({page.name})" in index, page
    for page in PAGES[1:]:
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"
