"""The one way from an image to its prediction, in the image's own frame, by any network given as a callable."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.images.image import Image, Window
from sonoseg.images.reading import Given, Spacing, as_image
from sonoseg.prediction.lesions import Lesion, measure, remove_specks
from sonoseg.prediction.letterbox import Letterbox, fit

Both = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Logits of the mask, ``float32 (N, 1, size, size)``, and of there being a lesion at all, ``float32 (N,)``."""

Network = Callable[[NDArray[np.float32]], NDArray[np.float32] | Both]
"""``float32 (N, 1, size, size)`` in [0, 1] -> ``Both``, or of it the mask's alone where the network tells no more."""

Gates = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
"""``float32 (1, 1, size, size)`` in [0, 1] -> attention by gate, each ``float32 (1, C, h, w)`` in [0, 1]."""

NOTICE = "Research use, not a medical device."
"""Stands where a result is shown."""


@dataclass(frozen=True)
class Model:
    """What made a prediction.

    name: as a person calls it. checksum: SHA-256 of its file, hexadecimal, or "". backend: what computes it.
    precision: of its arithmetic. record: what its file says of itself: provenance, scores, licence, what it was
    trained on.
    """

    name: str = "unnamed"
    checksum: str = ""
    backend: str = ""
    precision: str = ""
    record: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was found in one image.

    image: the image itself. probability: ``float32 (H, W)`` in [0, 1]. mask: ``bool (H, W)``; both of the image's size.
    presence: probability that there is a lesion at all, of several windows the highest; None where none is told.
    predictor: what found it, where that is known. A notebook shows it as a picture.
    """

    image: Image
    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    predictor: "Predictor | None" = None
    presence: float | None = None

    def __repr__(self) -> str:
        found = ", ".join(map(repr, self.lesions)) or "no lesion"
        return f"<Prediction for {self.image!r}: {found}; confidence {self.confidence:.2f}>"

    def _repr_png_(self) -> bytes:
        from sonoseg.delivery.saving import picture

        return picture(self)

    def save(self, folder: Path | str, name: str = "") -> list[Path]:
        """Write mask, overlay and JSON into a folder, as ``sonoseg predict`` does; see ``saving.save``."""
        from sonoseg.delivery.saving import save

        return save(self, Path(folder), name)

    @cached_property
    def confidence(self) -> float:
        """In [0, 1], see ``confidence``; where nothing is drawn and presence is told, 1 - presence."""
        if self.presence is not None and not self.mask.any():
            return 1 - self.presence
        return confidence(self.probability, self.mask)

    @cached_property
    def lesions(self) -> tuple[Lesion, ...]:
        """Largest first, in mm where the image's spacing is known; none is an answer."""
        return measure(self.mask, self.probability, self.image.spacing)


@dataclass(frozen=True)
class Predictor:
    """Letterbox, network, letterbox undone, threshold, specks removed, nothing drawn where presence is low.

    network: see ``Network``. size: the frame's side in pixels. threshold: probabilities at or above it are lesion.
    smallest_lesion: components of a smaller share of the image's area are removed as specks.
    least_confidence: components of a lower mean probability are removed as well.
    least_presence: nothing is drawn in an image, or a window of it, of a lower presence; None where none is told.
    mirrored: the mean of the probabilities of the image and of its mirror image, left for right, counts.
    gates: see ``Gates``; None where the network has none. model: what the results name.
    """

    network: Network = field(repr=False)
    size: int
    threshold: float = 0.5
    smallest_lesion: float = 0.0
    least_confidence: float = 0.0
    least_presence: float | None = None
    mirrored: bool = False
    gates: Gates | None = field(default=None, repr=False, compare=False)
    model: Model = Model()

    def predict(self, image: Given, spacing: Spacing = None) -> Prediction:
        """Predict one image, in whatever form ``as_image`` takes. spacing: mm per pixel, one length or (row, column).

        The same as ``predict_batch`` of it alone. Errors: ``UserError`` as ``as_image``.
        """
        return self.predict_batch([image], spacing)[0]

    def predict_batch(self, given: Sequence[Given], spacing: Spacing = None) -> list[Prediction]:
        """Predict images of any forms and sizes in one pass of the network, in their order; ``spacing`` is of all.

        Where an image says which windows show tissue, the network sees each of them alone and nothing else.
        """
        images = [as_image(each, spacing) for each in given]
        if not images:
            return []
        looked_at = [(image, window) for image in images for window in image.parts]
        boxes = [Letterbox(window.height, window.width, self.size) for _, window in looked_at]
        frames = self._frames(looked_at)
        if self.mirrored:
            frames = np.concatenate((frames, frames[..., ::-1]))
        answer = self.network(frames)
        logits, there = answer if isinstance(answer, tuple) else (answer, None)
        probabilities = _logistic(logits[:, 0])
        presences = None if there is None else _logistic(there)
        if self.mirrored:
            own, other = np.split(probabilities, 2)
            probabilities = np.float32(0.5) * (own + other[..., ::-1])
            presences = None if presences is None else np.mean(np.split(presences, 2), axis=0)
        told = [None] * len(boxes) if presences is None else map(float, presences)
        answers = iter([(box.undo(inner), one) for box, inner, one in zip(boxes, probabilities, told, strict=True)])
        return [self._prediction(image, answers) for image in images]

    def explain(self, given: Given) -> dict[str, NDArray[np.float32]]:
        """Where each attention gate lets the skip through, ``float32 (H, W)`` by name; empty without gates."""
        image, maps = as_image(given), dict[str, NDArray[np.float32]]()
        for window in image.parts if self.gates else ():
            assert self.gates is not None
            box = Letterbox(window.height, window.width, self.size)
            for name, gate in self.gates(self._frames([(image, window)])).items():
                whole = maps.setdefault(name, np.zeros(image.shape, np.float32))
                whole[window.part] = box.undo(_resized(gate[0].mean(axis=0), self.size))
        return maps

    def _frames(self, looked_at: Sequence[tuple[Image, Window]]) -> NDArray[np.float32]:
        frames = np.stack([fit(image, window, self.size) for image, window in looked_at])
        return frames[:, None].astype(np.float32) / np.float32(255)

    def _prediction(self, image: Image, answers: Iterator[tuple[NDArray[np.float32], float | None]]) -> Prediction:
        """Put the answers for the image's parts, map and presence, the next ones of ``answers``, where they belong."""
        if not image.windows:
            probability, presence = next(answers)
            return Prediction(image, probability, self._drawn(probability, presence), self, presence)
        probability, mask = np.zeros(image.shape, np.float32), np.zeros(image.shape, bool)
        told = []
        for window in image.windows:
            inner, presence = next(answers)
            probability[window.part], mask[window.part] = inner, self._drawn(inner, presence)
            told += [] if presence is None else [presence]
        return Prediction(image, probability, mask, self, max(told, default=None))

    def _drawn(self, probability: NDArray[np.float32], presence: float | None) -> NDArray[np.bool_]:
        if presence is not None and self.least_presence is not None and presence < self.least_presence:
            return np.zeros(probability.shape, bool)
        drawn = probability >= self.threshold
        return remove_specks(drawn, probability, self.smallest_lesion * probability.size, self.least_confidence)


def confidence(probability: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> float:
    """How sure a prediction is of itself, in [0, 1]: the Dice that it expects of its own mask.

    probability: ``float32 (H, W)``; mask: what was drawn of it, ``bool (H, W)``, or None for 0.5 and above. With p the
    probability and m the mask, 2 sum(p m) / (sum(p) + sum(m)): the soft Dice confidence of Borges, Pacheco and Silva
    (arXiv 2402.10665). Where nothing is drawn it is 1 - max(p): how sure it is that nothing had to be.
    """
    drawn = probability >= 0.5 if mask is None else mask
    if not drawn.any():
        return 1.0 - float(probability.max())
    agreed = float(probability[drawn].sum(dtype=np.float64))
    return 2 * agreed / (float(probability.sum(dtype=np.float64)) + int(np.count_nonzero(drawn)))


def _logistic(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits of any shape; written so that it cannot overflow."""
    half = np.float32(0.5)
    return np.asarray(half + half * np.tanh(half * logits), np.float32)


def _resized(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return Letterbox(size, size, values.shape[0]).undo(values)
