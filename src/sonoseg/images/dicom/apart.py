"""Decoders in a process of their own: what a damaged code stream breaks or keeps busy is that process, not this one.

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
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, JPEGExtended12Bit, JPEGLosslessSV1

from sonoseg.images.dicom.tones import Samples

_LONGEST = 30.0
"""Seconds for one frame, after which the process is ended."""


_COMMAND = [sys.executable, "-P", "-m", "sonoseg.images.dicom.apart"]
"""-P: nothing from the folder that the user stands in is imported."""


class BrokenStreamError(Exception):
    """The decoder gave up, ended, or did not come to an end."""


class Worker:
    """The other process."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def decode(self, frame: bytes, options: Mapping[str, Any]) -> tuple[Samples, str]:
        """Decode a frame.

        Errors: ``BrokenStreamError`` where it cannot be; ``OSError`` or ``ValueError`` where the process ended over
        it, and is of no use any more.
        """
        watch = Timer(_LONGEST, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            _put(self._process.stdin, options, frame)
            told, content = _get(self._process.stdout)
        finally:
            watch.cancel()
        if not told:
            raise BrokenStreamError
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


def decode(
    frames: Iterable[bytes], transfer_syntax: str, plugin: str, options: Mapping[str, Any]
) -> Iterator[tuple[Samples, str]]:
    """Decode frame after frame: samples and their colour model. plugin, options: of pydicom's decoders.

    Errors: ``BrokenStreamError`` where a frame cannot be decoded.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = Worker()
    wanted = {**options, "syntax": transfer_syntax, "decoding_plugin": plugin, "number_of_frames": 1}
    try:
        for frame in frames:
            yield worker.decode(frame, wanted)
    except (OSError, ValueError) as error:
        worker.end()
        raise BrokenStreamError from error
    except (BrokenStreamError, GeneratorExit):
        _idle.append(worker)
        raise
    except BaseException:
        worker.end()
        raise
    else:
        _idle.append(worker)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Decode what comes until nothing does; of what cannot be decoded an empty line is told."""
    while True:
        options, frame = _get(source)
        try:
            samples, model = _decoded(frame, **options)
        except Exception:  # a broken code stream can raise nearly anything in a decoder
            _put(target, {}, b"")
        else:
            about = {"dtype": samples.dtype.str, "shape": samples.shape, "model": model}
            _put(target, about, samples.tobytes())


def _decoded(frame: bytes, syntax: str, **options: Any) -> tuple[Samples, str]:
    # pydicom asks GDCM for no JPEG Extended of 12 bits; GDCM decodes what the code stream is, under any name.
    decoder = get_decoder(JPEGLosslessSV1 if syntax == JPEGExtended12Bit else UID(syntax))
    samples, told = decoder.as_array(encapsulate([frame], has_bot=False), index=0, raw=True, **options)
    return samples, str(told["photometric_interpretation"])


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
