"""What docs/own-network.md shows runs as it stands, with a loop of one's own."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sonoseg.data.samples import Sample

ROOT = Path(__file__).parents[1]
DOC = ROOT / "docs" / "own-network.md"
PEERS = ROOT / ".venv-peers" / "bin" / "python"


def train(samples: tuple[Sample, ...]) -> torch.nn.Module:
    """A loop as somebody might have it: brightness against a threshold, three steps."""
    network = torch.nn.Conv2d(1, 1, 1)
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    for sample in samples[:3]:
        image, mask = sample.read()
        logits = network(torch.from_numpy(image.pixels)[None, None] / 255)
        target = torch.from_numpy(mask.astype(np.float32))[None, None]
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(logits, target).backward()
        optimiser.step()
    return network


def test_folds_and_scoring_take_fewer_than_twenty_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)
    assert len([line for line in code.splitlines() if line.strip()]) < 20
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"train": train}
    exec(compile(code.replace("busi:PATH", "phantom:20"), DOC.name, "exec"), names)
    assert list(names["summary"]["models"]) == ["mine"]
    assert (tmp_path / "entries" / "mine" / "entry.toml").is_file()


def test_the_example_trains_and_enters(tmp_path: Path) -> None:
    if not PEERS.is_file():
        pytest.skip("needs make peers")
    command = [PEERS, ROOT / "examples" / "smp_unet.py", "--size", "32", "--epochs", "1", "--weights", tmp_path / "w"]
    for data in ("phantom:20", "phantom:20"):  # trained, then judged again as it stands
        done = subprocess.run(
            [*command, "--data", data, "--folds", "0", "--out", tmp_path / "e" / "smp"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "lesion Dice" in done.stdout
    assert "epoch" not in done.stdout
    assert (tmp_path / "e" / "smp" / "cases.csv").is_file()


NNUNET = """
import sys
from types import SimpleNamespace
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

raw = sys.argv[1]
verify_dataset_integrity(raw, 1)
said = []
for fold in range(5):
    trainer = SimpleNamespace(
        dataset_class=lambda *_, **__: None,
        fold=fold,
        preprocessed_dataset_folder="",
        preprocessed_dataset_folder_base=raw,
        folder_with_segs_from_previous_stage=None,
        print_to_log_file=lambda *words: said.append(" ".join(map(str, words))),
    )
    training, validation = nnUNetTrainer.do_split(trainer)
    print("fold", fold, len(training), *sorted(validation))
assert not any("WARNING" in each or "random" in each for each in said), said
"""


def test_nnunet_accepts_the_set_and_takes_the_folds(tmp_path: Path) -> None:
    if not PEERS.is_file():
        pytest.skip("needs make peers")
    from sonoseg.data.formats.exchange import file_names
    from sonoseg.data.formats.nnunet import to_nnunet
    from sonoseg.data.sets.sources import open_set

    data = open_set("phantom:20")
    to_nnunet(data, tmp_path / "Dataset501_phantom")
    done = subprocess.run(
        [PEERS, "-c", NNUNET, tmp_path / "Dataset501_phantom"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "If you didn't see any error messages" in done.stdout
    files = file_names(data)
    for fold in range(5):
        held_out = " ".join(sorted(files[name] for name in data.folds.test(fold)))
        assert f"fold {fold} {len(data.folds.training(fold))} {held_out}\n" in done.stdout
