"""Images decoded once, kept as bytes in the network's frame, and handed out in batches."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from sonoseg.data.crops import beside
from sonoseg.data.samples import Sample, digest_of
from sonoseg.images.image import Image
from sonoseg.learning.augment import augment, draw
from sonoseg.learning.config import Config
from sonoseg.prediction.letterbox import Letterbox, whole

# glibc's numbers of the settings (malloc.h) and what they are set to.
_NEVER_MAP = (-4, 0)
_NEVER_TRIM = (-1, 2**31 - 1)
_GROW_BY = (-2, 256 * 2**20)


AT_ONCE = {"cuda": 32}
"""Batches that are augmented together, by the kind of device; one of them elsewhere."""


@dataclass(frozen=True)
class Packed:
    """Samples in the frame: images and masks (0 and 1), ``uint8 (N, 1, size, size)``; digests of the originals.

    soft: the probabilities that teachers answered, 255 for 1, as large; or none.

    home: how many of them, the first, are of the set that is judged on; None for all. An epoch has each of these once,
    and at most as many of the others. crops: how many of them, the last, are crops without a lesion, in no epoch's
    order, but added to batches.
    """

    images: Tensor
    masks: Tensor
    digests: tuple[str, ...]
    home: int | None = None
    crops: int = 0
    soft: Tensor | None = None

    @property
    def whole(self) -> int:
        """Images that are no crops."""
        return len(self.images) - self.crops

    def __len__(self) -> int:
        """Images in an epoch, without crops."""
        home = self.whole if self.home is None else self.home
        return home + min(home, self.whole - home)

    def order(self, generator: Generator) -> Tensor:
        """Draw the images of an epoch, in their order: ``int64 (len(self),)``."""
        home = self.whole if self.home is None else self.home
        others = home + torch.randperm(self.whole - home, generator=generator)[: len(self) - home]
        drawn = torch.cat((torch.arange(home), others))
        return drawn[torch.randperm(len(drawn), generator=generator)]

    def at(self, indices: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] and masks of 0 and 1, ``float32 (n, 1, size, size)``, on the device.

        The masks have a second channel where there are answers of teachers, in [0, 1].
        """
        indices = indices.to(self.images.device)
        images = self.images[indices].to(device, non_blocking=True).float() / 255
        masks = self.masks[indices].to(device, non_blocking=True).float()
        if self.soft is not None:
            masks = torch.cat((masks, self.soft[indices].to(device, non_blocking=True).float() / 255), dim=1)
        return images, masks

    def to(self, device: torch.device) -> "Packed":
        """The same with its pixels on a device, as bytes."""
        soft = None if self.soft is None else self.soft.to(device)
        return replace(self, images=self.images.to(device), masks=self.masks.to(device), soft=soft)


def pack(
    samples: Sequence[Sample],
    size: int,
    progress: Callable[[int, int], None] | None = None,
    crops: bool = False,
) -> Packed:
    """Read and fit every sample, in their order, several at a time. Errors: those of ``Sample.read``.

    crops: whether what lies beside the lesions is cut out as well.
    """

    def one(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_], str, list[NDArray[np.uint8]]]:
        image, mask = sample.read()
        cut: Iterable[Image] = ()
        if crops:
            cut = [crop for crop, _ in beside(image, mask)] if sample.beside is None else sample.beside
        fitted = Letterbox(*image.shape, size).fit_mask(mask)
        return whole(image, size), fitted, digest_of(sample, image), [whole(crop, size) for crop in cut]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = []
        for each in pool.map(one, samples):
            read.append(each)
            if progress:
                progress(len(read), len(samples))
    normals = [crop for *_, cut in read for crop in cut]
    images = np.stack([*(image for image, *_ in read), *normals])[:, None]
    masks = np.zeros_like(images)
    masks[: len(read), 0] = [mask for _, mask, *_ in read]
    digests = tuple(digest for _, _, digest, _ in read)
    return Packed(torch.from_numpy(images), torch.from_numpy(masks), digests, crops=len(normals))


@dataclass(frozen=True)
class Share:
    """The part of every batch that one of several processes takes."""

    rank: int = 0
    of: int = 1


def training_batches(
    data: Packed, config: Config, epoch: int, share: Share, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of augmented batches, ``float32 (n, 1, size, size)`` each, decided by (seed, epoch) alone.

    The masks are as of ``Packed.at``.

    Every process shuffles and draws for whole batches and takes its share, so their number changes nothing. The last
    batch is filled up from the front of the epoch: all batches are of one size, and none is too small to normalise.
    To each, ``config.normals`` crops without a lesion are added. Nothing of it makes the processor wait for a device.
    """
    seed = config.seed * 1_000_003 + epoch
    generator, noise = Generator().manual_seed(seed), Generator(device).manual_seed(seed)
    order = data.order(generator)
    steps = steps_per_epoch(len(data), config.batch)
    order = order.repeat(-(-steps * config.batch // len(order)))[: steps * config.batch].view(steps, -1)
    if config.normals:
        crops = data.whole + torch.randint(data.crops, (steps, config.normals), generator=generator)
        order = torch.cat((order, crops), dim=1)
    for batches in torch.split(order, AT_ONCE.get(device.type, 1)):
        drawn = draw(batches.numel(), data.images.shape[-1], generator, config.augmented, config.spoiled, noise)
        part = torch.arange(batches.numel()).view(batches.shape)[:, share.rank :: share.of].flatten()
        images, masks = augment(*data.at(batches.flatten()[part], device), drawn.taken(part, device))
        count = len(part) // len(batches)
        yield from zip(torch.split(images, count), torch.split(masks, count), strict=True)


def steps_per_epoch(count: int, batch: int) -> int:
    """Number of batches in an epoch of ``count`` images."""
    return -(-count // batch)


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed for the rest of the process; gives whether there was one to tell.

    A training step asks for the same large arrays again and again. Otherwise every activation above 32 MiB is mapped
    anew, and the kernel clears its pages at each step.
    See ``benchmarks/training.py`` for what it brings, and mallopt(3) for the settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return all(library.mallopt(setting, value) for setting, value in (_NEVER_MAP, _NEVER_TRIM, _GROW_BY))
