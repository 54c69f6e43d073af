"""One file and its outputs: predicted and written whole, or found finished by an earlier run."""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sonoseg import __version__
from sonoseg.delivery import document, overlay
from sonoseg.delivery.document import Document, Source
from sonoseg.delivery.objects import Collector, Maker, Objects
from sonoseg.errors import UserError, printable
from sonoseg.files import Write, checksum, scratch, write_all, write_csv
from sonoseg.images import clips, reading
from sonoseg.images.image import Image, Item
from sonoseg.images.pictures import MAX_PIXELS, encode_mask, encode_png
from sonoseg.images.reading import Found
from sonoseg.prediction.predictor import NOTICE, Prediction, Predictor

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How files are predicted.

    out: folder of the outputs; None writes them beside each file. spacing: (row, column) in mm for all, or None.
    resume: what an earlier run finished, of the same file with the same model and settings, is kept. overwrite: what
    stands is replaced. workers: files at the same time. overlay, explain, coco, objects: write these too.
    """

    out: Path | None = None
    spacing: tuple[float, float] | None = None
    resume: bool = False
    overwrite: bool = False
    workers: int = 1
    overlay: bool = True
    explain: bool = False
    coco: bool = False
    max_pixels: int = MAX_PIXELS
    objects: Objects = field(default_factory=Objects)


@dataclass(frozen=True)
class Failure:
    """A file, or a page of it, without a prediction, and why. page: from 1, or None for the whole file."""

    file: str
    page: int | None
    message: str
    hint: str


@dataclass(frozen=True)
class Outcome:
    """What became of one file: a document per page or clip, and what failed. kept: an earlier run had finished it."""

    found: Found
    documents: list[Document] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    kept: bool = False


class Job:
    """Predicts one file after the other, in any thread."""

    def __init__(self, predictor: Predictor, options: Options, inputs: Iterable[Path] = ()) -> None:
        """inputs: files that no output may replace."""
        self.predictor, self.options = predictor, options
        self._inputs, self._claimed = {path.resolve() for path in inputs}, dict[Path, Found]()
        model = predictor.model
        self._made_by = f"sonoseg {__version__}, model {model.name}, sha256 {model.checksum[:16]}"
        checksum = f"{model.name} sha256:{model.checksum}"
        self._text = {"Software": f"sonoseg {__version__}", "Model": checksum, "Comment": NOTICE}

    def predict(self, found: Found) -> Outcome:
        """Predict all pages of a file, or a clip, and write what belongs to it; whatever fails is in the outcome."""
        outcome = Outcome(found)
        try:
            _check(found)
            source = Source(found.name, checksum(found.path), self.options.spacing)
            if finished := self._finished(found, source):
                return Outcome(found, finished, kept=True)
            items = reading.read(found.path, self.options.spacing, self.options.max_pixels)
            for item in items:
                if item.moves:
                    outcome.documents.append(self._clip(found, source, chain([item], items)))
                else:
                    outcome.documents.append(self._page(found, source, item))
        except Exception as error:
            if not isinstance(error, UserError | OSError):
                _log.exception("unexpected failure of %s", found.path)
            page_number = len(outcome.documents) + 1 if outcome.documents else None
            outcome.failures.append(failure(found.name, page_number, error))
        return outcome

    def _page(self, found: Found, source: Source, item: Item) -> Document:
        pages = item.of or 1
        base = self._base(found, item.number if pages > 1 else None)
        self._check_free(found, [*self._outputs(base).values(), _json(base)])
        with self._collector(found, source, moves=False) as objects:
            prediction = self.predictor.predict(item.image)
            objects.add(item, prediction)
            outputs = self._outputs(base, drawn=bool(prediction.lesions))
            described = document.describe(
                item.image,
                self.predictor,
                replace(source, page=item.number, pages=pages),
                {kind: path.name for kind, path in outputs.items()},
                document.findings(prediction),
            )
            pictures = {path: self._picture(kind, prediction) for kind, path in self._pictures(base).items()}
            earlier = self._earlier(base)
            write_all({**pictures, **objects.writers(base), _json(base): document.encoded(described)})
        _remove(earlier - set(outputs.values()))
        return described

    def _picture(self, kind: str, prediction: Prediction) -> bytes:
        if kind == "mask":
            return encode_mask(prediction.mask, self._text)
        if kind == "overlay":
            return encode_png(self._overlay(prediction), self._text)
        gates = self.predictor.explain(prediction.image)
        return encode_png(overlay.explain(prediction, gates, [self._made_by]), self._text)

    def _overlay(self, prediction: Prediction) -> NDArray[np.uint8]:
        told = document.findings(prediction) | document.scale(prediction.image)
        return overlay.draw(prediction, [*document.sentences(told), self._made_by])

    def _collector(self, found: Found, source: Source, moves: bool) -> Collector:
        settings = json.dumps(document.settings(self.predictor, source))
        return Collector(found.path, self.options.objects, Maker(self.predictor, self._overlay, settings), moves)

    def _clip(self, found: Found, source: Source, items: Iterator[Item]) -> Document:
        base = self._base(found, None)
        pictures = self._pictures(base, moves=True)
        self._check_free(found, [*self._outputs(base, moves=True).values(), _json(base)])
        with self._collector(found, source, moves=True) as objects, scratch(base) as video:
            first, frames = self._frames(items, objects, video if "overlay" in pictures else None)
            outputs = self._outputs(base, moves=True, drawn=any(frame["lesions"] for frame in frames))
            names = {kind: path.name for kind, path in outputs.items()}
            described = document.describe(first, self.predictor, source, names, {"frames": frames})
            sizes = partial(write_csv, columns=document.SIZE_COLUMNS, rows=document.size_rows(described))
            writers: dict[str, Write] = {"overlay": video.replace, "sizes": sizes}
            written = {path: writers[kind] for kind, path in pictures.items()}
            earlier = self._earlier(base)
            write_all({**written, **objects.writers(base), _json(base): document.encoded(described)})
        _remove(earlier - set(outputs.values()))
        return described

    def _frames(self, items: Iterator[Item], objects: Collector, video: Path | None) -> tuple[Image, list[Document]]:
        """Predict a clip frame by frame, into a video if one is wanted: its first image, what is in each."""
        comment, writer = ", ".join(self._text.values()), None
        images, frames = list[Image](), list[Document]()
        with ExitStack() as stack:
            for item in items:
                prediction = self.predictor.predict(item.image)
                objects.add(item, prediction)
                number = {"frame": item.number, "seconds": round(item.seconds or 0.0, 4)}
                frames.append({**number, **document.findings(prediction)})
                images = images or [item.image]
                if video and writer is None:
                    writer = stack.enter_context(clips.clip_writer(video, item.rate or 25.0, comment))
                if writer:
                    writer.add(overlay.frame(prediction, NOTICE))
        return images[0], frames

    def _base(self, found: Found, page: int | None) -> Path:
        """Path of the outputs without their endings."""
        folder = self.options.out / PurePosixPath(found.stem).parent if self.options.out else found.path.parent
        name = PurePosixPath(found.stem).name
        return folder / (name if page is None else f"{name}_page{page:03}")

    def _pictures(self, base: Path, moves: bool = False) -> dict[str, Path]:
        """What is written for people, by kind; of a clip other than of a picture."""
        ends = {"mask": "_mask.png", "overlay": "_overlay.png", "explain": "_explain.png"}
        if moves:
            ends = {"overlay": "_overlay.mp4", "sizes": "_sizes.csv"}
        wanted = {"overlay": self.options.overlay, "explain": self.options.explain}
        return {kind: base.with_name(base.name + end) for kind, end in ends.items() if wanted.get(kind, True)}

    def _outputs(self, base: Path, moves: bool = False, drawn: bool = True) -> dict[str, Path]:
        """All that is written beside the JSON, by kind. drawn: whether there is a lesion."""
        return self._pictures(base, moves) | self.options.objects.outputs(base, drawn)

    def _check_free(self, found: Found, paths: Iterable[Path]) -> None:
        for path in paths:
            other = self._claimed.setdefault(path, found)
            if other is not found:
                raise UserError(f"{path} is written for {other.name}", hint="give the file another name")
            if path.exists() and path.resolve() in self._inputs:
                raise UserError(f"{path} is to be predicted itself", hint="give a folder for the outputs with --out")
            if path.exists() and not self.options.overwrite and not (self.options.resume and _is_ours(path)):
                raise UserError(f"{path} stands already", hint="--resume keeps finished work, --overwrite replaces it")

    def _earlier(self, base: Path) -> set[Path]:
        """What the JSON of an earlier run says that it wrote, and this one may replace."""
        if not self.options.resume and not self.options.overwrite:
            return set()
        told = _decoded(_json(base)).get("outputs")
        names = {str(name) for name in told.values()} if isinstance(told, dict) else set()
        paths = {base.with_name(name) for name in names if name == Path(name).name and name.startswith(base.name)}
        return {path for path in paths if path.is_file() and (self.options.overwrite or _is_ours(path))}

    def _finished(self, found: Found, source: Source) -> list[Document]:
        """What an earlier run wrote of a file, all of its pages; empty where anything is missing or of another run."""
        documents: list[Document] = []
        if not self.options.resume:
            return documents
        base = self._base(found, None)
        paged = not _json(base).exists()
        while not documents or len(documents) < documents[0]["pages"]:
            base = self._base(found, len(documents) + 1 if paged else None)
            described = _decoded(_json(base))
            drawn = any(frame.get("lesions") for frame in described.get("frames", [described]))
            outputs = self._outputs(base, "frames" in described, drawn)
            names = {kind: path.name for kind, path in outputs.items()}
            whole = described.get("outputs") == names and all(path.is_file() for path in outputs.values())
            if not whole or not document.is_from(described, self.predictor, source):
                return []
            documents.append(described)
        return documents


def _check(found: Found) -> None:
    """Refuse what cannot be read or named. Errors: ``UserError``."""
    if found.path.is_dir():
        raise UserError(f"{found.path} is a folder that cannot be read", hint="make it readable, then use --resume")
    if not found.path.is_file():  # reading a pipe or a device might never end
        raise UserError(f"{found.path} is not a file", hint="give a file")
    if any("\ud800" <= each <= "\udfff" for each in found.name):  # what stands for bytes that are none
        raise UserError(f"the name of {found.path} is no UTF-8", hint="give the file another name")


def failure(name: str, page: int | None, error: Exception) -> Failure:
    """Say why a file, or a page of it, has no prediction."""
    message, hint = f"unexpected {type(error).__name__}: {error}", "please report this"
    if isinstance(error, UserError):
        message, hint = str(error), error.hint
    elif isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        message, hint = f"{error.strerror or error}{place}", "make it possible, then use --resume"
    return Failure(printable(name), page, printable(message), printable(hint))


def _json(base: Path) -> Path:
    return base.with_name(base.name + ".json")


def _decoded(path: Path) -> Document:
    try:
        described = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return described if isinstance(described, dict) else {}


def _is_ours(path: Path) -> bool:
    """Whether a file names this program: at its beginning, as all outputs of pictures do, or as a clip does."""
    with path.open("rb") as file:
        head = file.read(512)
    return b"sonoseg" in head or (clips.is_clip(head) and "sonoseg" in clips.comment_of(path))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
