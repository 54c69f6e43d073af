"""What a newcomer types from the documentation is understood: every command is there, and so is every flag."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from sonoseg.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
ENDS = {">", "|", "&&", "&", ";", "#"}


def commands(page: Path) -> Iterator[str]:
    """The commands of the code blocks, each with the lines that go on with it."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith(("    sonoseg ", "sonoseg ", "$ sonoseg ", "    .venv/bin/sonoseg ")):
            yield line.strip().removeprefix("$ ")


TYPED = [pytest.param(line, id=f"{page.name}: {line[:60]}") for page in PAGES for line in commands(page)]


def test_there_are_some() -> None:
    assert len(TYPED) > 40


@pytest.mark.parametrize("line", TYPED)
def test_a_command_is_understood(line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    ends = [number for number, word in enumerate(words) if word in ENDS]
    words = words[: ends[0]] if ends else words
    command: click.Command = typer.main.get_command(app)
    while isinstance(command, click.Group):
        while words[0] in ("--quiet", "--debug"):
            del words[0]
        assert words[0] in command.commands, words[0]
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)
