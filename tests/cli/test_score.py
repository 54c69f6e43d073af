from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from commands import fails, sonoseg
from sonoseg.data.sets.sources import open_set
from trees import names, write

PHANTOMS = ["--data", "phantom:20"]


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Masks of fold 0 of the phantoms: what is dark."""
    data = open_set("phantom:20")
    for sample in data.samples:
        if sample.name in data.folds.test(0):
            write(tmp_path / "dark" / f"{sample.name}.png", sample.read()[0].pixels < 90)
    return tmp_path / "dark"


def test_masks_are_scored_compared_entered_and_set_side_by_side(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], masks: Path, tmp_path: Path
) -> None:
    score = ["score", str(masks), *PHANTOMS, "--folds", "0", "--no-pictures"]
    assert sonoseg(monkeypatch, *score, "--out", str(tmp_path / "e" / "a")) == 0
    said = capsys.readouterr().out
    assert "dark" in said
    assert "nothing drawn" in said
    assert f"report: {tmp_path / 'e' / 'a' / 'report.html'}" in said
    second = [*score, "--name", "again", "--reference", str(tmp_path / "e" / "a"), "--out", str(tmp_path / "e" / "b")]
    assert sonoseg(monkeypatch, *second) == 0
    assert "again" in capsys.readouterr().out
    board = ["leaderboard", str(tmp_path / "e"), "--out", str(tmp_path / "board.html")]
    assert "licence is ''" in fails(monkeypatch, capsys, *board)
    assert "board.html" not in names(tmp_path)
    for form in tmp_path.glob("e/*/entry.toml"):
        text = form.read_text(encoding="utf-8").replace('licence = ""', 'licence = "MIT"')
        form.write_text(text.replace('trained_on = ""', 'trained_on = "nothing"'), encoding="utf-8")
    assert sonoseg(monkeypatch, *board) == 0
    assert "phantom, fold 0: The highest mean lesion Dice" in capsys.readouterr().out
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "again" in page
    assert "dark" in page
    assert (tmp_path / "board.json").is_file()


def test_a_name_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], masks: Path, tmp_path: Path
) -> None:
    score = ["score", str(masks), *PHANTOMS, "--folds", "0", "--no-pictures", "--name", "unet [v2] [/]"]
    assert sonoseg(monkeypatch, *score, "--out", str(tmp_path / "out")) == 0
    assert "unet [v2] [/]" in capsys.readouterr().out


def test_what_is_wrong_is_a_sentence_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], masks: Path, tmp_path: Path
) -> None:
    score = ["score", str(masks), *PHANTOMS, "--out", str(tmp_path / "out")]
    first = next(masks.iterdir())
    assert "hint: --folds 0" in fails(monkeypatch, capsys, *score)
    assert "fold 9 does not exist" in fails(monkeypatch, capsys, *score, "--folds", "9")
    assert "whole numbers with commas" in fails(monkeypatch, capsys, *score, "--folds", "0-2")
    assert "the threshold is 7" in fails(monkeypatch, capsys, *score, "--folds", "0", "--threshold", "7")
    assert "a different seed for each" in fails(monkeypatch, capsys, *score, "--folds", "0", "--seeds", "0,1")
    assert "gone does not exist" in fails(monkeypatch, capsys, "score", str(tmp_path / "gone"), *PHANTOMS)
    assert "does not exist" in fails(monkeypatch, capsys, *score, "--folds", "0", "--reference", "gone")
    PIL.Image.fromarray(np.zeros((5, 6), np.uint8)).save(first)
    assert "is 5 x 6 pixels, its image" in fails(monkeypatch, capsys, *score, "--folds", "0")
    first.write_bytes(first.read_bytes()[:40])
    assert first.name in fails(monkeypatch, capsys, *score, "--folds", "0")
    np.save(first.with_suffix(".npy"), np.full((5, 6), 2.0))
    assert "are both of" in fails(monkeypatch, capsys, *score, "--folds", "0")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    assert "is a file" in fails(monkeypatch, capsys, *score[:-1], str(tmp_path / "file"), "--folds", "0")
    (tmp_path / "folder.html").mkdir()
    told = fails(monkeypatch, capsys, "leaderboard", str(tmp_path), "--out", str(tmp_path / "folder.html"))
    assert "is a folder" in told
    assert "does not end with .html" in fails(monkeypatch, capsys, "leaderboard", str(tmp_path), "--out", "x.pdf")
