from dataclasses import replace
from pathlib import Path

import pytest

from commands import TINY, fails, pictures, sonoseg
from sonoseg.learning.config import read_config


def test_leakage_is_measured_when_both_arms_stand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["measure", "leakage", "--data", "phantom:20", *TINY, "--folds", "0", "--out", str(tmp_path)]
    assert sonoseg(monkeypatch, *command, "--arm", "random") == 0
    assert "--arm grouped" in capsys.readouterr().out
    assert sonoseg(monkeypatch, *command, "--arm", "grouped") == 0
    assert "what the copies did" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "grouped", "random", "leakage.csv", "leakage.md", "summary.json",
    }  # fmt: skip
    assert "grouped, random and both" in fails(monkeypatch, capsys, *command, "--arm", "none")


def test_the_recipe_of_a_finished_run_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As that of the default model: an encoder, begun on another set."""
    pictures(tmp_path / "other")
    encoder = ["--encoder", "test_resnet", "--padding", "plain", "--encoder-rate", "0.3", "--augmented", "0.75"]
    first = ["train", "--data", f"folder:{tmp_path / 'other'}", "--fold", "-1", *TINY, *encoder]
    assert sonoseg(monkeypatch, *first, "--out", str(tmp_path / "first")) == 0
    second = ["train", "--recipe", str(tmp_path / "first"), "--data", "phantom:20", "--fold", "0"]
    second += ["--pretrained", str(tmp_path / "first"), "--out", str(tmp_path / "second")]
    assert sonoseg(monkeypatch, *second) == 0
    command = ["measure", "leakage", "--recipe", str(tmp_path / "second" / "config.toml"), "--folds", "1"]
    assert sonoseg(monkeypatch, *command, "--out", str(tmp_path / "leakage")) == 0
    assert "encoder_rate 0.3, pretrained first" in capsys.readouterr().out
    given = read_config(tmp_path / "second" / "config.toml")
    for arm in ("grouped", "random"):
        (cell,) = (tmp_path / "leakage" / arm / "cells").iterdir()
        assert read_config(cell / "config.toml") == replace(given, fold=1)
