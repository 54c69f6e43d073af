"""The one way from an image to its prediction, in the image's own frame, by any network given as a callable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sonoseg.frame import Letterbox
from sonoseg.images import Image

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""``float32 (N, 1, size, size)`` in [0, 1] -> logits, ``float32 (N, 1, size, size)``."""


@dataclass(frozen=True)
class Prediction:
    """What was found in one image.

    image: the image itself. probability: ``float32 (H, W)`` in [0, 1]. mask: ``bool (H, W)``; both of the image's size.
    """

    image: Image
    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]


class Predictor:
    """Letterbox, network, letterbox undone, threshold.

    network: see ``Network``. size: the frame's side in pixels. threshold: probabilities at or above it are lesion.
    """

    def __init__(self, network: Network, size: int, threshold: float = 0.5) -> None:
        self.network = network
        self.size = size
        self.threshold = threshold

    def predict(self, image: Image) -> Prediction:
        """Predict one image; the same as ``predict_batch`` of it alone."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Sequence[Image]) -> list[Prediction]:
        """Predict images of any sizes in one pass of the network, in their order."""
        boxes = [Letterbox(*image.shape, self.size) for image in images]
        frames = np.stack([box.fit(image.pixels) for box, image in zip(boxes, images, strict=True)])
        probabilities = expit(self.network(frames[:, None].astype(np.float32) / np.float32(255))[:, 0])
        return [
            self._prediction(image, box.undo(inner))
            for image, box, inner in zip(images, boxes, probabilities, strict=True)
        ]

    def _prediction(self, image: Image, probability: NDArray[np.float32]) -> Prediction:
        return Prediction(image, probability, probability >= self.threshold)
