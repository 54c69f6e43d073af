import sys
from collections.abc import Iterator

import pytest

from sonoseg.cli import progress
from sonoseg.cli.progress import Bar, TrainingBar, bars


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set; pytest's stderr is no terminal."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def stepped(bar: Bar, clock: list[float], seconds: float) -> Iterator[None]:
    for done in range(1, 5):
        clock[0] += seconds
        bar.step(done, 4)
        yield


def test_what_is_quickly_done_is_not_talked_of(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    list(stepped(Bar("predicting"), clock, 1))
    Bar("predicting").step(1, 1)
    assert capsys.readouterr() == ("", "")


def test_what_takes_long_is_told_every_half_minute_and_at_its_end(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    list(stepped(Bar("predicting"), clock, 20))
    out, said = capsys.readouterr()
    assert out == ""
    assert [line.strip() for line in said.splitlines()] == ["predicting: 75%", "predicting: 100%"]


def test_quiet_is_quiet(
    capsys: pytest.CaptureFixture[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sonoseg", "predict", "x.png", "--quiet"])
    list(stepped(Bar("predicting"), clock, 100))
    assert capsys.readouterr() == ("", "")


def test_a_training_tells_epoch_loss_and_speed(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    bar = TrainingBar("training", epochs=2, images=100)
    bar(0, 0.5, 1.25)
    clock[0] = 50
    bar(1, 0.5, 0.5)
    said = " ".join(capsys.readouterr().err.split())
    assert said == "training: 75% epoch 2 of 2, loss 0.500, 2 images/s"


def test_a_cell_tells_its_place_and_its_training_bears_its_name(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    told = bars()
    told.cell(1, 4, "unet fold 0 seed 0", None)
    assert capsys.readouterr().err == ""
    told.cell(2, 4, "unet fold 1 seed 0", 1.25)
    assert capsys.readouterr().err == "unet fold 1 seed 0 (2 of 4); about 75 min of one process left\n"
    training = told.watch.training(1, 10)
    training(0, 0.5, 1.0)
    clock[0] = 50
    training(0, 1.0, 1.0)
    assert capsys.readouterr().err.startswith("unet fold 1 seed 0 (2 of 4): 100%")
