"""Runs that are killed at any moment: what stands is whole, and the same command with --resume makes the rest."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from safetensors.torch import load_file

from campaign import Campaign
from scans import scan
from tiny_model import write_model
from trees import contents

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def killed(command: list[str], after: float) -> bool:
    """Whether it was still at work then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(KILL)
        process.wait()
        return True
    return False


@pytest.mark.timeout(36_000)
def test_killed_batches(campaign: Campaign, tmp_path: Path) -> None:
    model = write_model(tmp_path / "tiny.onnx")
    for number in range(12):
        (tmp_path / "scans").mkdir(exist_ok=True)
        PIL.Image.fromarray(scan(number)).save(tmp_path / "scans" / f"{number}.png")
    command = [sys.executable, "-m", "sonoseg", "predict", str(tmp_path / "scans"), "--model", str(model), "--coco"]
    whole = tmp_path / "whole"
    lasts = seconds([*command, "--out", str(whole)])
    for number, draw in campaign.draws(1):
        out = tmp_path / str(number)
        moments = [draw.uniform(0.3, 1) * lasts for _ in range(draw.choice((1, 1, 3)))]
        for moment in moments:
            campaign.counts["killed at work"] += killed([*command, "--out", str(out), "--resume"], moment)
            assert_whole(out, number)
        subprocess.run([*command, "--out", str(out), "--resume"], check=True, capture_output=True)
        assert contents(out) == contents(whole), number


def assert_whole(out: Path, number: int) -> None:
    """What has its own name is whole; the JSON says that the others are there."""
    for path in out.glob("*.png"):
        with PIL.Image.open(path) as picture:
            picture.load()
    for path in out.glob("*.json"):
        told = json.loads(path.read_bytes())
        missing = [name for name in told.get("outputs", {}).values() if not (out / name).is_file()]
        assert not missing, (number, missing)


@pytest.mark.timeout(36_000)
def test_killed_trainings(campaign: Campaign, tmp_path: Path) -> None:
    """Weights after any kills are those of a training that nobody disturbed; ``test_run`` kills one in the suite."""
    command = [sys.executable, "-m", "sonoseg", "train", "--data", "phantom:20", "--size", "32", "--width", "4"]
    command += ["--epochs", "40", "--device", "cpu", "--resume", "--out"]
    lasts = 0.0
    for number, draw in campaign.draws(0.2):
        lasts = lasts or seconds([*command, str(tmp_path / "whole")])
        out = tmp_path / str(number)
        for _ in range(draw.choice((1, 2))):
            campaign.counts["killed at work"] += killed([*command, str(out)], draw.uniform(0.3, 1.1) * lasts)
        subprocess.run([*command, str(out)], check=True, capture_output=True)
        first, second = (load_file(folder / "model.safetensors") for folder in (out, tmp_path / "whole"))
        assert all(bool((first[name] == second[name]).all()) for name in first), number
        assert not list(out.rglob("*.part")), number
