"""Sonoseg finds and outlines breast lesions in ultrasound images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonoseg.data.sets.sources import open_set as open_set
    from sonoseg.data.splits import split as split
    from sonoseg.errors import UserError as UserError
    from sonoseg.evaluation.single import measure as measure
    from sonoseg.experiments.scoring import score as score
    from sonoseg.images.image import Image as Image
    from sonoseg.images.pictures import read_image as read_image
    from sonoseg.prediction.lesions import Lesion as Lesion
    from sonoseg.prediction.modelfile import load as load
    from sonoseg.prediction.predictor import Prediction as Prediction
    from sonoseg.prediction.predictor import Predictor as Predictor

__version__ = "0.1.0"

_HOMES = {
    "load": "prediction.modelfile", "Predictor": "prediction.predictor", "Prediction": "prediction.predictor",
    "Lesion": "prediction.lesions", "Image": "images.image", "read_image": "images.pictures",
    "open_set": "data.sets.sources", "split": "data.splits", "score": "experiments.scoring",
    "measure": "evaluation.single", "UserError": "errors",
}  # fmt: skip

__all__ = [
    "Image", "Lesion", "Prediction", "Predictor", "UserError", "load", "measure", "open_set", "read_image", "score",
    "split",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``sonoseg --help`` waits for none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sonoseg' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"sonoseg.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        from sonoseg.errors import UserError, install

        missing = str(error.name).partition(".")[0]
        raise UserError(f"sonoseg.{name} needs {missing}, which is not installed", install("data")) from error


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
