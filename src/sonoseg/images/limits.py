"""What a picture file may cost, found out before it is decoded, and whether it is whole."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import PIL.Image

from sonoseg.errors import UserError

_TIMES_FREE = 4
"""So often a decoder may go over the pixels of a picture before it counts."""

_SLOW = {"bmp_rle": 25, "jpeg2k": 4}
"""Decoders that take as long as going over the pixels so many times, by Pillow's name."""

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Values of a pixel of a PNG, by its colour type."""

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, steps of column and row of the passes of an interlaced PNG."""


def check_size(path: Path, picture: PIL.Image.Image, max_pixels: int) -> None:
    """Refuse a picture of more pixels. Errors: ``UserError``."""
    width, height = picture.size
    if width * height > max_pixels:
        raise too_large(path, f"{width:,} x {height:,}", max_pixels)


def check_cost(path: Path, picture: PIL.Image.Image, max_pixels: int) -> None:
    """Refuse small files that take minutes: pictures in hundreds of passes, long runs. Errors: ``UserError``."""
    times = max([1.0, *(_SLOW.get(tile[0], 1) for tile in getattr(picture, "tile", ()))])
    if "progressive" in picture.info:
        times = max(times, _passes(path) / _TIMES_FREE)
    width, height = picture.size
    if width * height * times > max_pixels:
        raise UserError(
            f"{path} has {width:,} x {height:,} pixels in a form that takes {times:.0f} times as long to decode; "
            f"{max_pixels / times:,.0f} in all are allowed",
            hint="save it as PNG, or raise the limit with --max-pixels",
        )


def too_large(path: Path, found: str, max_pixels: int) -> UserError:
    """Give the error for a picture that claims ``found`` pixels."""
    return UserError(
        f"{path} claims {found} pixels; {max_pixels:,} in all are allowed",
        hint="if the file is right, raise the limit with --max-pixels",
    )


def check_whole(path: Path, picture: PIL.Image.Image) -> None:
    """Refuse a PNG whose rows end before the picture does, which Pillow fills with black. Errors: ``UserError``."""
    if picture.format != "PNG":
        return
    with path.open("rb") as file:
        if file.read(len(_PNG)) == _PNG and (missing := _missing(_chunks(file))):
            raise UserError(
                f"{path} lacks {missing:,} bytes of its picture; it may be truncated", hint="copy or download it again"
            )


def _missing(chunks: Iterator[tuple[bytes, bytes]]) -> int:
    """Bytes that the rows of a PNG lack; 0 also where something else is wrong, which its decoder names."""
    lacking, stream = 0, zlib.decompressobj()
    for kind, content in chunks:
        if kind == b"IHDR" and len(content) == 13:
            lacking = _expected(*struct.unpack(">IIBB2xB", content))
        while kind == b"IDAT" and lacking > 0 and content:
            try:
                lacking -= len(stream.decompress(content, 1 << 20))
            except zlib.error:
                return 0
            content = stream.unconsumed_tail
    return max(lacking - len(stream.flush()), 0) if lacking > 0 else 0


def _expected(width: int, height: int, depth: int, colour: int, interlaced: int) -> int:
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sides = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in passes]
    bits = depth * _CHANNELS.get(colour, 1)
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sides if columns > 0 and rows > 0)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, file.read(length)
        file.seek(4, 1)


def _passes(path: Path) -> int:
    """Scans of a progressive JPEG: markers that its compressed data cannot hold."""
    with path.open("rb") as file:
        return sum(piece.count(b"\xff\xda") for piece in iter(partial(file.read, 1 << 20), b""))
