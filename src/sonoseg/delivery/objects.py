"""What archives and 3D Slicer take, collected while a file is predicted and written beside its other outputs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from sonoseg.delivery.slicer import SlicerWriter
from sonoseg.errors import UserError
from sonoseg.files import Write
from sonoseg.images import dicom, reading
from sonoseg.images.image import Item
from sonoseg.prediction.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from sonoseg.delivery.dicom.origin import Origin

_ENDS = {"seg": "_seg.dcm", "sr": "_sr.dcm", "sc": "_sc.dcm", "slicer": ".seg.nrrd"}

_DRAWN_ONLY = ("seg", "slicer")
"""Not written where there is no lesion: an empty segmentation makes viewers hang (OHIF's issue 3991)."""


@dataclass(frozen=True)
class Objects:
    """Which objects are written. seg, sr, sc: DICOM's segmentation, report, picture. slicer: ``.seg.nrrd``.

    fractional: probabilities in the segmentation. synthetic: it invents a frame of reference.
    """

    seg: bool = False
    sr: bool = False
    sc: bool = False
    slicer: bool = False
    fractional: bool = False
    synthetic: bool = False

    def outputs(self, base: Path, drawn: bool = True) -> dict[str, Path]:
        """Paths of what is written, by kind. base: without an ending. drawn: whether there is a lesion."""
        wanted = [kind for kind in _ENDS if getattr(self, kind) and (drawn or kind not in _DRAWN_ONLY)]
        return {self._named(kind): base.with_name(base.name + _ENDS[kind]) for kind in wanted}

    def _named(self, kind: str) -> str:
        """A kind tells how it was made, so that another one is not taken for it."""
        ways = {"fractional": self.fractional, "synthetic": self.synthetic} if kind == "seg" else {}
        return "_".join([kind, *(way for way, wanted in ways.items() if wanted)])


@dataclass(frozen=True)
class Maker:
    """How objects are made. draw: a prediction -> its picture for people, ``uint8 (H, W, 3)``.

    settings: what the result depends on besides model and scan. corrected: whether a reader changed what was predicted.
    """

    predictor: Predictor
    draw: Callable[[Prediction], NDArray[np.uint8]]
    settings: str
    corrected: bool = False


class Collector(AbstractContextManager["Collector"]):
    """Takes the items of one file with their predictions, and then knows what to write.

    moves: whether it is a clip.
    Errors: ``UserError`` where a DICOM object is wanted of a file that is none, and without the extra.
    """

    def __init__(self, path: Path, wanted: Objects, maker: Maker, moves: bool) -> None:
        self._wanted, self._maker = wanted, maker
        self._origin = _origin(path, maker) if wanted.seg or wanted.sr or wanted.sc else None
        self._best: tuple[float, int, Prediction] | None = None
        self._frames = self._drawn = 0
        self._stack = ExitStack()
        self._slicer = self._stack.enter_context(SlicerWriter(moves)) if wanted.slicer else None
        self._seg = None
        if self._origin and wanted.seg:
            from sonoseg.delivery.dicom.segmentation import SegmentationWriter

            writer = SegmentationWriter(self._origin, wanted.fractional, wanted.synthetic)
            self._seg = self._stack.enter_context(writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, item: Item, prediction: Prediction) -> None:
        """Take the next item."""
        self._frames, self._drawn = self._frames + 1, self._drawn + bool(prediction.lesions)
        longest = max((lesion.longest_diameter for lesion in prediction.lesions), default=0.0)
        if self._best is None or longest > self._best[0]:
            self._best = (longest, item.number, prediction)
        if self._slicer:
            self._slicer.add(prediction)
        if self._seg:
            self._seg.add(item.number, prediction)

    def writers(self, base: Path) -> dict[Path, Write]:
        """What writes each of the files, or takes an older one away where none is to be."""
        assert self._best is not None
        _, number, prediction = self._best
        found: dict[Path, Write] = {}
        for kind, path in self._wanted.outputs(base).items():
            if kind == "slicer" and self._slicer:
                found[path] = self._slicer.write
            elif kind.startswith("seg") and self._seg:
                found[path] = self._seg.write
            elif kind == "sr":
                found[path] = partial(self._write_report, number, prediction)
            elif kind == "sc":
                found[path] = partial(self._write_capture, number, prediction)
        return found

    def _write_report(self, number: int, best: Prediction, path: Path) -> None:
        from sonoseg.delivery.dicom.report import Shown, write_report

        assert self._origin is not None
        write_report(path, self._origin, Shown(number, best.lesions, self._frames, self._drawn))

    def _write_capture(self, number: int, best: Prediction, path: Path) -> None:
        from sonoseg.delivery.dicom.capture import write_capture

        assert self._origin is not None
        write_capture(path, self._origin, self._maker.draw(best), number)


def _origin(path: Path, maker: Maker) -> "Origin":
    if not reading.is_dicom(path):
        raise UserError(
            f"{path} is no DICOM; a DICOM object can be made of DICOM only",
            hint="leave --dicom-seg, --dicom-sr and --dicom-sc out for pictures and clips; --slicer takes them",
        )
    dicom.need_dicom()
    from sonoseg.delivery.dicom.origin import origin
    from sonoseg.images.dicom.objects import opened

    with opened(path) as (header, _):
        return origin(header, maker.predictor, maker.settings, maker.corrected)
