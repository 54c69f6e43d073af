"""A model in one file: an ONNX network and, in its metadata, its record."""

import difflib
import hashlib
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.files import Received, checksum, write_text
from sonoseg.prediction import onnxfile
from sonoseg.prediction.predictor import Both, Model, Predictor
from sonoseg.prediction.record import INT8, USE, Record, licence, read
from sonoseg.prediction.runtime import FLOAT32, Session, default_backend, start

INPUT, OUTPUT, PRESENCE, GATE = "image", "logits", "presence", "gate_"
"""Names in the graph: the input, the output that counts, that of presence (from version 2 on, where the network has
it), and how the outputs of attention gates begin."""

NETWORK = "network."
"""Begins the names of the initialisers that are weights as they were trained; what follows is their name in torch."""

WEIGHTS = Path(__file__).parent / "weights"
"""The models that come with the package, ``NAME.onnx``."""

SUMS = "SHA256SUMS"
"""Beside them: the checksum of each, in the form of ``sha256sum``. A model that comes with the package must have it."""


def load(
    name: str | Path = "default",
    backend: str | None = None,
    threads: int | None = None,
    parallel: int = 1,
    precision: str | None = None,
) -> Predictor:
    """Load a model by name, path or URL (see ``resolve``) into the one prediction path.

    backend: one of ``runtime.BACKENDS``; None takes OpenVINO where it is installed, else ONNX Runtime. threads: for one
    image. parallel: how many images are predicted at the same time. precision: of the arithmetic, "float32" or
    "bfloat16"; None takes the file's own, which is "float32", or "int8" where it was exported so. Errors: ``UserError``
    for a model that is not found, damaged, of another program or version, or of another shape than its record says.
    """
    path = resolve(name)
    content = _content(path)
    record = read(content, path)
    network = FileNetwork(
        content, str(path), record["size"], backend or default_backend(), _precision(record, precision, path),
        threads, parallel,
    )  # fmt: skip
    _check_graph(network.session, record["size"], path)
    outputs = network.session.outputs
    gates = any(output.startswith(GATE) for output in outputs)
    return Predictor(
        network=network,
        size=record["size"],
        threshold=record["threshold"],
        smallest_lesion=record["smallest_lesion"],
        least_confidence=record.get("least_confidence", 0.0),
        least_presence=(record.get("least_presence") or 0.0) if PRESENCE in outputs else None,
        mirrored=record.get("mirrored", False),
        gates=network.gates if gates else None,
        model=Model(record["name"], _sha256(content), network.backend, network.precision, record),
    )


def read_record(path: Path) -> Record:
    """Read what a model file says of itself, without loading its network. Errors: as ``load``."""
    return read(_content(path), path)


def read_weights(path: Path) -> tuple[Record, dict[str, NDArray[np.float32]]]:
    """Read the record of a model file and its weights by their names in torch. Errors: as ``load``.

    Files of an earlier sonoseg, and those in 8-bit integers, lack some: their normalisations are part of convolutions.
    """
    content = _content(path)
    record, stored = read(content, path), onnxfile.weights(content)
    named = {name.removeprefix(NETWORK): values for name, values in stored.items() if name.startswith(NETWORK)}
    return record, named


def sidecar(path: Path) -> Record:
    """Say what a program that cannot read the metadata needs beside the file: its record, with what it left unsaid.

    ``checksum`` is the file's SHA-256; the digests of the images are left out. Errors: as ``load``.
    """
    record = read_record(path)
    return {
        "least_confidence": 0.0,
        "least_presence": 0.0,
        "mirrored": False,
        "precision": FLOAT32,
        "use": USE,
        **{key: value for key, value in record.items() if key != "weights_licence"},
        "licence": licence(record),
        "trained_on": {key: value for key, value in record["trained_on"].items() if key not in ("digests", "watched")},
        "checksum": checksum(path),
    }


def shipped() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {file.stem: file for file in sorted(WEIGHTS.glob("*.onnx"))}


def pin(path: Path) -> None:
    """Write the checksum of a model that is to come with the package beside it, in the place of its former one."""
    sums = _pinned(path.parent) | {path.name: checksum(path)}
    write_text(path.with_name(SUMS), "".join(f"{sums[file]}  {file}\n" for file in sorted(sums)))


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
    if not text.strip():
        raise UserError("an empty name was given for a model", hint=f"--model {next(iter(known), 'FILE.onnx')}")
    if Path(name).is_file():
        return Path(name)
    if Path(name).is_dir():
        raise UserError(f"{text} is a folder; a model is one file", hint=f"sonoseg export {text} --out model.onnx")
    near = difflib.get_close_matches(text, known, 1)
    raise UserError(
        f"there is no model {text!r}: no file has this path, and the package holds {', '.join(known) or 'none'}",
        hint=f"did you mean {near[0]}?" if near else "give the path of an .onnx file, or default",
    )


@dataclass(frozen=True)
class FileNetwork:
    """The network of a model file, see ``Network``. Started when it is first needed, and anew where it was pickled to.

    content: the file's bytes. source: its path, for messages. The others as in ``load``.
    Errors: those of ``runtime.start``; ``UserError`` for logits of another shape, or that are no numbers.
    """

    content: bytes = field(repr=False)
    source: str = field(compare=False)
    size: int
    backend: str
    precision: str
    threads: int | None
    parallel: int

    @cached_property
    def session(self) -> Session:
        """What computes it."""
        arithmetic = FLOAT32 if self.precision == INT8 else self.precision
        return start(self.content, self.source, self.backend, self.threads, self.parallel, arithmetic)

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32] | Both:
        """See ``Network``."""
        names = [name for name in (OUTPUT, PRESENCE) if name in self.session.outputs]
        answers = self.session.run({INPUT: frames}, names)
        for name, values in zip(names, answers, strict=True):
            self._check(name, values, len(frames))
        return answers[0] if len(answers) == 1 else (answers[0], answers[1])

    def _check(self, name: str, values: NDArray[np.float32], count: int) -> None:
        needed = (count, 1, self.size, self.size) if name == OUTPUT else (count,)
        if values.shape != needed:
            raise UserError(f"{self.source} gives {name} {values.shape}; {needed} are needed", hint="export it again")
        if np.isnan(values).any():
            raise UserError(
                f"{self.source} gives {name} that are no numbers on {self.backend} in {self.precision}",
                hint="take another backend, or export it again",
            )

    def gates(self, frames: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """See ``Gates``."""
        names = [output for output in self.session.outputs if output.startswith(GATE)]
        return dict(zip(names, self.session.run({INPUT: frames}, names), strict=True))

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _content(path: Path) -> bytes:
    """Read a model file; one that comes with the package must be what was packed. Errors: ``UserError``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})", hint="check the path") from error
    if path in shipped().values() and _sha256(content) != _pinned(WEIGHTS).get(path.name):
        raise UserError(
            f"{path} is not the file that came with sonoseg: its SHA-256 is not the one of {SUMS}",
            hint="install sonoseg again",
        )
    return content


def _pinned(folder: Path) -> dict[str, str]:
    """Checksums of the files that come with the package, by name."""
    path = folder / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {file: sum for sum, file in (line.split("  ", 1) for line in lines)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _precision(record: Record, wanted: str | None, path: Path) -> str:
    """The precision to compute in: the file's own, or of a file in float32 another that was asked for by name."""
    own = record.get("precision", FLOAT32)
    if wanted in (None, own):
        return str(own)
    if INT8 in (own, wanted):
        raise UserError(
            f"{path} is a network in {own}; it cannot compute in {wanted}",
            hint="leave the precision out" if own == INT8 else "sonoseg export RUN --int8 writes one in int8",
        )
    return str(wanted)


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
