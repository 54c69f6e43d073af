import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sonoseg.data.folds import Folds
from sonoseg.data.samples import digest
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation.judging import chosen
from sonoseg.learning import checkpoint, run
from sonoseg.learning.batches import pack
from sonoseg.learning.config import Config, read_config
from sonoseg.learning.run import LEAST_EPOCHS, STEPS, Logbook, Watch, of_run, resolve, train_run

CONFIG = Config("phantom:20", size=32, width=4, epochs=2, batch=8, device="cpu")
SILENT = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)


def test_a_run_is_a_folder_that_a_person_can_read(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    written = train_run(CONFIG, data, tmp_path / "run", False, SILENT)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "config.toml", "folds.csv", "history.jsonl", "machines.jsonl", "model.safetensors",
    ]  # fmt: skip
    assert read_config(tmp_path / "run" / "config.toml") == CONFIG
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in history] == [1, 2]
    record = checkpoint.load(written).record
    assert record["trained_on"]["images"] == len(record["trained_on"]["digests"]) == len(split(data, 0).training)
    before = written.read_bytes()
    assert train_run(CONFIG, data, tmp_path / "run", False, SILENT) == written
    assert written.read_bytes() == before


def test_the_history_is_written_for_tensorboard_where_it_is_asked_for(tmp_path: Path) -> None:
    logbook = Logbook(tmp_path / "history.jsonl", tmp_path / "scalars")
    first, second = {"epoch": 1, "loss": 0.75}, {"epoch": 2, "loss": 0.5}
    logbook([first])
    logbook([first, second])
    assert (tmp_path / "history.jsonl").read_text().count("\n") == 2
    (events,) = (tmp_path / "scalars").iterdir()
    assert events.read_bytes().count(b"loss") == 2


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    CONFIG.write(tmp_path / "config.toml")
    with pytest.raises(UserError, match="other settings: width"):
        train_run(replace(CONFIG, width=8), data, tmp_path, True, SILENT)
    with pytest.raises(UserError, match="unfinished run") as caught:
        train_run(CONFIG, data, tmp_path, False, SILENT)
    assert "--resume" in caught.value.hint


def test_killed_at_any_moment_it_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=40)
    command = [sys.executable, "-m", "sonoseg", "train", "--data", "phantom:20", "--size", "32", "--width", "4"]
    command += ["--epochs", "40", "--batch", "8", "--device", "cpu", "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    state = tmp_path / "killed" / "last" / "state.pt"
    deadline = time.monotonic() + 200
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    _, said = process.communicate()
    assert state.exists(), said.decode()
    threads = torch.get_num_threads()
    data = open_set("phantom:20")
    train_run(config, data, tmp_path / "killed", True, SILENT)
    train_run(config, data, tmp_path / "whole", False, SILENT)
    assert torch.get_num_threads() == threads
    first, second = (checkpoint.load(tmp_path / name).network.state_dict() for name in ("killed", "whole"))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("finished", [False, True])
def test_what_a_killed_run_left_half_written_is_no_hindrance(tmp_path: Path, finished: bool) -> None:
    data, out = open_set("phantom:20"), tmp_path / "run"
    if finished:
        train_run(CONFIG, data, out, False, SILENT)
    (out / "last").mkdir(parents=True)
    (out / "last" / ".sonoseg-0123abcd.part").write_bytes(b"half")
    train_run(CONFIG, data, out, True, SILENT)
    assert not (out / "last").exists()
    assert not list(out.rglob("*.part"))


def other_set(tmp_path: Path) -> str:
    """A set of another name: six phantoms in a folder."""
    folder = tmp_path / "elsewhere"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index, sample in enumerate(open_set("phantom:40").samples[30:36]):
        image, mask = sample.read()
        Image.fromarray(image.pixels).save(folder / "images" / f"{index}.png")
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{index}.png")
    return f"folder:{folder}"


def test_a_pretrained_network_is_begun_with_and_its_set_stays_known(tmp_path: Path) -> None:
    spec = other_set(tmp_path)
    first = replace(CONFIG, data=spec, fold=-1, epochs=1, batch=2)
    train_run(first, open_set(spec), tmp_path / "first", False, SILENT)
    still = replace(CONFIG, pretrained=str(tmp_path / "first"), epochs=1, learning_rate=1e-12)
    train_run(still, open_set(CONFIG.data), tmp_path / "second", False, SILENT)
    before, after = checkpoint.load(tmp_path / "first"), checkpoint.load(tmp_path / "second")
    torch.testing.assert_close(after.network.head.weight, before.network.head.weight)
    assert set(before.record["trained_on"]["digests"]) < set(after.record["trained_on"]["digests"])
    assert [seen["set"] for seen in after.record["trained_on"]["also"]] == [before.record["trained_on"]["set"]]
    assert (
        after.record["settings"]["pretrained"]
        == {"sets": before.record["trained_on"]["set"]} | before.record["settings"]
    )


def test_a_network_that_saw_the_held_out_images_is_not_begun_with(tmp_path: Path) -> None:
    data = open_set(CONFIG.data)
    train_run(replace(CONFIG, epochs=1), data, tmp_path / "first", False, SILENT)
    with pytest.raises(UserError, match="held out") as refused:
        train_run(replace(CONFIG, fold=1, pretrained=str(tmp_path / "first")), data, tmp_path / "b", False, SILENT)
    assert refused.value.hint
    assert not (tmp_path / "b").exists()


def test_a_network_that_held_out_the_same_fold_is_gone_on_with(tmp_path: Path) -> None:
    data = open_set(CONFIG.data)
    train_run(replace(CONFIG, epochs=1), data, tmp_path / "first", False, SILENT)
    config = replace(CONFIG, epochs=1, pretrained=str(tmp_path / "first"))
    candidate = of_run(train_run(config, data, tmp_path / "second", False, SILENT).parent)
    assert candidate.trained_on["fold"] == 0
    assert {sample.name for sample in chosen(candidate, data)} == {sample.name for sample in split(data, 0).test}
    assert not {digest(sample.read()[0]) for sample in split(data, 0).test} & set(candidate.trained_on["digests"])


def test_more_levels_than_the_decoder_has_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 coarser levels, not 4") as refused:
        train_run(replace(CONFIG, deep=4), open_set(CONFIG.data), tmp_path / "a", False, SILENT)
    assert refused.value.hint == "--deep 3"
    assert not (tmp_path / "a").exists()


def test_a_share_of_what_was_begun_with_is_kept(tmp_path: Path) -> None:
    data = open_set(CONFIG.data)
    train_run(replace(CONFIG, epochs=1), data, tmp_path / "0-first", False, SILENT)
    going = replace(CONFIG, epochs=1, pretrained=str(tmp_path / "{fold}-first"))
    for kept in (0.0, 0.25, 1.0):
        train_run(replace(going, kept=kept), data, tmp_path / f"{kept:g}", False, SILENT)
    first, moved, quarter, all_of_it = (
        checkpoint.load(tmp_path / name).network.state_dict() for name in ("0-first", "0", "0.25", "1")
    )
    for name, values in first.items():
        if values.is_floating_point():
            torch.testing.assert_close(quarter[name], 0.75 * moved[name] + 0.25 * values)
            torch.testing.assert_close(all_of_it[name], values)
    assert not torch.equal(moved["head.weight"], first["head.weight"])


def test_a_pretrained_network_of_another_architecture_is_refused(tmp_path: Path) -> None:
    spec = other_set(tmp_path)
    train_run(replace(CONFIG, data=spec, fold=-1, epochs=1, batch=2), open_set(spec), tmp_path / "a", False, SILENT)
    with pytest.raises(UserError, match="another architecture: width 4"):
        train_run(
            replace(CONFIG, width=8, pretrained=str(tmp_path / "a")),
            open_set("phantom:20"),
            tmp_path / "b",
            False,
            SILENT,
        )
    assert not (tmp_path / "b").exists()


def test_epochs_that_are_left_open_follow_from_the_steps_and_are_those_of_every_fold(tmp_path: Path) -> None:
    small, large = open_set("phantom:20"), open_set("phantom:400")
    left_open = replace(CONFIG, epochs=0)
    assert resolve(CONFIG, small) == CONFIG
    assert resolve(left_open, small).epochs * 3 == pytest.approx(STEPS, abs=3)  # three batches of 8 hold 20 images
    assert resolve(left_open, large).epochs == LEAST_EPOCHS
    assert resolve(replace(left_open, fold=-1), small).epochs == resolve(replace(left_open, fold=1), small).epochs


def test_the_number_of_epochs_that_was_chosen_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STEPS", 6)
    monkeypatch.setattr(run, "LEAST_EPOCHS", 1)
    train_run(replace(CONFIG, epochs=0), open_set("phantom:20"), tmp_path / "run", False, SILENT)
    assert read_config(tmp_path / "run" / "config.toml") == replace(CONFIG, epochs=2)
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 2


def test_a_network_that_draws_nothing_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    still = replace(CONFIG, epochs=1, learning_rate=1e-12)
    data = open_set("phantom:20")
    train_run(still, data, tmp_path / "run", False, SILENT)
    assert "nothing is drawn on 14 of 14 images with a lesion" in caplog.text
    caplog.clear()
    network = checkpoint.load(tmp_path / "run").network
    torch.nn.init.constant_(network.head.bias, 50.0)
    run._warn_of_silence(network, pack(data.samples, CONFIG.size))
    assert not caplog.records


def test_a_finished_run_is_readable_as_any_file_is(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        train_run(replace(CONFIG, epochs=1), open_set("phantom:20"), tmp_path / "run", False, SILENT)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()}
    assert set(modes.values()) == {0o644}, modes


def test_of_a_further_set_every_image_is_mixed_in_but_its_held_out_fold(tmp_path: Path) -> None:
    spec = other_set(tmp_path)
    config = replace(CONFIG, also=(spec,), also_fold=0, mix="all", epochs=1, normals=2, presence=0.5)
    train_run(config, open_set(CONFIG.data), tmp_path / "run", False, SILENT)
    record = checkpoint.load(tmp_path / "run").record
    held_out = {digest(sample.read()[0]) for sample in split(open_set(spec), 0).test}
    rest = {digest(sample.read()[0]) for sample in split(open_set(spec), 0).training}
    assert held_out
    assert rest <= set(record["trained_on"]["digests"])
    assert not held_out & set(record["trained_on"]["digests"])
    assert [seen["fold"] for seen in record["trained_on"]["also"]] == [0]
    candidate = of_run(tmp_path / "run")
    assert {digest(sample.read()[0]) for sample in chosen(candidate, open_set(spec))} == held_out
    assert candidate.predictor.predict(open_set(spec).samples[0].read()[0]).presence is not None


def test_a_network_that_saw_a_held_out_fold_of_a_further_set_is_not_begun_with(tmp_path: Path) -> None:
    spec = other_set(tmp_path)
    first = replace(CONFIG, data=spec, fold=-1, epochs=1, batch=2)
    train_run(first, open_set(spec), tmp_path / "first", False, SILENT)
    config = replace(CONFIG, pretrained=str(tmp_path / "first"), also=(spec,), also_fold=0)
    with pytest.raises(UserError, match="which fold 0 is held out of"):
        train_run(config, open_set(CONFIG.data), tmp_path / "second", False, SILENT)


def test_crops_that_cannot_be_cut_are_refused(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    normal = replace(data, samples=tuple(sample for sample in data.samples if sample.label == "normal"))
    kept = {sample.name for sample in normal.samples}
    rows = tuple(replace(row, fold=int(row.image in kept) or None) for row in data.folds.rows)
    with pytest.raises(UserError, match="leaves room for a crop"):
        train_run(
            replace(CONFIG, fold=-1, normals=2), replace(normal, folds=Folds(rows)), tmp_path / "a", False, SILENT
        )


def test_a_share_of_the_groups_is_trained_on_by_cross_entropy_and_one_normalisation_alone(tmp_path: Path) -> None:
    """The settings of ablations reach the weights, and what was trained with them is read again."""
    config = replace(CONFIG, model="recurrent-unet", share=0.5, loss="none", norms="shared", steps=2, epochs=1)
    data = open_set(config.data)
    stored = checkpoint.load(train_run(config, data, tmp_path / "a", False, SILENT))
    whole = split(data, config.fold).training
    half = split(data, config.fold, share=0.5).training
    assert stored.record["trained_on"]["images"] == len(half)
    assert len(half) < len(whole)
    assert stored.record["model"]["norms"] == "shared"
    assert not any("step_norms" in name for name in stored.network.state_dict())
