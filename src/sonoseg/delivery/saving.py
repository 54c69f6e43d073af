"""One prediction in Python -> the files that ``sonoseg predict`` writes, and the picture that a notebook shows."""

import hashlib
from pathlib import Path

from sonoseg.delivery import document, overlay
from sonoseg.delivery.document import Source
from sonoseg.errors import UserError
from sonoseg.files import checksum, write_all
from sonoseg.images.pictures import encode_mask, encode_png
from sonoseg.prediction.predictor import Prediction


def picture(prediction: Prediction) -> bytes:
    """Encode the scan with outlines, calipers and the notice as PNG."""
    return encode_png(overlay.draw(prediction, []))


def save(prediction: Prediction, folder: Path, name: str = "") -> list[Path]:
    """Write ``NAME_mask.png``, ``NAME_overlay.png`` and ``NAME.json`` into a folder, all or none; gives their paths.

    name: the stem of the image's file if left out, or "prediction". The ``sha256`` of the JSON is of the image's file,
    or of its pixels where there is none. What stands is replaced. Errors: ``UserError`` where the predictor is unknown.
    """
    if prediction.predictor is None:
        raise UserError("this prediction does not say what made it", hint="save one that a predictor gave")
    image, origin = prediction.image, Path(prediction.image.source)
    base = folder / (name or origin.stem or "prediction")
    from_file = bool(image.source) and origin.is_file()
    source = Source(
        origin.name if from_file else base.name,
        checksum(origin) if from_file else hashlib.sha256(image.pixels.tobytes()).hexdigest(),
        image.spacing,
    )
    mask, drawn, told = (base.with_name(base.name + end) for end in ("_mask.png", "_overlay.png", ".json"))
    outputs = {"mask": mask.name, "overlay": drawn.name}
    described = document.describe(image, prediction.predictor, source, outputs, document.findings(prediction))
    sentences = encode_png(overlay.draw(prediction, document.sentences(described)))
    write_all({mask: encode_mask(prediction.mask), drawn: sentences, told: document.encoded(described)})
    return [mask, drawn, told]
