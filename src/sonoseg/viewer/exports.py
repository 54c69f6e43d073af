"""What leaves the viewer: masks, overlays, documents, tables and segmentations, each as a file, or all in one zip."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from csv import DictWriter
from typing import Any

import numpy as np

from sonoseg import __version__
from sonoseg.delivery import document, overlay
from sonoseg.delivery.document import Document
from sonoseg.images.pictures import encode_mask, encode_png
from sonoseg.prediction.predictor import NOTICE, Predictor
from sonoseg.viewer import volumes
from sonoseg.viewer.reviewed import Reviewed
from sonoseg.viewer.uploads import stem

File = tuple[str, bytes]
"""Name and content."""

Write = Callable[[Sequence[Reviewed], Predictor], Iterator[File]]

MEDIA = {".png": "image/png", ".json": "application/json", ".csv": "text/csv", ".nrrd": "application/octet-stream"}

_DATE = (1980, 1, 1, 0, 0, 0)


def files(frames: Sequence[Reviewed], kinds: Iterable[str], predictor: Predictor) -> Iterator[File]:
    """Write the files of one case, kind by kind. frames: all of the case, in their order."""
    for kind in kinds:
        yield from KINDS[kind](frames, predictor)


def tables(documents: Sequence[Document], kinds: Iterable[str]) -> Iterator[File]:
    """Write what is one file for all cases: a table of lesions, COCO."""
    still = [each for each in documents if "frames" not in each]
    if "csv" in kinds:
        yield "lesions.csv", _csv(document.COLUMNS, (row for each in documents for row in document.rows(each)))
    if "coco" in kinds:
        yield "coco.json", _json(document.coco(still))


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
    kept = {key: value for key, value in whole.items() if key not in {"confidence", "lesions", "review"}}
    return [{**kept, "page": 1, "pages": 1, "frames": found}]


def _masks(frames: Sequence[Reviewed], predictor: Predictor) -> Iterator[File]:
    for each in frames:
        yield f"{_name(each)}_mask.png", encode_mask(each.final, _text(predictor))


def _overlays(frames: Sequence[Reviewed], predictor: Predictor) -> Iterator[File]:
    model, text = predictor.model, _text(predictor)
    for each in frames:
        lines = document.sentences(each.describe(predictor))
        if each.correction:
            lines.append(f"Corrected by {each.correction.reader}.")
        lines.append(f"sonoseg {__version__}, model {model.name}, sha256 {model.checksum[:16]}")
        yield f"{_name(each)}_overlay.png", encode_png(overlay.draw(each.prediction, lines), text)


def _documents(frames: Sequence[Reviewed], predictor: Predictor) -> Iterator[File]:
    found = documents(frames, predictor)
    names = [_stem(frames[0])] if len(found) < len(frames) else [_name(each) for each in frames]
    for name, each in zip(names, found, strict=True):
        yield f"{name}.json", _json(each)
        if "frames" in each:
            yield f"{name}_sizes.csv", _csv(document.SIZE_COLUMNS, document.size_rows(each))


def _segmentations(frames: Sequence[Reviewed], predictor: Predictor) -> Iterator[File]:
    shapes = {each.shape for each in frames}
    stacks = [(_stem(frames[0]), frames)] if len(shapes) == 1 else [(_name(each), [each]) for each in frames]
    for name, stack in stacks:
        masks = np.stack([each.final for each in stack])
        yield f"{name}.seg.nrrd", volumes.segmentation(masks, stack[0].prediction.image.spacing)


def _none(frames: Sequence[Reviewed], predictor: Predictor) -> Iterator[File]:
    return iter(())


KINDS: dict[str, Write] = {
    "mask": _masks,
    "overlay": _overlays,
    "json": _documents,
    "csv": _none,
    "coco": _none,
    "nrrd": _segmentations,
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
