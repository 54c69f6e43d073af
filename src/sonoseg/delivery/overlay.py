"""Pictures for people: the outline with calipers on the scan, and where the network looked."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from sonoseg.prediction.lesions import Lesion, corners
from sonoseg.prediction.predictor import NOTICE, Prediction

OUTLINE, CALIPER, TEXT = (0, 214, 255), (255, 214, 0), (214, 214, 214)

_PANEL = 512
"""Longest side of a panel of ``explain``, in pixels."""

_HEAT = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Colours of 0, 0.25, 0.5, 0.75 and 1: dark to light for every eye, also in grey."""


def draw(prediction: Prediction, lines: Sequence[str]) -> NDArray[np.uint8]:
    """Draw outlines and calipers on the image, lines of text and the notice below it: ``uint8 (H + strip, W, 3)``."""
    return np.asarray(_above(_drawn(prediction), [*lines, NOTICE]))


def explain(
    prediction: Prediction, gates: Mapping[str, NDArray[np.float32]], lines: Sequence[str]
) -> NDArray[np.uint8]:
    """Put scan, probability map and gates side by side: ``uint8 (h, w, 3)``, panels of at most 512 pixels a side.

    gates: ``float32 (H, W)`` in [0, 1] by name, as ``Predictor.explain`` gives them. lines: of text, below.
    """
    scan = _drawn(prediction)
    panels = [_panel(scan, "outline")]
    for name, values in {"probability": prediction.probability, **gates}.items():
        panels.append(_panel(PIL.Image.fromarray(_heat(values)), f"{name}, 0 dark to 1 light"))
    width, height = sum(panel.width for panel in panels), max(panel.height for panel in panels)
    sheet, left = PIL.Image.new("RGB", (width, height)), 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width
    return np.asarray(_above(sheet, [*lines, NOTICE]))


def frame(prediction: Prediction, line: str) -> NDArray[np.uint8]:
    """Draw one frame of a clip: outlines, calipers, a line of text in the picture, ``uint8 (H, W, 3)``."""
    picture = _drawn(prediction)
    pen = PIL.ImageDraw.Draw(picture)
    place = (4, picture.height - 4)
    pen.text(place, line, TEXT, _font(picture.width), anchor="ls", stroke_width=1, stroke_fill="black")
    return np.asarray(picture)


def _drawn(prediction: Prediction) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(prediction.image.pixels).convert("RGB")
    _draw_lesions(picture, prediction.lesions)
    return picture


def _font(width: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(min(16, max(9, width // 40)))


def _draw_lesions(picture: PIL.Image.Image, lesions: tuple[Lesion, ...]) -> None:
    pen = PIL.ImageDraw.Draw(picture)
    thick = max(1, round(min(picture.size) / 400))
    for lesion in lesions:
        for outline in lesion.outlines:
            places = [(column, row) for row, column in corners(outline).tolist()]
            pen.line([*places, places[0]], fill=OUTLINE, width=thick)
    font = _font(picture.width)
    for lesion in lesions:
        for caliper in lesion.calipers:
            _draw_caliper(pen, caliper, thick)
        top, left, _, width = lesion.box
        place = (min(left + width, picture.width - 12), top)
        pen.text(place, str(lesion.number), CALIPER, font, anchor="lb", stroke_width=1, stroke_fill="black")


def _draw_caliper(pen: PIL.ImageDraw.ImageDraw, ends: NDArray[np.float64], thick: int) -> None:
    """A dotted line between two crosses, which leaves the scan to be seen."""
    (row, column), (last_row, last_column) = ends.tolist()
    arm, length = 3 * thick, float(np.hypot(last_row - row, last_column - column))
    for y, x in ends.tolist():
        pen.line([(x - arm, y), (x + arm, y)], fill=CALIPER, width=thick)
        pen.line([(x, y - arm), (x, y + arm)], fill=CALIPER, width=thick)
    for share in np.arange(0, 1, 5 * thick / max(length, 1)).tolist():
        x, y = round(column + share * (last_column - column)), round(row + share * (last_row - row))
        pen.rectangle([x, y, x + thick - 1, y + thick - 1], fill=CALIPER)


def _above(picture: PIL.Image.Image, lines: Sequence[str]) -> PIL.Image.Image:
    """The picture above a strip with the lines, broken where they are wider."""
    font = _font(picture.width)
    broken = [part for line in lines if line for part in _broken(line, font, picture.width - 8)]
    step = round(font.getbbox("Ag")[3]) + 4
    sheet = PIL.Image.new("RGB", (picture.width, picture.height + step * len(broken) + 6))
    sheet.paste(picture, (0, 0))
    pen = PIL.ImageDraw.Draw(sheet)
    for number, line in enumerate(broken):
        pen.text((4, picture.height + 2 + step * number), line, TEXT, font)
    return sheet


def _broken(line: str, font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont, width: int) -> list[str]:
    parts = [""]
    for word in line.split():
        longer = f"{parts[-1]} {word}".strip()
        if parts[-1] and font.getlength(longer) > width:
            parts.append(word)
        else:
            parts[-1] = longer
    return parts


def _panel(picture: PIL.Image.Image, title: str) -> PIL.Image.Image:
    scale = min(1.0, _PANEL / max(picture.size))
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    return _above(small, [title])


def _heat(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    anchors = np.linspace(0, 255, len(_HEAT))
    table = np.stack([np.interp(np.arange(256), anchors, channel) for channel in zip(*_HEAT, strict=True)], axis=1)
    return np.asarray(np.rint(table).astype(np.uint8)[np.rint(values.clip(0, 1) * 255).astype(np.uint8)])
