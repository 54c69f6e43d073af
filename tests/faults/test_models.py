"""Damaged model files, checkpoints and states of a run: refused in a sentence, or they answer as the whole ones do."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from campaign import Campaign
from mutations import mutated
from sonoseg.errors import UserError
from sonoseg.learning import checkpoint, pretrained
from sonoseg.learning.batches import pack
from sonoseg.learning.config import Config
from sonoseg.learning.loop import Run, train
from sonoseg.learning.networks.catalogue import build
from sonoseg.prediction import modelfile, onnxfile
from sonoseg.prediction.record import USE
from tiny_model import record, scan, write_model

RECORD = {
    "model": {"model": "unet", "width": 4}, "size": 32, "threshold": 0.5, "classes": ["lesion"],
    "trained_on": {"set": "phantom", "digests": []}, "settings": {"width": 4}, "program": "sonoseg test",
}  # fmt: skip


def damaged(content: bytes, draw: Random) -> bytes:
    """One bit flipped, as a disk does it, or what happens to any file."""
    if draw.random() < 0.5:
        return mutated(content, draw)
    flipped = bytearray(content)
    flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_damaged_model_files(campaign: Campaign, tmp_path: Path, backend: str) -> None:
    path = tmp_path / "model.onnx"
    content = onnxfile.seal(write_model(path, gates=1).read_bytes(), record(version=2, use=USE))
    path.write_bytes(content)
    image = scan()
    mask = modelfile.load(path, backend=backend, threads=1).predict(image).mask
    for number, draw in campaign.draws(60):
        path.write_bytes(damaged(content, draw))
        try:
            found = modelfile.load(path, backend=backend, threads=1).predict(image)
        except UserError as error:
            campaign.refused(number, error)
        else:
            assert np.array_equal(found.mask, mask), number
            campaign.counts["with the same mask"] += 1


def test_damaged_model_files_without_a_digest(campaign: Campaign, tmp_path: Path) -> None:
    """Files of the first version, and those that somebody made on purpose: no crash, and no mask of no numbers."""
    path = write_model(tmp_path / "model.onnx", gates=1)
    content, image = path.read_bytes(), scan()
    for number, draw in campaign.draws(60):
        path.write_bytes(damaged(content, draw))
        try:
            found = modelfile.load(path, backend="onnxruntime", threads=1).predict(image)
        except UserError as error:
            campaign.refused(number, error)
        else:
            assert np.isfinite(found.probability).all(), number
            campaign.counts["outlined"] += 1


def test_damaged_checkpoints(campaign: Campaign, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("unet", width=4)
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, network.state_dict(), RECORD)
    content, weights = path.read_bytes(), network.state_dict()
    for number, draw in campaign.draws(60):
        path.write_bytes(damaged(content, draw))
        assert pretrained.settings_of(str(path)).keys() <= {"width"}, number
        try:
            found = checkpoint.load(path).network.state_dict()
        except UserError as error:
            campaign.refused(number, error)
        else:
            assert all(torch.equal(found[name], values) for name, values in weights.items()), number
            campaign.counts["with the same weights"] += 1


def test_damaged_states_of_a_run(campaign: Campaign, tmp_path: Path) -> None:
    """Nothing in a state is executed, and what is damaged beyond reading is a sentence."""
    from sonoseg.data.sets.sources import open_set

    training = pack(open_set("phantom:20").samples[:8], 32)
    run = Run(
        Config("phantom:20", size=32, width=2, epochs=1, device="cpu"), training, None, tmp_path / "state.pt",
        lambda epoch, share, loss: None, lambda history: None,
    )  # fmt: skip
    train(run)
    content = run.state.read_bytes()
    for number, draw in campaign.draws(20):
        run.state.write_bytes(damaged(content, draw))
        try:
            train(run)
        except UserError as error:
            campaign.refused(number, error)
        else:
            campaign.counts["gone on with"] += 1
