"""Images of stored frames. The windows of an image that show tissue travel in its picture, and its notes."""

import json
from dataclasses import replace
from io import BytesIO
from typing import Any

import PIL.Image

from sonoseg.images.image import Image, Window
from sonoseg.images.pictures import encode_png, from_picture
from sonoseg.images.reading import measured
from sonoseg.viewer.records import Frame

_WINDOWS, _NOTES = "Windows", "Notes"
_THUMBNAIL = (96, 96)


def picture_of(image: Image) -> bytes:
    """Give the PNG that is stored of an image, from which ``image_of`` makes it again."""
    return encode_png(image.pixels, {_WINDOWS: json.dumps(image.windows), _NOTES: json.dumps(image.notes)})


def image_of(frame: Frame, spacing: tuple[float, float] | None = None) -> Image:
    """Give the image of a frame; spacing: (row, column) in mm as a reader set it."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        windows, notes = _windows(picture), tuple(_told(picture, _NOTES))
        image = from_picture(picture)
    image = replace(image, spacing=frame.spacing, coloured=frame.coloured, windows=windows, notes=notes)
    return measured(image, spacing) if spacing else image


def windows_of(frame: Frame) -> tuple[Window, ...]:
    """Give the windows of a frame that show tissue, none for all of it; its picture is not decoded."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        return _windows(picture)


def _windows(picture: PIL.Image.Image) -> tuple[Window, ...]:
    return tuple(Window(*window) for window in _told(picture, _WINDOWS))


def _told(picture: PIL.Image.Image, key: str) -> Any:
    return json.loads(picture.info.get(key, "[]"))


def thumbnail(frame: Frame) -> bytes:
    """Give a small PNG of a frame."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        picture.thumbnail(_THUMBNAIL)
        buffer = BytesIO()
        picture.save(buffer, "PNG")
    return buffer.getvalue()
