"""A whole set as one file: its images in the network's frame, its masks at their own size.

It travels to a cluster alone, trains anywhere, and is judged there as the originals are: what a network answers in the
frame is brought to the image's own size and held against the mask of that size.

An ``.npz`` of five arrays, none of them pickled: ``images``, ``uint8 (N, size, size)``, letterboxed; ``masks``, as
bits, one after the other; ``crops``, ``uint8 (M, size, size)``, what was cut beside lesions; ``record``, JSON with what
the set and each image are called, and how large it was; ``checksum``, SHA-256 of the four. Digests are those of the
original images: what was trained on the file is refused on the originals as well, and the other way round.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.copies import Steps
from sonoseg.data.crops import beside
from sonoseg.data.folds import Folds, Row
from sonoseg.data.formats import exchange
from sonoseg.data.formats.exchange import Json
from sonoseg.data.samples import DataSet, Pair, Sample, digest_of
from sonoseg.errors import UserError
from sonoseg.files import replacing
from sonoseg.images.image import Image
from sonoseg.images.marks import marks
from sonoseg.prediction.letterbox import Letterbox, whole

FORMAT, VERSION = "sonoseg-packed", 2
ARRAYS = ("images", "masks", "crops", "record")
SIZES = range(32, 1025)
"""Sides that the frame may have, in pixels."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Fitted:
    """What is kept of a sample. image: ``uint8 (size, size)``. mask: bits. crops: as the image. told: of the record."""

    image: Bytes
    mask: Bytes
    crops: list[Bytes]
    told: Json


def to_packed(data: DataSet, out: Path, size: int, crops: int = 0, progress: Steps | None = None) -> str:
    """Write a set as one file, those that are in no fold too; gives its checksum.

    crops: how many crops without a lesion are cut beside the lesions of an image, at most; see ``data.crops``.
    The same set gives the same bytes. Errors: ``UserError`` for a size out of ``SIZES`` and another ending than
    ``.npz``, and those of ``Sample.read``; then nothing is left.
    """
    if size not in SIZES:
        raise UserError(f"size is {size}; {SIZES[0]} to {SIZES[-1]} are allowed", hint="give --size 128")
    if out.suffix != ".npz":
        raise UserError(f"{out} does not end with .npz", hint=f"give --out {out.with_suffix('.npz')}")
    kept: list[_Fitted] = []
    with ThreadPoolExecutor() as pool:
        for fitted in pool.map(partial(_fit, size=size, crops=crops), data.samples):
            kept.append(fitted)
            if progress:
                progress(len(kept), len(data.samples))
    about = {"format": FORMAT, "version": VERSION, "size": size, "crops": crops, "set": data.name}
    told = {
        **about,
        **exchange.described(data),
        "images": [one.told for one in kept],
        "folds": [vars(row) for row in data.folds.rows],
    }
    arrays: dict[str, Any] = {
        "images": np.stack([one.image for one in kept]),
        "masks": np.concatenate([one.mask for one in kept]),
        "crops": np.array([crop for one in kept for crop in one.crops], np.uint8).reshape(-1, size, size),
        "record": np.frombuffer(json.dumps(told, ensure_ascii=False).encode(), np.uint8),
    }
    checksum = _checksum(arrays)
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays, checksum=np.frombuffer(checksum.encode(), np.uint8))
    return checksum


def open_packed(where: str) -> DataSet:
    """Read what ``to_packed`` wrote: the set by its own name, with its groups and folds; see ``Image.fitted``.

    Errors: ``UserError`` for a file that is missing, cut, altered or none of ours.
    """
    arrays = _load(Path(where))
    record = json.loads(arrays["record"].tobytes())
    size, images = record["size"], record["images"]
    bits = [-(-about["height"] * about["width"] // 8) for about in images]
    masks = np.split(arrays["masks"], np.cumsum(bits)[:-1])
    crops = np.split(arrays["crops"], np.cumsum([about["crops"] for about in images])[:-1])
    return DataSet(
        name=record["set"],
        spec=f"packed:{where}",
        samples=tuple(
            Sample(
                about["name"],
                about["label"],
                partial(_read, about, image, mask),
                original=about["digest"],
                marks=about["marks"],
                beside=tuple(map(Image, cut)) if record["crops"] else None,
            )
            for about, image, mask, cut in zip(
                images, arrays["images"].reshape(-1, size, size), masks, crops, strict=True
            )
        ),
        folds=Folds(tuple(Row(**row | {"flags": tuple(row["flags"])}) for row in record["folds"])),
        grouping=record["grouping"],
        citation=record["citation"],
        licence=record["licence"],
    )


def _fit(sample: Sample, size: int, crops: int) -> _Fitted:
    image, mask = sample.read()
    cut = [crop for crop, _ in beside(image, mask, crops)] if sample.beside is None else list(sample.beside[:crops])
    told = {
        "name": sample.name,
        "label": sample.label,
        "height": image.shape[0],
        "width": image.shape[1],
        "spacing": image.spacing,
        "digest": digest_of(sample, image),
        "marks": bool(marks(image) if sample.marks is None else sample.marks),
        "crops": len(cut),
    }
    return _Fitted(whole(image, size), np.packbits(mask), [whole(crop, size) for crop in cut], told)


def _load(path: Path) -> dict[str, Bytes]:
    """The arrays, if they are what was written."""
    if not path.is_file():
        found = "is a folder; a file is needed" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {found}", hint="make it with: sonoseg data pack NAME:PATH --out FILE.npz")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in (*ARRAYS, "checksum")}
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
    for name in ARRAYS:
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode() + arrays[name].tobytes())
    return found.hexdigest()


def _read(about: Mapping[str, Any], fitted: Bytes, bits: Bytes) -> Pair:
    height, width, spacing = about["height"], about["width"], about["spacing"]
    pixels = Letterbox(height, width, len(fitted)).undo(fitted.astype(np.float32))
    mask = np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
    image = Image(np.rint(pixels).astype(np.uint8), spacing and tuple(spacing), about["name"], fitted=fitted)
    return image, mask
