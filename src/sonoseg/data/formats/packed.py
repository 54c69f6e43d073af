"""A whole set as one file, in the network's frame: it travels to a cluster alone and trains anywhere.

An ``.npz`` of four arrays, none of them pickled: ``images``, ``uint8 (N, size, size)``, letterboxed; ``masks``, as
bits; ``record``, JSON with what the set and each image are called; ``checksum``, SHA-256 of the three. Digests are
those of the original images: what was trained on the file is refused on the originals as well, and the other way round.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.copies import Steps
from sonoseg.data.folds import Folds, Row
from sonoseg.data.formats import exchange
from sonoseg.data.formats.exchange import Json
from sonoseg.data.samples import DataSet, Pair, Sample, digest_of
from sonoseg.errors import UserError
from sonoseg.files import replacing
from sonoseg.images.pictures import Image
from sonoseg.prediction.letterbox import Letterbox

FORMAT, VERSION = "sonoseg-packed", 1
SIZES = range(32, 1025)
"""Sides that the frame may have, in pixels."""

Bytes = NDArray[np.uint8]


def to_packed(data: DataSet, out: Path, size: int, progress: Steps | None = None) -> str:
    """Write a set as one file, images and masks in the frame, those that are in no fold too; gives its checksum.

    The same set gives the same bytes. Errors: ``UserError`` for a size out of ``SIZES`` and another ending than
    ``.npz``, and those of ``Sample.read``; then nothing is left.
    """
    if size not in SIZES:
        raise UserError(f"size is {size}; {SIZES[0]} to {SIZES[-1]} are allowed", hint="give --size 128")
    if out.suffix != ".npz":
        raise UserError(f"{out} does not end with .npz", hint=f"give --out {out.with_suffix('.npz')}")
    images = np.empty((len(data.samples), size, size), np.uint8)
    masks, told = np.empty(images.shape, bool), []
    with ThreadPoolExecutor() as pool:
        fitted = pool.map(lambda sample: _fit(sample, size), data.samples)
        for number, (image, mask, fields) in enumerate(fitted):
            images[number], masks[number] = image, mask
            told.append(fields)
            if progress:
                progress(number + 1, len(data.samples))
    about = {"format": FORMAT, "version": VERSION, "size": size, "set": data.name, **exchange.described(data)}
    folds = [vars(row) for row in data.folds.rows]
    record = json.dumps({**about, "images": told, "folds": folds}, ensure_ascii=False).encode()
    arrays = {"images": images, "masks": np.packbits(masks), "record": np.frombuffer(record, np.uint8)}
    checksum = _checksum(arrays)
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            images=arrays["images"],
            masks=arrays["masks"],
            record=arrays["record"],
            checksum=np.frombuffer(checksum.encode(), np.uint8),
        )
    return checksum


def open_packed(where: str) -> DataSet:
    """Read what ``to_packed`` wrote: the set by its own name, with its groups and folds, every image in the frame.

    Errors: ``UserError`` for a file that is missing, cut, altered or none of ours.
    """
    arrays = _load(Path(where))
    record = json.loads(arrays["record"].tobytes())
    size, number = record["size"], len(record["images"])
    images = arrays["images"].reshape(number, size, size)
    masks = np.unpackbits(arrays["masks"], count=images.size).reshape(images.shape)
    return DataSet(
        name=record["set"],
        spec=f"packed:{where}",
        samples=tuple(
            Sample(
                about["name"],
                about["label"],
                partial(_read, about["name"], image, mask, about["spacing"]),
                original=about["digest"],
            )
            for about, image, mask in zip(record["images"], images, masks, strict=True)
        ),
        folds=Folds(tuple(Row(**row | {"flags": tuple(row["flags"])}) for row in record["folds"])),
        grouping=record["grouping"],
        citation=record["citation"],
        licence=record["licence"],
        frame=size,
    )


def _fit(sample: Sample, size: int) -> tuple[Bytes, NDArray[np.bool_], Json]:
    """Image and mask in the frame, and the fields that carry the image; its spacing is that of the frame."""
    image, mask = sample.read()
    box = Letterbox(*image.shape, size)
    spacing = None
    if image.spacing:
        spacing = [
            length * side / inner for length, side, inner in zip(image.spacing, image.shape, box.inner, strict=True)
        ]
    fields = {"name": sample.name, "label": sample.label, "spacing": spacing, "digest": digest_of(sample, image)}
    return box.fit(image.pixels), box.fit_mask(mask), fields


def _load(path: Path) -> dict[str, Bytes]:
    """The arrays, if they are what was written."""
    if not path.is_file():
        raise UserError(f"{path} does not exist", hint="make it with: sonoseg data pack NAME:PATH --out FILE.npz")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("images", "masks", "record", "checksum")}
        whole = arrays.pop("checksum").tobytes().decode() == _checksum(arrays)
        known = whole and json.loads(arrays["record"].tobytes())["version"] == VERSION
    except Exception as error:  # a damaged archive can raise nearly anything
        raise UserError(f"{path} is cut off, or no packed set ({error})", hint="pack or copy it again") from error
    if not whole:
        raise UserError(f"{path} was altered: its checksum is not that of its content", hint="pack or copy it again")
    if not known:
        raise UserError(f"{path} is a packed set of another version; {VERSION} is read", hint="pack it again")
    return arrays


def _checksum(arrays: Mapping[str, Bytes]) -> str:
    found = hashlib.sha256()
    for name in ("images", "masks", "record"):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode() + arrays[name].tobytes())
    return found.hexdigest()


def _read(name: str, pixels: Bytes, mask: Bytes, spacing: Sequence[float] | None) -> Pair:
    return Image(pixels, (spacing[0], spacing[1]) if spacing else None, name), mask.astype(bool)
