"""Clips in and out, by PyAV, which is an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError, need
from sonoseg.images.image import Image, Item
from sonoseg.images.pictures import MAX_PIXELS

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".wmv", ".mpg", ".mpeg")

_SIGNATURES = (
    b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel",
)  # fmt: skip
"""Matroska and WebM, MPEG's system and video streams, Windows Media."""

_STILL = (b"heic", b"heix", b"mif1", b"avif")
"""Brands of MP4's family that are pictures."""


def is_clip(head: bytes) -> bool:
    """Whether a file that begins with ``head``, its first bytes, is of a container of moving pictures."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILL
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    return head[4:8] in {b"moov", b"mdat", b"wide"} or head.startswith(_SIGNATURES)


def read_clip(path: Path, max_pixels: int = MAX_PIXELS, stream: BinaryIO | None = None) -> Iterator[Item]:
    """Read a clip frame by frame, stretched to square pixels where it says that its own are not.

    stream: holds the clip where the file ``path`` is only around it, and says itself how large a pixel is.

    Errors: ``UserError`` without PyAV, for a file that is no clip, is damaged, has frames over ``max_pixels``, and at
    the end of one that says that it has more of them; one may lack, as not all writers count the same.
    """
    av = _av()
    try:
        with av.open(stream or str(path)) as container:
            video = next(iter(container.streams.video), None)
            if video is None or video.codec_context is None:  # the latter where nobody knows in which code it is
                raise UserError(f"{path} holds no moving pictures", hint="give a clip, or a picture")
            ratio = Fraction(video.sample_aspect_ratio or 1) if stream is None else Fraction(1)
            width, height = _square(video.width, video.height, ratio)
            if width * height > max_pixels:
                raise UserError(
                    f"{path} has frames of {width:,} x {height:,} pixels; {max_pixels:,} are allowed",
                    hint="if the file is right, raise the limit with --max-pixels",
                )
            yield from _frames(container, video, ratio, str(path))
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(
            f"{path} cannot be decoded ({error}); it may be truncated or no clip", hint="copy or download it again"
        ) from error


@contextmanager
def clip_writer(path: Path, rate: float, comment: str) -> Iterator["ClipWriter"]:
    """Open an MP4 for writing, closed when the block ends. rate: frames per second. comment: travels in the file."""
    av = _av()
    # One thread and no versions of libraries inside: the same frames give the same bytes.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata["comment"] = comment
        writer = ClipWriter(container, Fraction(rate).limit_denominator(1001))
        yield writer
        writer.finish()


def comment_of(path: Path) -> str:
    """What ``clip_writer`` was told to write into a clip; empty for another file."""
    av = _av()
    try:
        with av.open(str(path)) as container:
            return str(container.metadata.get("comment", ""))
    except (av.error.FFmpegError, ValueError):
        return ""


class ClipWriter:
    """Takes the frames of an MP4 one by one, ``uint8 (H, W, 3)``, all of one size; odd sides lose a pixel."""

    def __init__(self, container: Any, rate: Fraction) -> None:
        self._container, self._rate, self._stream = container, rate, None

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Write one more frame."""
        av = _av()
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        stream = self._stream or self._start(height, width)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
        self._container.mux(stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._stream:
            self._container.mux(self._stream.encode())

    def _start(self, height: int, width: int) -> Any:
        self._stream = stream = self._container.add_stream("libx264", rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        return stream


def _frames(container: Any, stream: Any, ratio: Fraction, source: str) -> Iterator[Item]:
    rate, first = float(stream.average_rate or 25), None
    stretched = (f"Stretched to square pixels: those of the file are {ratio.numerator}:{ratio.denominator}.",)
    for number, frame in enumerate(_decoded(container, stream, source), 1):
        seconds = float(frame.time) if frame.time is not None else (number - 1) / rate
        first = seconds if first is None else first
        width, height = _square(frame.width, frame.height, ratio)
        notes = stretched if (width, height) != (frame.width, frame.height) else ()
        pixels = frame.reformat(width, height, "gray").to_ndarray()
        upright = np.rot90(pixels, round(frame.rotation / 90))
        image = Image(np.ascontiguousarray(upright), source=source, notes=notes)
        yield Item(image, number, None, seconds - first, rate)


def _decoded(container: Any, stream: Any, source: str) -> Iterator[Any]:
    """Frames as they are decoded. Told and counted is what lies in the file, as an edit list shows less of it."""
    kinds = container.format.name.split(",")
    told, seen = len(stream.index_entries) if "mp4" in kinds else stream.frames, 0
    for packet in container.demux(stream):
        if packet.size:  # an AVI counts those too that it leaves out, as time goes on
            seen = max(seen, packet.dts or 0 if "avi" in kinds else 0) + 1
        yield from packet.decode()
    if seen < told - 1:
        raise UserError(f"{source} holds {seen} of the {told} frames that it says", hint="copy or download it again")


def _square(width: int, height: int, ratio: Fraction) -> tuple[int, int]:
    """Sides in square pixels, one of them made longer. ratio: of a pixel's width to its height."""
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def _av() -> Any:
    need("video", "av", by="a clip")
    import av

    return av
