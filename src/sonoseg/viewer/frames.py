"""Images of stored frames. The windows of an image that show tissue travel in its picture."""

import json
from dataclasses import replace
from io import BytesIO

import PIL.Image

from sonoseg.images.pictures import Image, Window, encode_png, from_picture
from sonoseg.viewer.records import Frame

_WINDOWS = "Windows"
_THUMBNAIL = (96, 96)


def picture_of(image: Image) -> bytes:
    """Give the PNG that is stored of an image, from which ``image_of`` makes it again."""
    return encode_png(image.pixels, {_WINDOWS: json.dumps(image.windows)})


def image_of(frame: Frame, spacing: tuple[float, float] | None = None) -> Image:
    """Give the image of a frame; spacing: (row, column) in mm as a reader set it."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        told = getattr(picture, "text", {}).get(_WINDOWS, "[]")
        image = from_picture(picture)
    windows = tuple(Window(*window) for window in json.loads(told))
    return replace(image, spacing=spacing or frame.spacing, coloured=frame.coloured, windows=windows)


def thumbnail(frame: Frame) -> bytes:
    """Give a small PNG of a frame."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        picture.thumbnail(_THUMBNAIL)
        buffer = BytesIO()
        picture.save(buffer, "PNG")
    return buffer.getvalue()
