import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from sonoseg.errors import UserError
from sonoseg.images.pictures import read_image, read_mask

NOISE = np.random.default_rng(0).integers(0, 256, (70, 90, 4), dtype=np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: int, height: int = 70, interlaced: int = 0) -> bytes:
    """A grey PNG of white rows, whole but for those that lack: all checksums are right."""
    header = struct.pack(">IIBBBBB", 90, height, 8, 0, 0, 0, interlaced)
    stream = zlib.compress((b"\0" + b"\xff" * 90) * rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stream) + chunk(b"IEND", b"")


@pytest.mark.parametrize("rows", [0, 1, 69])
def test_a_png_that_ends_at_a_row_is_refused(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "short.png"
    path.write_bytes(png(70))
    assert (read_image(path).pixels == 255).all()
    path.write_bytes(png(rows))
    for read in (read_image, read_mask):
        with pytest.raises(UserError, match=r"short\.png lacks [\d,]+ bytes of its picture|cannot be decoded"):
            read(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (90, 70)])
def test_whole_pngs_of_every_mode_are_read(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(NOISE[: size[1], : size[0]])
    picture = PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) if mode == "I;16" else pixels)
    (picture if mode == "I;16" else picture.convert(mode)).save(tmp_path / "whole.png")
    assert read_image(tmp_path / "whole.png").shape == size[::-1]


def test_an_interlaced_png_is_counted_by_its_passes(tmp_path: Path) -> None:
    places = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    grey = NOISE[..., 0]
    rows = [b"\0" + row.tobytes() for x, y, across, down in places for row in grey[y::down, x::across]]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 90, 70, 8, 0, 0, 0, 1))
    for kept, whole in ((len(rows), True), (len(rows) - 1, False)):
        body = chunk(b"IDAT", zlib.compress(b"".join(rows[:kept])))
        (tmp_path / "woven.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b""))
        if whole:
            assert np.array_equal(read_image(tmp_path / "woven.png").pixels, grey)
        else:
            with pytest.raises(UserError, match="lacks 91 bytes"):
                read_image(tmp_path / "woven.png")


def test_a_stream_in_many_chunks_is_whole(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.zeros((3000, 2000), np.uint8)).save(buffer, "PNG")
    (tmp_path / "black.png").write_bytes(buffer.getvalue())
    assert not read_image(tmp_path / "black.png").pixels.any()


def test_a_picture_of_many_passes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    PIL.Image.fromarray(NOISE[..., 0]).save(path, progressive=True)
    assert read_image(path).shape == (70, 90)
    content = path.read_bytes()
    start, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    path.write_bytes(content[:end] + 20_000 * content[start:end] + content[end:])
    with pytest.raises(UserError, match="times as long to decode"):
        read_image(path, max_pixels=1000 * 70 * 90)


def test_run_lengths_without_end_are_refused(tmp_path: Path) -> None:
    side = 4000
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    content = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024) + header + bytes(1024) + b"\xff\x00" * 9
    (tmp_path / "runs.bmp").write_bytes(content)
    with pytest.raises(UserError, match="25 times as long to decode"):
        read_image(tmp_path / "runs.bmp")
