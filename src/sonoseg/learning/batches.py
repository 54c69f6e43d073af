"""Images decoded once, kept as bytes in the network's frame, and handed out in batches."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from sonoseg.data.crops import beside
from sonoseg.data.samples import Sample, digest_of
from sonoseg.images.pictures import Image
from sonoseg.learning.augment import augment, draw
from sonoseg.learning.config import Config
from sonoseg.prediction.letterbox import Letterbox

# glibc's numbers of the settings (malloc.h) and what they are set to.
_NEVER_MAP = (-4, 0)
_NEVER_TRIM = (-1, 2**31 - 1)
_GROW_BY = (-2, 256 * 2**20)


@dataclass(frozen=True)
class Packed:
    """Samples in the frame: images and masks (0 and 1), ``uint8 (N, 1, size, size)``; digests of the originals.

    home: how many of them, the first, are of the set that is judged on; None for all. An epoch has each of these once,
    and at most as many of the others. beside: crops without a lesion, ``uint8 (M, 1, size, size)``, in no epoch's
    order, but added to batches; None where there are none.
    """

    images: Tensor
    masks: Tensor
    digests: tuple[str, ...]
    home: int | None = None
    beside: Tensor | None = None

    def __len__(self) -> int:
        """Images in an epoch."""
        home = len(self.images) if self.home is None else self.home
        return home + min(home, len(self.images) - home)

    def order(self, generator: Generator) -> Tensor:
        """Draw the images of an epoch, in their order: ``int64 (len(self),)``."""
        home = len(self.images) if self.home is None else self.home
        others = home + torch.randperm(len(self.images) - home, generator=generator)[: len(self) - home]
        drawn = torch.cat((torch.arange(home), others))
        return drawn[torch.randperm(len(drawn), generator=generator)]

    def at(self, indices: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] and masks of 0 and 1, ``float32 (n, 1, size, size)``, on the device."""
        indices = indices.to(self.images.device)
        images = self.images[indices].to(device, non_blocking=True).float() / 255
        return images, self.masks[indices].to(device, non_blocking=True).float()

    def crops(self, count: int, generator: Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw crops without a lesion, with their empty masks, as ``at`` gives them."""
        assert self.beside is not None
        indices = torch.randint(len(self.beside), (count,), generator=generator).to(self.beside.device)
        images = self.beside[indices].to(device, non_blocking=True).float() / 255
        return images, torch.zeros_like(images)

    def to(self, device: torch.device) -> "Packed":
        """The same with its pixels on a device, as bytes."""
        moved = None if self.beside is None else self.beside.to(device)
        return replace(self, images=self.images.to(device), masks=self.masks.to(device), beside=moved)


def pack(
    samples: Sequence[Sample],
    size: int,
    progress: Callable[[int, int], None] | None = None,
    crops: bool = False,
) -> Packed:
    """Read and fit every sample, in their order, several at a time. Errors: those of ``Sample.read``.

    crops: whether what lies beside the lesions is cut out as well.
    """

    def fitted(image: Image) -> NDArray[np.uint8]:
        return Letterbox(*image.shape, size).fit(image.pixels)

    def one(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_], str, list[NDArray[np.uint8]]]:
        image, mask = sample.read()
        cut = [fitted(crop) for crop, _ in beside(image, mask)] if crops else []
        return fitted(image), Letterbox(*image.shape, size).fit_mask(mask), digest_of(sample, image), cut

    images = np.empty((len(samples), 1, size, size), np.uint8)
    masks = np.empty_like(images)
    digests = []
    normals: list[NDArray[np.uint8]] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for index, (pixels, mask, content, cut) in enumerate(pool.map(one, samples)):
            images[index, 0], masks[index, 0] = pixels, mask
            digests.append(content)
            normals += cut
            if progress:
                progress(index + 1, len(samples))
    bank = torch.from_numpy(np.stack(normals)[:, None]) if normals else None
    return Packed(torch.from_numpy(images), torch.from_numpy(masks), tuple(digests), beside=bank)


@dataclass(frozen=True)
class Share:
    """The part of every batch that one of several processes takes."""

    rank: int = 0
    of: int = 1


def training_batches(
    data: Packed, config: Config, epoch: int, share: Share, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of augmented batches, ``float32 (n, 1, size, size)`` each, decided by (seed, epoch) alone.

    Every process shuffles and draws for whole batches and takes its share, so their number changes nothing. The last
    batch is filled up from the front of the epoch: all batches are of one size, and none is too small to normalise.
    To each, ``config.normals`` crops without a lesion are added.
    """
    generator = Generator().manual_seed(config.seed * 1_000_003 + epoch)
    order = data.order(generator)
    steps = steps_per_epoch(len(data), config.batch)
    order = order.repeat(-(-steps * config.batch // len(order)))[: steps * config.batch]
    part = slice(share.rank, None, share.of)
    for indices in torch.split(order, config.batch):
        count = len(indices) + config.normals
        drawn = draw(count, data.images.shape[-1], generator, config.augmented, config.spoiled)
        images, masks = data.at(indices, device)
        if config.normals:
            more = data.crops(config.normals, generator, device)
            images, masks = torch.cat((images, more[0])), torch.cat((masks, more[1]))
        yield augment(images[part], masks[part], drawn.taken(part, device))


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
