"""A frame as it stands after review: the image, what was predicted, what a reader made of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoseg.delivery import document
from sonoseg.delivery.document import Document, Source
from sonoseg.images import masks
from sonoseg.prediction.predictor import Prediction, Predictor
from sonoseg.viewer import coding
from sonoseg.viewer.frames import image_of
from sonoseg.viewer.records import Case, Correction, Frame, Judgement, Stored
from sonoseg.viewer.store import Store


@dataclass(frozen=True)
class Reviewed:
    """One frame. stored: its prediction. correction: what stands in its place; judgement: the last one; or None."""

    case: Case
    frame: Frame
    stored: Stored
    correction: Correction | None = None
    judgement: Judgement | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.frame.height, self.frame.width

    @property
    def first(self) -> NDArray[np.bool_]:
        """What was predicted, ``bool (H, W)``."""
        return masks.decode(self.stored.mask, self.shape)

    @property
    def final(self) -> NDArray[np.bool_]:
        """What stands now, ``bool (H, W)``."""
        return masks.decode((self.correction or self.stored).mask, self.shape)

    @property
    def prediction(self) -> Prediction:
        """The mask as it stands, as a prediction: with lesions and measures."""
        probability = coding.unpack(self.stored.probability, *self.shape)
        image = image_of(self.frame, self.case.spacing)
        return Prediction(image, probability, self.final, presence=self.stored.presence)

    def findings(self) -> Document:
        """Say what stands, by the published schema; ``review`` tells what people did."""
        return {**document.findings(self.prediction), **self._review()}

    @property
    def source(self) -> Source:
        """Where the frame comes from."""
        return Source(self.case.name, self.case.sha256, self.case.spacing, self.frame.number, self.case.frames)

    @property
    def last(self) -> int:
        """Number of the correction that stands, 0 where there is none."""
        return self.correction.id if self.correction else 0

    def describe(self, predictor: Predictor) -> Document:
        """Put it into a whole document, for a page."""
        return document.describe(self.prediction.image, predictor, self.source, {}, self.findings())

    def _review(self) -> Document:
        told: Document = {}
        if self.correction:
            told["corrected"] = {"reader": self.correction.reader, "at": self.correction.at}
        if self.judgement:
            told["decision"] = {
                "reader": self.judgement.reader,
                "at": self.judgement.at,
                "decision": self.judgement.decision,
                "comment": self.judgement.comment,
            }
        return {"review": told} if told else {}


def reviewed(store: Store, case: Case, number: int, stored: Stored) -> Reviewed:
    """Put together what the store holds about a frame; strokes that were all taken back correct nothing.

    What was decided about the outline of another model, which nobody corrected, is not said of this one.
    Errors: ``NotThere``.
    """
    decisions, correction = store.decisions(case.id, number), store.correction(case.id, number)
    judgement = decisions[-1] if decisions else None
    if judgement and not correction and judgement.checksum not in {None, stored.checksum}:
        judgement = None
    if correction and correction.mask == stored.mask:
        correction = None
    return Reviewed(case, store.frame(case.id, number), stored, correction, judgement)
