"""What a model file says of itself: how to use it and where it came from; and what it may say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.prediction import onnxfile
from sonoseg.prediction.runtime import FLOAT32

FORMAT, VERSION = "sonoseg-model", 2

OLDER = 1
"""Files of this version have no digest, and are read as they are."""

USE = {
    "grey": "EXIF orientation applied; transparent pixels over black; colour to grey as (19595 R + 38470 G + 7471 B + "
    "32768) >> 16; more than 8 bits scaled to 0..255 by the smallest of 1 (floats), 255, 1023, 4095, 65535 that holds "
    "the maximum",
    "letterbox": "longest = max(height, width); rows = max(1, (2 height size + longest) div (2 longest)), columns "
    "likewise of width; top = (size - rows) div 2, left = (size - columns) div 2; the frame is 0 beside the image",
    "filter": "Pillow's BILINEAR: a triangle as wide as a pixel of the smaller picture, its weights divided by their "
    "sum; columns first, then rows, on uint8 with weights of 22 bits, each pass rounded half up to uint8",
    "input": "float32 (N, 1, size, size): grey / 255",
    "output": "logits, float32 (N, 1, size, size); probability = 1 / (1 + exp(-logit))",
    "mirrored": "if true, the mean of the image's probability and of its mirror image's, mirrored back, counts; of "
    "both presences as well",
    "inverse": "the rows and columns of the letterbox are cut out and brought to (height, width) by the same filter, "
    "on float32, columns first",
    "presence": "where there is this output: logits, float32 (N), as probabilities that there is a lesion at all",
    "mask": "probability >= threshold; empty where presence is below least_presence",
    "specks": "components of the mask, pixels touching by side or corner; one is left out where it has fewer pixels "
    "than smallest_lesion height width, or a mean probability below least_confidence, both judged before any is left "
    "out; holes stay",
}
"""How a mask comes of an image, for programs that are not this one; every number that it names is in the record."""

INT8 = "int8"
"""The precision of a file whose weights and activations are 8-bit integers."""

Record = dict[str, Any]
"""format, version, name, size, threshold, smallest_lesion (a share of the image's area), classes, provenance, scores,
licence (of the weights), trained_on (``digests`` of the images), use, precision and digest; docs/model-format.md tells
each. least_confidence, least_presence and mirrored, see ``Predictor``, may be left out."""


def read(content: bytes, path: Path) -> Record:
    """The record of a model file that may be used. path: for messages. Errors: ``UserError`` for any other one."""
    stranger = UserError(f"{path} is not a model of sonoseg", hint="give an .onnx file that `sonoseg export` wrote")
    try:
        record = onnxfile.record(content)
        external, loop = onnxfile.has_external_data(content), onnxfile.has_loop(content)
    except (ValueError, LookupError, RecursionError) as error:
        raise stranger from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise stranger
    if record.get("version") not in (OLDER, VERSION):
        raise UserError(
            f"{path} is a model of version {record.get('version')}; this program reads versions {OLDER} and {VERSION}",
            hint="export it again, or install the sonoseg that wrote it",
        )
    if record["version"] == VERSION and record.get("digest") != onnxfile.digest(content, record):
        raise UserError(
            f"{path} is damaged: its network and record are not those of its digest",
            hint="copy or download it again",
        )
    if external:
        raise UserError(f"{path} keeps weights in other files, which is not allowed", hint="save the model as one file")
    if loop:
        raise UserError(f"{path} holds a loop or a choice, which might never end", hint="export it again")
    wrong = [key for key, holds in _RULES.items() if not _holds(holds, record.get(key))]
    if wrong:
        found = ", ".join(f"{key} is {record.get(key)!r:.60}" for key in wrong)
        raise UserError(f"the record of {path} is not valid: {found}", hint="export it again")
    return record


_RULES = {
    "name": lambda value: isinstance(value, str) and bool(value),
    "size": lambda value: isinstance(value, int) and 16 <= value <= 4096,
    "threshold": lambda value: 0 < value < 1,
    "smallest_lesion": lambda value: 0 <= value < 1,
    "classes": lambda value: value == ["lesion"],
    "least_confidence": lambda value: value is None or 0 <= value < 1,
    "least_presence": lambda value: value is None or 0 <= value <= 1,
    "mirrored": lambda value: value in (None, False, True),
    "precision": lambda value: value in (None, FLOAT32, INT8),
}


def _holds(rule: Any, value: object) -> bool:
    try:
        return bool(rule(value))
    except TypeError:
        return False


def licence(record: Mapping[str, Any]) -> str:
    """Give the licence of the weights; files of the older version say that of the data in ``licence``."""
    return str(record.get("weights_licence", record["licence"]))
