import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.learning import checkpoint
from sonoseg.learning.networks.catalogue import build

RECORD = {"model": {"model": "attention-unet", "width": 4}, "size": 32, "threshold": 0.5}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "model.safetensors", build("attention-unet", width=4).state_dict(), RECORD)
    return tmp_path / "model.safetensors"


def test_round_trip_gives_the_same_answers(written: Path) -> None:
    torch.manual_seed(0)
    network = build("attention-unet", width=4).eval()
    stored = checkpoint.load(written.parent)
    images = torch.rand(2, 1, 32, 48)
    assert torch.equal(stored.network(images), network(images))
    assert stored.record["model"] == RECORD["model"]


def test_its_predictor_answers_in_the_size_of_the_image(written: Path) -> None:
    image = Image(np.full((50, 71), 90, np.uint8))
    prediction = checkpoint.load(written).predictor().predict(image)
    assert prediction.probability.shape == prediction.mask.shape == (50, 71)
    assert 0 <= prediction.probability.min() <= prediction.probability.max() <= 1


def test_presence_is_told_where_the_network_has_that_head(written: Path, tmp_path: Path) -> None:
    image = Image(np.full((50, 71), 90, np.uint8))
    untold = checkpoint.load(written).predictor()
    assert (untold.predict(image).presence, untold.least_presence) == (None, None)
    model = RECORD["model"] | {"presence": True}
    checkpoint.save(tmp_path / "there", build(**model).state_dict(), RECORD | {"model": model})
    stored = checkpoint.load(tmp_path / "there")
    assert stored.predictor().least_presence == 0
    presence = stored.predictor().predict(image).presence
    assert presence is not None
    frame = torch.zeros(1, 1, 32, 32)
    frame[:, :, 4:27] = 90 / 255  # 50 x 71 in 32 x 32 takes 23 rows
    with torch.no_grad():
        told = stored.network.answer(frame)[1]
    assert presence == pytest.approx(float(told.sigmoid()), abs=1e-6)


def test_what_is_no_checkpoint_is_refused(written: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        checkpoint.load(tmp_path / "none.safetensors")
    content = written.read_bytes()
    for name, spoiled in (("cut", content[:-100]), ("text", b"hello"), ("empty", b""), ("pickle", b"\x80\x04K\x01.")):
        (tmp_path / name).write_bytes(spoiled)
        with pytest.raises(UserError, match="damaged or not a checkpoint"):
            checkpoint.load(tmp_path / name)
    save_file({"x": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(UserError, match="not a checkpoint of sonoseg"):
        checkpoint.load(tmp_path / "other")


def test_no_flipped_bit_is_passed_over(written: Path, tmp_path: Path) -> None:
    content = written.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 40):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / "flipped").write_bytes(flipped)
        with pytest.raises(UserError, match="flipped"):
            checkpoint.load(tmp_path / "flipped")


def test_a_file_of_an_earlier_version_has_no_digest_and_is_read(written: Path, tmp_path: Path) -> None:
    stored = checkpoint.load(written)
    told = {"format": checkpoint.FORMAT, "version": checkpoint.VERSION, **RECORD}
    save_file(stored.network.state_dict(), tmp_path / "earlier", {"sonoseg": json.dumps(told)})
    assert checkpoint.load(tmp_path / "earlier").record == stored.record == told


def test_another_version_is_refused_by_its_number(tmp_path: Path) -> None:
    record = {"format": checkpoint.FORMAT, "version": 99}
    save_file({"x": torch.zeros(1)}, tmp_path / "new", {"sonoseg": json.dumps(record)})
    with pytest.raises(UserError, match="version 99; this program reads version 1"):
        checkpoint.load(tmp_path / "new")


def test_weights_that_do_not_fit_their_record_are_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", build("unet", width=4).state_dict(), RECORD)
    with pytest.raises(UserError, match="does not fit its own record"):
        checkpoint.load(tmp_path / "a")
