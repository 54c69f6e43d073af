"""How tests run the command line, and a small folder of pictures to run it on."""

import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from sonoseg.cli import main

TINY = ["--size", "32", "--width", "4", "--epochs", "1", "--batch", "8", "--device", "cpu"]


def sonoseg(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sonoseg", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must end with code 2 and one sentence; gives what it said."""
    assert sonoseg(monkeypatch, *words) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in said
    return said


def pictures(folder: Path) -> None:
    """A folder of six images, each with the mask of a bright square."""
    folder.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 80, (40, 50), np.uint8)
        mask = np.zeros((40, 50), np.uint8)
        mask[10 + number : 25, 12:30] = 255
        PIL.Image.fromarray(pixels + mask // 2).save(folder / f"x{number}.png")
        PIL.Image.fromarray(mask).save(folder / f"x{number}_mask.png")
