"""Sonoseg finds and outlines breast lesions in ultrasound images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonoseg.images import Image as Image
    from sonoseg.images import read_image as read_image
    from sonoseg.lesions import Lesion as Lesion
    from sonoseg.modelfile import load as load
    from sonoseg.predictor import Prediction as Prediction
    from sonoseg.predictor import Predictor as Predictor

__version__ = "0.1.0"

_HOMES = {
    "load": "modelfile", "Predictor": "predictor", "Prediction": "predictor",
    "Lesion": "lesions", "Image": "images", "read_image": "images",
}  # fmt: skip

__all__ = ["Image", "Lesion", "Prediction", "Predictor", "load", "read_image"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``sonoseg --help`` waits for none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sonoseg' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sonoseg.{_HOMES[name]}"), name)
