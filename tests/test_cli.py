import json
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


def test_train_evaluate_and_refuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    assert sonoseg(monkeypatch, "train", "--data", "phantom:20", *TINY, "--out", run) == 0
    assert f"sonoseg evaluate {run} --data phantom:20" in capsys.readouterr().out
    assert sonoseg(monkeypatch, "evaluate", run, "--data", "phantom:20") == 0
    assert "nothing drawn" in capsys.readouterr().out
    assert (tmp_path / "run" / "cases.csv").exists()
    before = (tmp_path / "run" / "cases.csv").read_bytes()
    pictures(tmp_path / "other")
    assert sonoseg(monkeypatch, "evaluate", run, "--data", f"folder:{tmp_path / 'other'}") == 0
    assert "images of phantom" in (said := capsys.readouterr().out)
    assert "the drop is" in said
    assert (tmp_path / "run" / "cases.csv").read_bytes() == before
    summary = json.loads((tmp_path / "run" / "on-folder" / "summary.json").read_text(encoding="utf-8"))
    assert summary["external"]["models"]["unet"]["away"]["n"] == 6
    assert summary["external"]["trained_on"] == "phantom"
    everything = str(tmp_path / "all")
    assert sonoseg(monkeypatch, "train", "--data", "phantom:20", *TINY, "--fold", "-1", "--out", everything) == 0
    capsys.readouterr()
    assert "trained on the whole of phantom" in fails(
        monkeypatch, capsys, "evaluate", everything, "--data", "phantom:20"
    )


def test_a_folder_called_default_does_not_hide_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    pictures(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    assert sonoseg(monkeypatch, "evaluate", "default", "--data", "folder:other") == 0
    assert (tmp_path / "default-on-folder" / "cases.csv").is_file()
    assert not any((tmp_path / "default").iterdir())


def pictures(folder: Path) -> None:
    """A folder of six images, each with the mask of a bright square."""
    folder.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 80, (40, 50), np.uint8)
        mask = np.zeros((40, 50), np.uint8)
        mask[10 + number : 25, 12:30] = 255
        PIL.Image.fromarray(pixels + mask // 2).save(folder / f"x{number}.png")
        PIL.Image.fromarray(mask).save(folder / f"x{number}_mask.png")


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


def test_models_lists_the_four(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert sonoseg(monkeypatch, "models", "--size", "64", "--width", "8") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("unet", "recurrent-unet", "attention-unet", "recurrent-attention-unet"))


def test_bad_input_is_a_sentence_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for words, expected in (
        (["--data", "busi:nowhere"], "nowhere is not a folder"),
        (["--data", f"busi:{tmp_path}"], "has no folder benign, malignant, normal"),
        (["--data", "bussi:x"], "--data busi:PATH"),
        (["--data", "phantom:three"], "phantom:three is not a number"),
        (["--model", "atention-unet"], "--model attention-unet"),
        (["--width", "0"], "width is 0"),
        (["--fold", "7"], "fold 7 does not exist"),
        (["--encoder", "mobilnetv2_100"], "--encoder mobilenetv2_100"),
    ):
        said = fails(monkeypatch, capsys, "train", "--out", str(out), "--device", "cpu", *words)
        assert expected in said, said
        assert "hint: " in said
        assert not out.exists(), words


def test_a_broken_release_is_named_by_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for label in ("benign", "malignant", "normal"):
        (tmp_path / label).mkdir()
    PIL.Image.new("L", (40, 40)).save(tmp_path / "benign" / "benign (1)_mask.png")
    said = fails(monkeypatch, capsys, "train", "--data", f"busi:{tmp_path}", "--out", str(tmp_path / "out"))
    assert "benign (1)_mask.png is a mask without its image" in said


def test_a_damaged_checkpoint_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    assert "config.toml" in fails(monkeypatch, capsys, "evaluate", str(tmp_path))


def test_usage_errors_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such option" in fails(monkeypatch, capsys, "train", "--nonsense")
    assert sonoseg(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("sonoseg ")


def test_an_audit_goes_on_after_a_broken_file_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            PIL.Image.effect_noise((90, 80), 40).save(tmp_path / "set" / folder / f"{name}.png")
    broken = tmp_path / "set" / "images" / "b.png"
    broken.write_bytes(broken.read_bytes()[:200])
    out = tmp_path / "audit"
    assert sonoseg(monkeypatch, "data", "audit", f"folder:{tmp_path / 'set'}", "--out", str(out)) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"written: {out / 'audit.html'}", f"written: {out / 'audit.csv'}"]
    assert "b.png cannot be decoded" in said.err
    assert "b.png cannot be decoded" in (out / "audit.csv").read_text(encoding="utf-8")
    assert "is a file" in fails(monkeypatch, capsys, "data", "audit", "phantom:20", "--out", str(broken))
    assert "has no mask" not in fails(
        monkeypatch, capsys, "data", "audit", f"folder:{out}", "--out", str(tmp_path / "x")
    )
    assert not (tmp_path / "x").exists()


def test_a_packed_set_trains_and_says_that_its_figures_are_in_the_frame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, run = str(tmp_path / "p.npz"), str(tmp_path / "run")
    assert sonoseg(monkeypatch, "data", "pack", "phantom:20", "--size", "32", "--out", file) == 0
    assert "checksum" in capsys.readouterr().out
    assert sonoseg(monkeypatch, "train", "--data", f"packed:{file}", *TINY, "--out", run) == 0
    assert sonoseg(monkeypatch, "evaluate", run, "--data", f"packed:{file}") == 0
    assert "in a frame of 32 pixels" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["frame"] == 32
    assert sonoseg(monkeypatch, "evaluate", run, "--data", "phantom:20") == 0  # the originals, of the fold held out
    assert "in a frame" not in capsys.readouterr().out
