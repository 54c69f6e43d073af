"""Images of stored frames."""

from dataclasses import replace
from io import BytesIO

import PIL.Image

from sonoseg.images.pictures import Image, from_picture
from sonoseg.viewer.store import Frame

_THUMBNAIL = (96, 96)


def image_of(frame: Frame, spacing: tuple[float, float] | None = None) -> Image:
    """Give the image of a frame; spacing: (row, column) in mm as a reader set it."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        image = from_picture(picture)
    return replace(image, spacing=spacing or frame.spacing, coloured=frame.coloured)


def thumbnail(frame: Frame) -> bytes:
    """Give a small PNG of a frame."""
    with PIL.Image.open(BytesIO(frame.picture), formats=("PNG",)) as picture:
        picture.thumbnail(_THUMBNAIL)
        buffer = BytesIO()
        picture.save(buffer, "PNG")
    return buffer.getvalue()
