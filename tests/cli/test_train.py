import json
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from commands import TINY, fails, pictures, sonoseg
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.evaluation.cases import read_cases
from sonoseg.learning.config import MODELS, configure, read_config


def test_train_evaluate_and_refuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    assert sonoseg(monkeypatch, "train", "--data", "phantom:20", *TINY, "--out", run) == 0
    assert f"next: sonoseg evaluate {run}\n" in capsys.readouterr().out
    assert sonoseg(monkeypatch, "evaluate", run) == 0
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


def test_models_lists_the_four(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert sonoseg(monkeypatch, "models") == 0
    plain = capsys.readouterr().out
    assert [line.split()[0] for line in plain.splitlines()] == list(MODELS)
    assert sonoseg(monkeypatch, "models", "--cost", "--size", "64", "--width", "8") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in MODELS)
    assert "64 x 64" in listed


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
        said = fails(monkeypatch, capsys, "train", "--data", "phantom", "--out", str(out), "--device", "cpu", *words)
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
    assert "config.toml" in fails(monkeypatch, capsys, "evaluate", str(tmp_path), "--data", "phantom")


def test_nothing_is_trained_or_judged_on_phantoms_that_were_not_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["train"], ["benchmark"], ["measure", "leakage"]):
        assert "hint: --data busi:PATH" in fails(monkeypatch, capsys, *command)
    assert "hint: name them: --data busi:PATH" in fails(monkeypatch, capsys, "evaluate", "default")
    assert "has no config.toml and no cells" in fails(monkeypatch, capsys, "evaluate", str(tmp_path))
    assert not any(tmp_path.iterdir())


def test_a_run_is_judged_on_its_own_set_by_the_fold_that_it_held_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pictures(tmp_path / "mine")
    own, run = f"folder:{tmp_path / 'mine'}", tmp_path / "run"
    assert sonoseg(monkeypatch, "train", "--data", own, *TINY, "--fold", "1", "--out", str(run)) == 0
    assert sonoseg(monkeypatch, "evaluate", str(run)) == 0
    judged = {case.image for case in read_cases(run / "cases.csv")}
    assert judged == set(open_set(own).folds.test(1))
    (tmp_path / "mine").rename(tmp_path / "moved")
    capsys.readouterr()
    assert "mine" in fails(monkeypatch, capsys, "evaluate", str(run))
    assert sonoseg(monkeypatch, "evaluate", str(run), "--data", f"folder:{tmp_path / 'moved'}") == 0


def test_a_run_can_be_given_back_as_a_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first, again, other = tmp_path / "first", tmp_path / "again", tmp_path / "other"
    assert sonoseg(monkeypatch, "train", "--data", "phantom:20", *TINY, "--seed", "3", "--out", str(first)) == 0
    assert sonoseg(monkeypatch, "train", "--recipe", str(first / "config.toml"), "--out", str(again)) == 0
    assert "finished earlier" not in capsys.readouterr().out
    for name in ("config.toml", "model.safetensors"):
        assert (again / name).read_bytes() == (first / name).read_bytes()
    assert sonoseg(monkeypatch, "train", "--recipe", str(first), "--out", str(first)) == 0
    assert "finished earlier; nothing was trained now" in capsys.readouterr().out
    assert sonoseg(monkeypatch, "train", "--recipe", str(first), "--seed", "4", "--out", str(other)) == 0
    assert read_config(other / "config.toml") == replace(read_config(first / "config.toml"), seed=4)


def test_a_benchmark_takes_a_recipe_and_its_own_models_folds_and_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('data = "phantom:20"\nsize = 32\nwidth = 4\nepochs = 1\ndevice = "cpu"\nfold = -1\n')
    out = tmp_path / "out"
    command = ["benchmark", "--recipe", str(recipe), "--models", "attention-unet", "--folds", "1", "--seeds", "2"]
    assert sonoseg(monkeypatch, *command, "--width", "5", "--no-pictures", "--out", str(out)) == 0
    (cell,) = (out / "cells").iterdir()
    trained = read_config(cell / "config.toml")
    assert (trained.model, trained.fold, trained.seed, trained.width) == ("attention-unet", 1, 2, 5)
    assert trained == replace(configure({}, recipe), model="attention-unet", fold=1, seed=2, width=5)


def test_a_packed_set_trains_and_is_judged_as_the_originals_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, run = str(tmp_path / "p.npz"), str(tmp_path / "run")
    assert sonoseg(monkeypatch, "data", "pack", "phantom:20", "--size", "32", "--out", file) == 0
    assert "checksum" in capsys.readouterr().out
    assert sonoseg(monkeypatch, "train", "--data", f"packed:{file}", *TINY, "--out", run) == 0
    assert sonoseg(monkeypatch, "evaluate", run, "--data", f"packed:{file}") == 0
    packed = (tmp_path / "run" / "cases.csv").read_bytes()
    assert sonoseg(monkeypatch, "evaluate", run, "--data", "phantom:20") == 0  # the originals, of the fold held out
    assert (tmp_path / "run" / "cases.csv").read_bytes() == packed


def test_a_plan_is_a_benchmark(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = "".join(f"{word[2:]} = {value}\n" for word, value in zip(TINY[::2], TINY[1::2], strict=True))
    recipe = f"folds = [1]\nseeds = [0]\n[recipe]\n{settings.replace('cpu', repr('cpu'))}"
    (tmp_path / "plan.toml").write_text(f'{recipe}[[arms]]\nname = "a"\n[[arms]]\nname = "b"\naugmented = 0.0\n')
    command = ("benchmark", "--plan", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out"))
    assert "names no data" in fails(monkeypatch, capsys, *command)
    said = fails(monkeypatch, capsys, *command, "--data", "phantom:20", "--width", "8")
    assert "--width and --plan are both given" in said
    told = fails(monkeypatch, capsys, *command, "--data", "phantom:20", "--models", "all")
    assert "--models and --plan are both given" in told
    assert not (tmp_path / "out").exists()
    assert sonoseg(monkeypatch, *command, "--data", "phantom:20", "--no-pictures") == 0
    assert "of one process left" in capsys.readouterr().err
    assert (tmp_path / "out" / "cells" / "b-fold-1-seed-0" / "cases.csv").exists()
    assert sonoseg(monkeypatch, *command, "--data", "phantom:20", "--no-pictures", "--folds", "0") == 0
    assert (tmp_path / "out" / "cells" / "a-fold-0-seed-0" / "cases.csv").exists()
    assert sonoseg(monkeypatch, *command, "--data", "phantom:20", "--no-pictures", "--seeds", "3") == 0
    assert (tmp_path / "out" / "cells" / "b-fold-1-seed-3" / "cases.csv").exists()


def test_what_a_plan_names_may_lie_elsewhere_and_is_looked_for_where_a_cell_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pictures(tmp_path / "here")
    (tmp_path / "plan.toml").write_text(
        'folds = [1]\nseeds = [0]\n[recipe]\ndata = "phantom:20"\nsize = 32\nwidth = 4\nepochs = 1\nbatch = 8\n'
        'device = "cpu"\n[[arms]]\nname = "alone"\n[[arms]]\nname = "more"\nalso = ["folder:nowhere"]\n'
    )
    command = ("benchmark", "--plan", str(tmp_path / "plan.toml"), "--no-pictures", "--out", str(tmp_path / "out"))
    assert "nowhere is no folder" in fails(monkeypatch, capsys, *command)
    release = tmp_path / "release.toml"
    release.write_text((tmp_path / "plan.toml").read_text().replace("folder:", "bus-bra:"))
    told = fails(monkeypatch, capsys, "benchmark", "--plan", str(release), *command[3:])
    assert "nowhere is not a folder" in told
    assert "--also bus-bra:PATH" in told
    assert "names folder there" in fails(monkeypatch, capsys, *command, "--also", "phantom:40")
    assert "names none there" in fails(monkeypatch, capsys, *command, "--encoder-weights", "x.safetensors")
    assert not (tmp_path / "out").exists()
    assert sonoseg(monkeypatch, *command, "--also", f"folder:{tmp_path / 'here'}") == 0
    assert read_config(tmp_path / "out" / "cells" / "more-fold-1-seed-0" / "config.toml").also
    assert not read_config(tmp_path / "out" / "cells" / "alone-fold-1-seed-0" / "config.toml").also
    table = (tmp_path / "out" / "cases.csv").read_bytes()
    assert sonoseg(monkeypatch, *command) == 0
    assert (tmp_path / "out" / "cases.csv").read_bytes() == table


def test_a_small_set_of_ones_own_is_learnt_in_160_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """32 images of 40 are trained on, with the defaults but for the size; the held-out ones are found too."""
    run = tmp_path / "run"
    small = ["--size", "48", "--width", "8", "--epochs", "40", "--device", "cpu"]
    assert sonoseg(monkeypatch, "train", "--data", "phantom:40", *small, "--out", str(run)) == 0
    assert len(split(open_set("phantom:40"), 0).training) == 32
    assert "nothing is drawn" not in capsys.readouterr().err
    assert sonoseg(monkeypatch, "evaluate", str(run)) == 0
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"]["unet"]["lesion"]["dice"]["mean"] > 0.4
