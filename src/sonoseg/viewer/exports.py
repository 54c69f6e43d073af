"""What leaves the viewer: masks, overlays, documents, tables, segmentations and reports, as files or all in one zip."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from csv import DictWriter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg import __version__
from sonoseg.delivery import document, overlay
from sonoseg.delivery.document import Document
from sonoseg.delivery.objects import Collector, Maker, Objects
from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.image import Item
from sonoseg.images.pictures import encode_mask, encode_png
from sonoseg.prediction.predictor import NOTICE, Prediction, Predictor
from sonoseg.viewer.refusals import BadUpload
from sonoseg.viewer.reviewed import Reviewed
from sonoseg.viewer.uploads import lying, stem

File = tuple[str, bytes]
"""Name and content."""

LEFT_OUT = "left-out.txt"
"""Name of the file that says what could not be written."""

MEDIA = {
    ".png": "image/png", ".json": "application/json", ".csv": "text/csv", ".nrrd": "application/octet-stream",
    ".dcm": "application/dicom",
}  # fmt: skip

_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Taken:
    """A case as it is exported. frames: all of it, in their order. content: gives its file as it came."""

    frames: Sequence[Reviewed]
    predictor: Predictor
    content: Callable[[], bytes]


Write = Callable[[Taken], Iterator[File]]
"""Errors: ``UserError`` where there is nothing to write, and why."""


def files(case: Taken, kinds: Iterable[str]) -> tuple[list[File], list[str]]:
    """Write the files of one case, kind by kind; and sentences on what could not be written."""
    written, left_out = list[File](), list[str]()
    for kind in kinds:
        try:
            written += KINDS[kind](case)
        except UserError as error:
            left_out.append(f"{_stem(case.frames[0])}: {error}; {error.hint}")
    return written, left_out


def tables(documents: Sequence[Document], kinds: Iterable[str]) -> Iterator[File]:
    """Write what is one file for all cases: a table of lesions, COCO."""
    still = [each for each in documents if "frames" not in each]
    if "csv" in kinds:
        yield "lesions.csv", _csv(document.COLUMNS, (row for each in documents for row in document.rows(each)))
    if "coco" in kinds:
        yield "coco.json", _json(document.coco(still))


def sentences(left_out: Sequence[str]) -> Iterator[File]:
    """Say in a file what could not be written, where there is anything."""
    if left_out:
        yield LEFT_OUT, "".join(f"{line}\n" for line in dict.fromkeys(left_out)).encode()


def documents(frames: Sequence[Reviewed], predictor: Predictor) -> list[Document]:
    """Give a document for each page of a case, or one of a clip."""
    first = frames[0]
    if first.frame.seconds is None:
        return [frame.describe(predictor) for frame in frames]
    found = [
        {"frame": each.frame.number, "seconds": round(each.frame.seconds or 0.0, 4), **each.findings()}
        for each in frames
    ]
    whole = first.describe(predictor)
    kept = {key: value for key, value in whole.items() if key not in {"confidence", "presence", "lesions", "review"}}
    return [{**kept, "page": 1, "pages": 1, "frames": found}]


def _masks(case: Taken) -> Iterator[File]:
    for each in case.frames:
        yield f"{_name(each)}_mask.png", encode_mask(each.final, _text(case.predictor))


def _overlays(case: Taken) -> Iterator[File]:
    for each in case.frames:
        pixels = overlay.draw(each.prediction, _lines(each, case.predictor))
        yield f"{_name(each)}_overlay.png", encode_png(pixels, _text(case.predictor))


def _lines(each: Reviewed, predictor: Predictor) -> list[str]:
    """What stands under a picture."""
    lines = document.sentences(each.describe(predictor))
    if each.correction:
        lines.append(f"Corrected by {each.correction.reader}.")
    model = predictor.model
    return [*lines, f"sonoseg {__version__}, model {model.name}, sha256 {model.checksum[:16]}"]


def _documents(case: Taken) -> Iterator[File]:
    found, frames = documents(case.frames, case.predictor), case.frames
    names = [_stem(frames[0])] if len(found) < len(frames) else [_name(each) for each in frames]
    for name, each in zip(names, found, strict=True):
        yield f"{name}.json", _json(each)
        if "frames" in each:
            yield f"{name}_sizes.csv", _csv(document.SIZE_COLUMNS, document.size_rows(each))


def _objects(wanted: Objects, case: Taken) -> Iterator[File]:
    """What archives and 3D Slicer take, as ``sonoseg predict`` writes it: a file for a clip, or for each page."""
    moves = case.frames[0].frame.seconds is not None
    stacks = [(_stem(case.frames[0]), case.frames)] if moves else [(_name(each), [each]) for each in case.frames]
    content = b"" if wanted.slicer else case.content()
    with TemporaryDirectory(prefix="sonoseg-") as folder, lying(content) as path:
        if not wanted.slicer and not reading.is_dicom(path):
            raise BadUpload(
                "this is no DICOM; SEG and SR refer to the DICOM image that they were made of",
                hint="take .seg.nrrd or masks, or add the scan as DICOM",
            )
        drawn = [_written(wanted, stack, case.predictor, path, Path(folder) / name, moves) for name, stack in stacks]
        found = [file for file in drawn if file.is_file()]
        if not found:
            raise BadUpload(
                "there is no lesion, and viewers stumble over an empty segmentation", hint="a mask or JSON says so"
            )
        yield from ((file.name, file.read_bytes()) for file in found)


def _written(
    wanted: Objects, stack: Sequence[Reviewed], predictor: Predictor, scan: Path, base: Path, moves: bool
) -> Path:
    """Where one object was written, or would have been, had there been a lesion."""
    settings = json.dumps([document.settings(predictor, stack[0].source), [each.last for each in stack]])
    maker = Maker(predictor, _undrawn, settings, corrected=any(each.correction for each in stack))
    with Collector(scan, wanted, maker, moves) as collector:
        for each in stack:
            prediction = each.prediction
            collector.add(Item(prediction.image, each.frame.number), prediction)
        ((file, write),) = collector.writers(base).items()
        write(file)
    return file


def _undrawn(prediction: Prediction) -> NDArray[np.uint8]:
    return overlay.draw(prediction, [])


def _none(case: Taken) -> Iterator[File]:
    return iter(())


KINDS: dict[str, Write] = {
    "mask": _masks,
    "overlay": _overlays,
    "json": _documents,
    "csv": _none,
    "coco": _none,
    "nrrd": partial(_objects, Objects(slicer=True)),
    "seg": partial(_objects, Objects(seg=True)),
    "sr": partial(_objects, Objects(sr=True)),
}
"""By name. Those of ``tables`` are written once for all cases."""


async def zipped(parts: AsyncIterator[Iterable[File]]) -> AsyncIterator[bytes]:
    """Pack files into a zip as they come; the same files give the same bytes."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        async for part in parts:
            for name, content in part:
                archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
            yield pipe.taken()
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """Where a zip is written that is read at the same time."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._waiting += content
        return len(content)

    def taken(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def _stem(each: Reviewed) -> str:
    return stem(each.case.id, each.case.name)


def _name(each: Reviewed) -> str:
    if each.case.frames == 1:
        return _stem(each)
    return f"{_stem(each)}_{'page' if each.frame.seconds is None else 'frame'}{each.frame.number:03}"


def _text(predictor: Predictor) -> dict[str, str]:
    model = predictor.model
    return {
        "Software": f"sonoseg {__version__}",
        "Model": f"{model.name} sha256:{model.checksum}",
        "Comment": NOTICE,
    }


def _json(value: Document) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _csv(columns: Sequence[str], rows: Iterable[Document]) -> bytes:
    text = io.StringIO()
    table = DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()
