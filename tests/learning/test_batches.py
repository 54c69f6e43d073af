import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sonoseg.data.formats.packed import to_packed
from sonoseg.data.sets.sources import open_set
from sonoseg.learning import batches
from sonoseg.learning.batches import Packed, Share, pack, steps_per_epoch, training_batches
from sonoseg.learning.config import Config

CPU = torch.device("cpu")


def config(batch: int, seed: int = 0, normals: int = 0, augmented: float = 1.0) -> Config:
    return Config("phantom", size=32, batch=batch, seed=seed, normals=normals, augmented=augmented)


def numbered(count: int, size: int = 8) -> Packed:
    """Images that differ, as bytes."""
    values = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1) * 5 + 40
    images = values.expand(count, 1, size, size).contiguous()
    return Packed(images, (images > 100).to(torch.uint8), tuple(str(i) for i in range(count)))


def test_pack_keeps_order_and_fits_the_frame() -> None:
    samples = open_set("phantom:20").samples[:6]
    said: list[tuple[int, int]] = []
    packed = pack(samples, 48, lambda done, of: said.append((done, of)))
    assert packed.images.shape == packed.masks.shape == (6, 1, 48, 48)
    assert packed.images.dtype == packed.masks.dtype == torch.uint8
    assert said == [(i + 1, 6) for i in range(6)]
    alone = pack(samples[3:4], 48)
    assert torch.equal(alone.images[0], packed.images[3])
    assert alone.digests[0] == packed.digests[3]
    share = [float(mask.float().mean()) for mask in packed.masks]
    truth = [float(sample.read()[1].mean()) for sample in samples]
    assert all(abs(a - b * 0.85) < 0.25 * b + 0.01 for a, b in zip(share, truth, strict=True))


def test_an_epoch_is_decided_by_seed_and_number() -> None:
    data = numbered(10)
    first, again, other = (
        [images for images, _ in training_batches(data, config(4, 0), epoch, Share(), CPU)] for epoch in (3, 3, 4)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_every_image_is_seen_and_every_batch_is_full() -> None:
    data = numbered(10)
    batches = list(training_batches(data, config(4, 0), 0, Share(), CPU))
    assert [len(images) for images, _ in batches] == [4] * steps_per_epoch(10, 4)
    small = list(training_batches(numbered(3), config(8, 0), 0, Share(), CPU))
    assert [len(images) for images, _ in small] == [8]


def test_shares_of_two_processes_make_the_whole_batch() -> None:
    data = numbered(12)
    whole = [images for images, _ in training_batches(data, config(4, 1), 2, Share(), CPU)]
    parts = [[images for images, _ in training_batches(data, config(4, 1), 2, Share(rank, 2), CPU)] for rank in (0, 1)]
    for batch, first, second in zip(whole, *parts, strict=True):
        torch.testing.assert_close(torch.stack([first, second], 1).flatten(0, 1), batch)


def test_an_epoch_has_every_image_at_home_and_at_most_as_many_others() -> None:
    data = replace(numbered(12), home=3)
    assert len(data) == 6
    epochs = [data.order(torch.Generator().manual_seed(epoch)).tolist() for epoch in range(40)]
    assert all(len(set(order)) == 6 and {0, 1, 2} <= set(order) for order in epochs)
    assert set().union(*epochs) == set(range(12))
    assert len(replace(numbered(12), home=10)) == 12
    assert epochs[0] != sorted(epochs[0])


def test_a_packed_set_gives_the_same_batches_as_its_original(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    to_packed(data, tmp_path / "p.npz", 32)
    original, packed = pack(data.samples, 32), pack(open_set(f"packed:{tmp_path / 'p.npz'}").samples, 32)
    assert torch.equal(original.images, packed.images)
    assert torch.equal(original.masks, packed.masks)
    assert original.digests == packed.digests


TOUCH = """
import resource
import numpy as np
from sonoseg.learning.batches import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc only")
def test_memory_that_was_freed_is_not_cleared_again() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", TOUCH.format(keep=keep)], capture_output=True, check=True).stdout)
        for keep in (False, True)
    ]
    assert faults[1] < faults[0] / 10


def test_crops_beside_lesions_are_packed_and_added_to_every_batch() -> None:
    samples = open_set("phantom:20").samples
    without = pack(samples, 32)
    assert without.crops == 0
    data = pack(samples, 32, crops=True)
    assert data.images.shape == data.masks.shape == (20 + data.crops, 1, 32, 32)
    assert data.crops > 0
    assert torch.equal(data.images[:20], without.images)
    assert not data.masks[20:].any()
    assert len(data) == data.whole == 20
    made = list(training_batches(data, config(4, normals=3), 0, Share(), CPU))
    assert [images.shape[0] for images, _ in made] == [7] * 5
    assert all((masks[4:] == 0).all() for _, masks in made)
    assert all((images[4:].amax((1, 2, 3)) > 0).all() for images, _ in made)
    plain = list(training_batches(data, config(4), 0, Share(), CPU))
    assert torch.equal(plain[0][0], next(training_batches(without, config(4), 0, Share(), CPU))[0])


def test_batches_that_are_augmented_together_hold_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack(open_set("phantom:20").samples, 32, crops=True)
    settings = config(4, normals=2, augmented=0.0)
    alone = list(training_batches(data, settings, 3, Share(), CPU))
    monkeypatch.setitem(batches.AT_ONCE, "cpu", 3)
    together = list(training_batches(data, settings, 3, Share(), CPU))
    assert [len(images) for images, _ in together] == [6] * 5

    def upright(images: Tensor) -> list[float]:  # a mirror is all that differs
        return sorted(round(float(image.sum()), 2) for image in images)

    for (one, _), (other, _) in zip(alone, together, strict=True):
        assert upright(one) == upright(other)
    halves = [list(training_batches(data, settings, 3, Share(rank, 2), CPU)) for rank in (0, 1)]
    assert all(
        torch.equal(whole[0], torch.stack((first[0], second[0]), 1).flatten(0, 1))
        for whole, first, second in zip(together, *halves, strict=True)
    )


def test_moved_to_a_device_it_is_the_same() -> None:
    data = pack(open_set("phantom:20").samples[:4], 32, crops=True)
    moved = data.to(CPU)
    assert torch.equal(moved.images, data.images)
    assert moved.digests == data.digests
