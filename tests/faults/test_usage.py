"""Wrong usages: commands with values that mean nothing. An exit code and a sentence, and no traceback."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
import pytest
import typer

from campaign import Campaign
from sonoseg.cli import app, main

VALUES = (
    "", " ", "-1", "0", str(2**70), "1e999", "nan", "inf", "0.5", "7", "no", "nowhere", "../..", "é", "\x1b[31m",
    "x" * 300, "folder:", "folder:nowhere", "busi:nowhere", "phantom:3", "phantom:x", "coco:nowhere", "?", "*",
    "a,b", "0,0", ",", "https://", "http://127.0.0.1:9/x#sha256=0", "default", "file.txt", "cuda", "all", "\udcff",
)  # fmt: skip
LASTING = {("serve",), ("dicom",)}
"""Begin what does not end by itself, or asks an archive."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif (*path, name) not in LASTING and path not in LASTING:
            yield (*path, name), command


ALL = list(commands(typer.main.get_command(app)))


def usage(draw: Random) -> list[str]:
    path, command = draw.choice(ALL)
    words = list(path)
    options = [each for each in command.params if isinstance(each, click.Option)]
    for argument in (each for each in command.params if isinstance(each, click.Argument)):
        words += [draw.choice(VALUES)] if draw.random() < 0.9 else []
        words += [draw.choice(VALUES)] if argument.nargs == -1 and draw.random() < 0.3 else []
    for option in draw.sample(options, min(len(options), draw.choice((0, 1, 2, 4)))):
        words.append(draw.choice(option.opts))
        if not option.is_flag:
            words.append(draw.choice(VALUES))
    return words


def test_wrong_usages(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("text", encoding="utf-8")
    for number, draw in campaign.draws(60):
        words = usage(draw)
        monkeypatch.setattr(sys, "argv", ["sonoseg", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, said = capfd.readouterr()
        code = stopped.value.code
        assert code in (0, 1, 2, None), (number, words)
        assert "Traceback" not in out + said, (number, words)
        assert "\x1b" not in out + said, (number, words)
        if code:
            assert said.strip() or out.strip(), (number, words)
        campaign.counts["refused in a sentence" if code else "answered"] += 1
