"""Decoded samples -> one grey image: colour models, look-up tables and windows (PS3.3 C.7.6.3.1.2, C.11.2)."""

from collections.abc import Callable

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.images.pictures import from_picture

Samples = NDArray[np.generic]
Tones = Callable[[Samples, str], Image]
"""(samples ``(H, W)`` or ``(H, W, 3)``, their colour model) -> image without spacing."""

_COLOURS = {"RGB": "RGB", "YBR_FULL": "YCbCr", "YBR_FULL_422": "YCbCr", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}
"""Mode of Pillow by colour model; what was coded with a reversible or irreversible transform is decoded as RGB."""

_MOST_BITS = 16


def tones(header: Dataset, source: str) -> Tones:
    """How the samples of an object become grey. Errors: ``UserError`` for a colour model that is not read."""
    model = str(header.get("PhotometricInterpretation", ""))
    bits = int(header.BitsStored)
    if not 1 <= bits <= _MOST_BITS:
        raise UserError(f"{source} has {bits} bits a sample; 1 to {_MOST_BITS} are read", hint="export it with 8 bits")
    if model in {"MONOCHROME1", "MONOCHROME2"}:
        return _Table(_grey(header, bits), np.zeros(1 << bits, bool), header.get("PixelRepresentation") == 1, source)
    if model == "PALETTE COLOR":
        return _Table(*_palette(header, bits), False, source)
    if model in _COLOURS:
        return lambda samples, decoded: _coloured(samples, decoded, bits, source)
    raise UserError(
        f"{source} has the colour model {_told(model)}; MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB and YBR are read",
        hint="export it in one of these",
    )


class _Table:
    """Looks every sample up: ``uint8`` grey, and whether it is a colour."""

    def __init__(self, grey: NDArray[np.uint8], colours: NDArray[np.bool_], signed: bool, source: str) -> None:
        self._grey, self._colours, self._signed, self._source = grey, colours, signed, source
        self._is_plain = not signed and bool((grey == np.arange(len(grey))).all()) if len(grey) == 256 else False

    def __call__(self, samples: Samples, model: str) -> Image:
        if samples.ndim != 2:
            raise UserError(f"{self._source} has colour samples where grey is said", hint="export it again")
        if self._is_plain and samples.dtype == np.uint8:
            return Image(np.array(samples, np.uint8), source=self._source)
        # Bits above those that count may hold overlays; a signed sample wraps into the upper half of the table.
        places = samples.astype(np.int64) & (len(self._grey) - 1)
        coloured = bool(self._colours.any() and self._colours[places].any())
        return Image(self._grey[places], source=self._source, coloured=coloured)


def _grey(header: Dataset, bits: int) -> NDArray[np.uint8]:
    """Grey of each sample: rescaled, windowed, and dark for light where the object says so."""
    stored = np.arange(1 << bits, dtype=np.int64)
    if header.get("PixelRepresentation") == 1:
        stored = np.where(stored < 1 << (bits - 1), stored, stored - (1 << bits))
    values = np.asarray(apply_modality_lut(stored, header), np.float64)
    shares = _voi(header, values) if "VOILUTSequence" in header else _window(header, values)
    if shares is None:
        low, high = values.min(), values.max()
        shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shares = 1 - shares
    return np.rint(shares * 255).astype(np.uint8)


def _voi(header: Dataset, values: NDArray[np.float64]) -> NDArray[np.float64]:
    depth = int(header.VOILUTSequence[0].LUTDescriptor[2])
    looked_up = apply_voi(values.astype(np.int64), header)
    return np.asarray(looked_up / ((1 << depth) - 1), np.float64).clip(0, 1)


def _window(header: Dataset, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The first window, by PS3.3 C.11.2.1.2; None where there is none."""
    centre, width = (_first(header.get(key)) for key in ("WindowCenter", "WindowWidth"))
    function = header.get("VOILUTFunction") or "LINEAR"
    if centre is None or width is None or width < 1:
        return None
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp((-4 * (values - centre) / width).clip(-80, 80))))
    if function == "LINEAR_EXACT":
        return np.asarray((values - centre) / width + 0.5).clip(0, 1)
    if width == 1:
        return np.asarray(values > centre - 0.5, np.float64)
    return np.asarray((values - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1)


def _first(value: object) -> float | None:
    if value is None or isinstance(value, str):
        return None
    try:
        number = float(value[0] if hasattr(value, "__getitem__") else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def _palette(header: Dataset, bits: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    colours = apply_color_lut(np.arange(1 << bits, dtype=np.uint8 if bits <= 8 else np.uint16), header)
    if colours.dtype != np.uint8:
        depth = int(header.RedPaletteColorLookupTableDescriptor[2])
        colours = (colours >> (depth - 8 if depth > 8 else 0)).astype(np.uint8)
    each = [from_picture(PIL.Image.fromarray(colour[None, None])) for colour in np.ascontiguousarray(colours)]
    return np.array([image.pixels[0, 0] for image in each]), np.array([image.coloured for image in each])


def _coloured(samples: Samples, model: str, bits: int, source: str) -> Image:
    mode = _COLOURS.get(model)
    if mode is None or samples.ndim != 3 or samples.shape[2] != 3:
        raise UserError(f"{source} does not hold the samples that its colour model says", hint="export it again")
    if samples.dtype != np.uint8:
        samples = (samples.astype(np.int64) >> max(0, bits - 8)).clip(0, 255).astype(np.uint8)
    height, width, _ = samples.shape
    picture = PIL.Image.frombytes(mode, (width, height), np.ascontiguousarray(samples).tobytes())
    return from_picture(picture.convert("RGB"), source)


def _told(model: str) -> str:
    """A colour model for a message: a code, and nothing that could be a name."""
    return (
        model if model in {"HSV", "ARGB", "CMYK", "XYB", "YBR_PARTIAL_422", "YBR_PARTIAL_420"} else "of no known kind"
    )
