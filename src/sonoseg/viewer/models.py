"""The models that a service offers: loaded once, beside the page; one that fails says why, the others work."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonoseg.errors import UserError
from sonoseg.prediction import modelfile
from sonoseg.prediction.predictor import Predictor
from sonoseg.viewer.refusals import ModelUnavailable, NotThere

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broken:
    """A model that could not be loaded, and why."""

    message: str
    hint: str


class Models:
    """Predictors by the name that the user gave; the first one is the default."""

    def __init__(self, loaded: Mapping[str, Predictor | Broken]) -> None:
        self.loaded = dict(loaded)

    def get(self, name: str | None = None) -> Predictor:
        """Give a predictor. Errors: ``NotThere``, ``ModelUnavailable``."""
        found = self.loaded.get(next(iter(self.loaded)) if name is None else name)
        if found is None:
            raise NotThere(f"there is no model of this name; there are {', '.join(self.loaded)}", "ask /api/models")
        if isinstance(found, Broken):
            raise ModelUnavailable(found.message, found.hint)
        return found


def load(names: Sequence[str], backend: str | None, threads: int | None, parallel: int) -> Models:
    """Load models; what fails is told when it is asked for. parallel: images at the same time.

    Errors: as ``called``.
    """
    found: dict[str, Predictor | Broken] = {}
    for short, name in called(names).items():
        try:
            predictor = found[short] = modelfile.load(name, backend, threads, parallel)
            predictor.predict(np.zeros((64, 64), np.uint8))  # the first one is slow
        except UserError as error:
            _log.warning("a model cannot be used: %s", error)
            found[short] = Broken(str(error), error.hint)
    return Models(found)


def called(names: Sequence[str]) -> dict[str, str]:
    """Give models by the names that people choose by. Errors: ``UserError`` where two would have the same."""
    found = dict[str, str]()
    for name in names:
        short = _short(name)
        if short in found:
            raise UserError(
                f"two models would both be called {short}: {found[short]} and {name}",
                hint="rename one of the files, or give it once",
            )
        found[short] = name
    return found


def _short(name: str) -> str:
    """A name that fits into an address: of a path or URL its last part, without suffix."""
    return name.partition("#")[0].replace("\\", "/").rpartition("/")[2].removesuffix(".onnx") or "model"
