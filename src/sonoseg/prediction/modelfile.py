"""A model in one file: an ONNX network and, in its metadata, the record of how to use it and where it came from."""

import difflib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.files import Received
from sonoseg.prediction.predictor import Gates, Model, Network, Predictor
from sonoseg.prediction.runtime import Session, default_backend, start

FORMAT, VERSION = "sonoseg-model", 1

KEY = "sonoseg"
"""The entry of ONNX's ``metadata_props`` that holds the record, as JSON."""

INPUT, OUTPUT, GATE = "image", "logits", "gate_"
"""Names in the graph: the input, the output that counts, and how the outputs of attention gates begin."""

WEIGHTS = Path(__file__).parent / "weights"
"""The models that come with the package, ``NAME.onnx``."""

Record = dict[str, Any]
"""format, version, name, size, threshold, smallest_lesion (a share of the image's area), classes, provenance, scores,
licence, trained_on (``digests`` of the images); least_confidence and mirrored, see ``Predictor``, may be left out."""


def load(
    name: str | Path = "default", backend: str | None = None, threads: int | None = None, parallel: int = 1
) -> Predictor:
    """Load a model by name, path or URL (see ``resolve``) into the one prediction path.

    backend: one of ``runtime.BACKENDS``; None takes OpenVINO where it is installed, else ONNX Runtime. threads: for one
    image. parallel: how many images are predicted at the same time. Errors: ``UserError`` for a model that is not
    found, damaged, of another program or version, or of another shape than its record says.
    """
    path = resolve(name)
    content = _content(path)
    record = _record(content, path)
    backend = backend or default_backend()
    session = start(content, str(path), backend, threads, parallel)
    _check_graph(session, record["size"], path)
    gates = [output for output in session.outputs if output.startswith(GATE)]
    return Predictor(
        network=_network(session, record["size"], path),
        size=record["size"],
        threshold=record["threshold"],
        smallest_lesion=record["smallest_lesion"],
        least_confidence=record.get("least_confidence", 0.0),
        mirrored=record.get("mirrored", False),
        gates=_gates(session, gates) if gates else None,
        model=Model(record["name"], hashlib.sha256(content).hexdigest(), backend, record),
    )


def read_record(path: Path) -> Record:
    """Read what a model file says of itself, without loading its network. Errors: as ``load``."""
    return _record(_content(path), path)


def shipped() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {file.stem: file for file in sorted(WEIGHTS.glob("*.onnx"))}


def resolve(name: str | Path, progress: Received | None = None) -> Path:
    """Find the file of a model: a name that comes with the package, a path, or ``https://...#sha256=CHECKSUM``.

    A URL is downloaded to the user's cache, once. Errors: ``UserError`` where there is nothing, or no checksum.
    """
    text = str(name)
    if text.startswith(("https://", "http://")):
        url, _, sha256 = text.partition("#sha256=")
        if len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef"):
            raise UserError(f"{text} has no checksum; a model from the network needs one", hint=f"{url}#sha256=...")
        # Imported here because it takes long, and most predictions download nothing.
        from sonoseg.downloads import cache_folder, fetch

        return fetch(url, sha256.lower(), cache_folder() / "models" / f"{sha256.lower()}.onnx", progress)
    known = shipped()
    if text in known:
        return known[text]
    if Path(name).is_file():
        return Path(name)
    if Path(name).is_dir():
        raise UserError(f"{text} is a folder; a model is one file", hint=f"sonoseg export {text} --out model.onnx")
    near = difflib.get_close_matches(text, known, 1)
    raise UserError(
        f"there is no model {text!r}: no file has this path, and the package holds {', '.join(known) or 'none'}",
        hint=f"did you mean {near[0]}?" if near else "give the path of an .onnx file, or leave --model out",
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})", hint="check the path") from error


def _record(content: bytes, path: Path) -> Record:
    stranger = UserError(f"{path} is not a model of sonoseg", hint="give an .onnx file that `sonoseg export` wrote")
    try:
        record = json.loads(_metadata(content)[KEY])
    except (ValueError, KeyError, IndexError, RecursionError) as error:
        raise stranger from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise stranger
    if record.get("version") != VERSION:
        raise UserError(
            f"{path} is a model of version {record.get('version')}; this program reads version {VERSION}",
            hint="export it again, or install the sonoseg that wrote it",
        )
    wrong = [key for key, holds in _RULES.items() if not _holds(holds, record.get(key))]
    if wrong:
        found = ", ".join(f"{key} is {record.get(key)!r:.60}" for key in wrong)
        raise UserError(f"the record of {path} is not valid: {found}", hint="export it again")
    return record


_RULES = {
    "name": lambda value: isinstance(value, str) and bool(value),
    "size": lambda value: isinstance(value, int) and 16 <= value <= 4096,
    "threshold": lambda value: 0 < value < 1,
    "smallest_lesion": lambda value: 0 <= value < 1,
    "classes": lambda value: value == ["lesion"],
    "least_confidence": lambda value: value is None or 0 <= value < 1,
    "mirrored": lambda value: value in (None, False, True),
}


def _holds(rule: Any, value: object) -> bool:
    try:
        return bool(rule(value))
    except TypeError:
        return False


def _check_graph(session: Session, size: int, path: Path) -> None:
    shape = list(session.inputs.get(INPUT, ()))
    sides = [side for side in shape[2:] if isinstance(side, int)]
    fits = len(shape) == 4 and shape[1] in {1, None} and not set(sides) - {size}
    if list(session.inputs) != [INPUT] or OUTPUT not in session.outputs or not fits:
        raise UserError(
            f"{path} takes {dict(session.inputs)} and gives {list(session.outputs)}; "
            f"an input {INPUT!r} of (N, 1, {size}, {size}) and an output {OUTPUT!r} are needed",
            hint="give an .onnx file that `sonoseg export` wrote",
        )


def _network(session: Session, size: int, path: Path) -> Network:
    def network(frames: NDArray[np.float32]) -> NDArray[np.float32]:
        (logits,) = session.run({INPUT: frames}, [OUTPUT])
        if logits.shape != (len(frames), 1, size, size):
            raise UserError(
                f"{path} gives logits {logits.shape}; {(len(frames), 1, size, size)} are needed",
                hint="export it again",
            )
        return logits

    return network


def _gates(session: Session, names: list[str]) -> Gates:
    def gates(frames: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(names, session.run({INPUT: frames}, names), strict=True))

    return gates


def _metadata(content: bytes) -> dict[str, str]:
    """Read ``metadata_props``, field 14 of ONNX's ModelProto, key and value each. Errors: ``ValueError``."""
    entries = (dict(_fields(entry)) for number, entry in _fields(memoryview(content)) if number == 14)
    return {str(entry[1], "utf-8"): str(entry[2], "utf-8") for entry in entries}


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Walk the top level of a protobuf message: (field number, its bytes). Errors: ``ValueError``, ``IndexError``."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        start = place
        match tag & 7:
            case 0:
                _, place = _varint(message, place)
            case 1:
                place += 8
            case 2:
                length, start = _varint(message, place)
                place = start + length
            case 5:
                place += 4
            case other:
                raise ValueError(f"wire type {other}")
        if place > len(message):
            raise ValueError("the message is cut")
        yield tag >> 3, message[start:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number is too long")
