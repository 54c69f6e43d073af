"""JPEG Lossless by GDCM, in a process of its own: a damaged code stream ends that process, and not this one.

A frame goes there and back as a line of JSON and as many bytes as it says.
"""

import atexit
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from threading import Timer
from typing import Any, BinaryIO

import numpy as np

from sonoseg.images.dicom.tones import Samples

_LONGEST = 60.0
"""Seconds for one frame."""


class BrokenStreamError(Exception):
    """The decoder gave up, or ended."""


class Worker:
    """The other process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "sonoseg.images.dicom.lossless"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def decode(self, frame: bytes, options: Mapping[str, Any]) -> tuple[Samples, str]:
        """Decode a frame. Errors: ``OSError`` or ``ValueError`` where it ended over it, after which it is of no use."""
        watch = Timer(_LONGEST, self._process.kill)
        watch.start()
        try:
            _put(self._process.stdin, options, frame)
            told, content = _get(self._process.stdout)
        finally:
            watch.cancel()
        return np.frombuffer(content, told["dtype"]).reshape(told["shape"]), told["model"]

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()


_idle: list[Worker] = []
"""Those that wait for more: starting one takes longer than most cines."""


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().end()


def decode(frames: Iterable[bytes], transfer_syntax: str, options: Mapping[str, Any]) -> Iterator[tuple[Samples, str]]:
    """Decode frame after frame: samples and their colour model. options: of pydicom's decoders.

    Errors: ``BrokenStreamError`` where a frame cannot be decoded.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = Worker()
    wanted = {"syntax": transfer_syntax, **options, "number_of_frames": 1}
    try:
        for frame in frames:
            yield worker.decode(frame, wanted)
    except (OSError, ValueError) as error:
        worker.end()
        raise BrokenStreamError from error
    except GeneratorExit:
        _idle.append(worker)
        raise
    except BaseException:
        worker.end()
        raise
    else:
        _idle.append(worker)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Decode what comes until nothing does, or until something cannot be decoded."""
    import gdcm
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    while True:
        options, frame = _get(source)
        decoder = get_decoder(options.pop("syntax"))
        samples, told = decoder.as_array(
            encapsulate([frame], has_bot=False), index=0, raw=True, decoding_plugin="gdcm", **options
        )
        about = {"dtype": samples.dtype.str, "shape": samples.shape, "model": str(told["photometric_interpretation"])}
        _put(target, about, samples.tobytes())


def _put(file: Any, about: Mapping[str, Any], content: bytes) -> None:
    file.write(json.dumps({**about, "bytes": len(content)}).encode() + b"\n")
    file.write(content)
    file.flush()


def _get(file: Any) -> tuple[dict[str, Any], bytes]:
    """Errors: ``ValueError`` where nothing more comes, or not enough."""
    about = json.loads(file.readline())
    content = file.read(about.pop("bytes"))
    if not isinstance(about, dict):
        raise ValueError("no line of JSON")
    return about, content


if __name__ == "__main__":
    import contextlib

    with contextlib.suppress(Exception):
        serve(sys.stdin.buffer, sys.stdout.buffer)
