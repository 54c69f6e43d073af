"""The Sequence of Ultrasound Regions: where a frame shows tissue, and how large its pixels are (PS3.3 C.8.5.5)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from sonoseg.errors import UserError
from sonoseg.images.dicom import FROM_REGIONS, FROM_SPACING, UNKNOWN
from sonoseg.images.image import Window

_PLANE, _TISSUE, _FLOW = 1, 1, 2
"""Spatial format 2D; data types tissue and colour flow."""

_SPECTRAL, _MOTION = 3, 2
"""Spatial formats of Doppler spectra and M-mode."""

_DATA = range(1, 5)
"""Spatial formats that hold data: 2D, M-mode, spectra, other curves; 5 is graphics, 0 none."""

_CENTIMETRES = 3
"""The only unit of a region that is a length."""

_LOW_PRIORITY = 1
"""Bit of the region's flags."""

_LARGEST = 10.0
"""mm; a larger pixel is a mistake of the file."""

FLOW = "A colour Doppler box lies over the tissue."


@dataclass(frozen=True)
class View:
    """What of a frame is tissue. windows: in the order in which later ones cover earlier ones, none for all of it.

    spacing: (row, column) in mm, or None. notes: sentences on where it comes from and on what else there is.
    """

    windows: tuple[Window, ...]
    spacing: tuple[float, float] | None
    notes: tuple[str, ...]


class Regions:
    """The regions of an object, for all of its frames or for each of them."""

    def __init__(self, header: Dataset, source: str) -> None:
        self._header, self._source = header, source
        self._shape = (int(header.Rows), int(header.Columns))
        self._each = list(header.get("PerFrameFunctionalGroupsSequence") or [])
        shared = header.get("SharedFunctionalGroupsSequence") or []
        self._shared = list(shared[:1])
        self._latest: View | None = None

    def of(self, frame: int) -> View:
        """The view of a frame, from 0. Errors: ``UserError`` for regions that cannot be used."""
        if self._latest is None or self._each:
            self._latest = self._view(
                self._said(frame, "SequenceOfUltrasoundRegions"), self._said(frame, "PixelSpacing")
            )
        return self._latest

    def shown(self, frame: int) -> tuple[Window, ...]:
        """Where a frame, from 0, shows anything that was measured: all regions but graphics. Errors: as ``of``."""
        found = self._said(frame, "SequenceOfUltrasoundRegions") or []
        return tuple(self._window(region) for region in found if _number(region, "RegionSpatialFormat") in _DATA)

    def _said(self, frame: int, keyword: str) -> Any:
        """What the frame's own group says, else the shared one, else the object."""
        own = self._each[frame : frame + 1]
        found = _first([*own, *self._shared], keyword)
        return self._header.get(keyword) if found is None else found

    def _view(self, regions: Iterable[Dataset] | None, spacing: Any) -> View:
        kinds = [(_number(r, "RegionSpatialFormat"), _number(r, "RegionDataType"), r) for r in regions or []]
        tissue = [region for spatial, data, region in kinds if (spatial, data) == (_PLANE, _TISSUE)]
        if not tissue:
            self._check_no_other([(spatial, data) for spatial, data, _ in kinds])
        # What has low priority lies under the rest; of the same priority the smaller lies on the larger.
        places = sorted(
            ((self._window(region), region) for region in tissue),
            key=lambda each: (-(_number(each[1], "RegionFlags") & _LOW_PRIORITY), -each[0].height * each[0].width),
        )
        sizes = {_size(region) for _, region in places}
        if len(sizes) > 1 and not _close(sizes):
            raise UserError(
                f"{self._source} shows {len(places)} views with different sizes of a pixel; one size is needed",
                hint="export the views one by one",
            )
        found = next(iter(sizes), None)
        second = _positive(spacing)
        note = FROM_REGIONS if found else FROM_SPACING if second else UNKNOWN
        flow = any((spatial, data) == (_PLANE, _FLOW) for spatial, data, _ in kinds)
        whole = Window(0, 0, *self._shape)
        windows = tuple(dict.fromkeys(window for window, _ in places))
        return View(() if windows == (whole,) else windows, found or second, (note, FLOW) if flow else (note,))

    def _window(self, region: Dataset) -> Window:
        """Corners are pixels of the region; some scanners give the last one as the first beyond it."""
        height, width = self._shape
        left, top, right, bottom = (
            _number(region, f"RegionLocation{which}") for which in ("MinX0", "MinY0", "MaxX1", "MaxY1")
        )
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise UserError(
                f"{self._source} has an ultrasound region from ({left}, {top}) to ({right}, {bottom}), "
                f"outside its frame of {width} x {height} pixels",
                hint="export it again; or save the frame as PNG and give --spacing",
            )
        return Window(top, left, min(bottom + 1, height) - top, min(right + 1, width) - left)

    def _check_no_other(self, kinds: Sequence[tuple[int, int]]) -> None:
        """Refuse a frame whose regions say that it shows something else than B-mode."""
        what = ""
        if (_PLANE, _FLOW) in kinds:
            what = "colour Doppler"
        elif any(spatial == _SPECTRAL for spatial, _ in kinds):
            what = "a Doppler spectrum"
        elif any(spatial == _MOTION for spatial, _ in kinds):
            what = "M-mode"
        if what:
            raise UserError(
                f"{self._source} shows {what} and no B-mode tissue, as its ultrasound regions say",
                hint="give the B-mode images of the study",
            )


def _first(groups: Iterable[Dataset], keyword: str) -> Any:
    """What a functional group says, or one of its macros."""
    for group in groups:
        if group.get(keyword):
            return group[keyword].value
        for element in group:
            if element.VR == "SQ" and element.value and element.value[0].get(keyword):
                return element.value[0][keyword].value
    return None


def _number(region: Dataset, keyword: str) -> int:
    value = region.get(keyword)
    return int(value) if isinstance(value, int | float) else 0


def _size(region: Dataset) -> tuple[float, float] | None:
    """Of a pixel, (row, column) in mm. The sign of a delta says which way it counts; its absolute value is the size."""
    units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
    if units != (_CENTIMETRES, _CENTIMETRES):
        return None
    deltas = (region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX"))
    return _positive([round(abs(10 * d), 12) if isinstance(d, int | float) else 0 for d in deltas])


def _positive(values: Any) -> tuple[float, float] | None:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        return None
    sizes = [float(value) if isinstance(value, int | float) else 0.0 for value in values]
    good = all(math.isfinite(size) and 0 < size < _LARGEST for size in sizes)
    return (sizes[0], sizes[1]) if good else None


def _close(sizes: Iterable[tuple[float, float] | None]) -> bool:
    """Whether all are one size, but for a thousandth."""
    known = [size for size in sizes if size is not None]
    if len(known) < len(list(sizes)):
        return False
    return all(math.isclose(a, b, rel_tol=1e-3) for size in known for a, b in zip(size, known[0], strict=True))
