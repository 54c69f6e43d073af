"""Where requests meet store, models and line: opens files as cases, and predicts what was not predicted yet."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.concurrency import run_in_threadpool

from sonoseg.delivery import document
from sonoseg.delivery.document import Document, Source
from sonoseg.images import masks
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Prediction, Predictor
from sonoseg.viewer import coding, uploads
from sonoseg.viewer.frames import image_of, picture_of
from sonoseg.viewer.metrics import Metrics
from sonoseg.viewer.models import Models
from sonoseg.viewer.queue import Queue
from sonoseg.viewer.records import Case, Frame, Stored
from sonoseg.viewer.refusals import ModelUnavailable, StoreUnavailable
from sonoseg.viewer.reviewed import Reviewed, reviewed
from sonoseg.viewer.settings import Settings
from sonoseg.viewer.store import Store

Spacing = tuple[float, float] | None


class Desk:
    """All that a service has. models is None while they load; store is the error where it could not be opened."""

    def __init__(self, settings: Settings, store: Store | StoreUnavailable, models: Models | None = None) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.queue = Queue(settings.workers, settings.waiting, settings.seconds)
        self.metrics.watch(lambda: self.queue.length)
        self._store, self.models = store, models

    @property
    def store(self) -> Store:
        """The open store. Errors: ``StoreUnavailable``."""
        if isinstance(self._store, StoreUnavailable):
            raise self._store
        return self._store

    def predictor(self, model: str | None = None) -> Predictor:
        """Give a model. Errors: ``NotThere`` for a name that is not known, ``ModelUnavailable``."""
        if self.models is None:
            raise ModelUnavailable("the models are still being loaded", "try again in a moment")
        return self.models.get(model)

    def close(self) -> None:
        """Let running work end and close the store."""
        self.queue.close()
        if isinstance(self._store, Store):
            self._store.close()

    async def open_case(self, name: str | None, read: Callable[[], bytes]) -> tuple[Case, bool]:
        """Make a case of a file, or find the one that it has already; whether it is new. Errors: as ``uploads.items``.

        read: gives the file's bytes.
        """
        return await self.queue.run(partial(self._open, uploads.shown(name), read, self.store))

    def _open(self, name: str, read: Callable[[], bytes], store: Store) -> tuple[Case, bool]:
        content = read()
        sha256 = hashlib.sha256(content).hexdigest()
        if known := store.find_case(sha256):
            return known, False
        return store.add_case(name, sha256, content, self._frames(content), uploads.series_of(content)), True

    def _frames(self, content: bytes) -> list[Frame]:
        return [
            Frame(
                item.number, *item.image.shape, picture_of(item.image), item.image.spacing, item.seconds,
                item.rate, item.image.coloured,
            )
            for item in uploads.items(content, self.settings)
        ]  # fmt: skip

    async def predicted(self, case: int, number: int, model: str | None = None) -> Stored:
        """Give the prediction of a frame, made now where there is none. Errors: ``NotThere``, and as ``predictor``."""
        predictor, store = self.predictor(model), self.store
        found = await run_in_threadpool(store.prediction, case, number, predictor.model.checksum)
        if found is None:
            frame = await run_in_threadpool(store.frame, case, number)
            found = await self.queue.run(partial(self._predict, frame, predictor))
            await run_in_threadpool(store.add_prediction, case, number, found)
        return found

    def _predict(self, frame: Frame, predictor: Predictor) -> Stored:
        prediction = self.timed(predictor, image_of(frame))
        model = predictor.model
        mask, probability = masks.encode(prediction.mask), coding.pack(prediction.probability)
        lesions, presence = len(prediction.lesions), prediction.presence
        return Stored(model.checksum, model.name, mask, lesions, probability, presence=presence)

    async def reviewed(self, case: int, number: int, model: str | None = None) -> Reviewed:
        """Give a frame as it stands, predicted now where it was not. Errors: as ``predicted``."""
        stored = await self.predicted(case, number, model)
        return await run_in_threadpool(lambda: reviewed(self.store, self.store.case(case), number, stored))

    async def all_reviewed(self, case: int, model: str | None = None) -> list[Reviewed]:
        """Give all frames of a case as they stand. Errors: as ``predicted``."""
        frames = await run_in_threadpool(self.store.frames, case)
        return [await self.reviewed(case, frame.number, model) for frame in frames]

    async def all_predicted(self, case: int, model: str | None = None) -> list[Reviewed]:
        """Give all frames of a case as they were predicted, whatever readers made of them. Errors: as ``predicted``."""
        found = await self.all_reviewed(case, model)
        return [replace(each, correction=None, judgement=None) for each in found]

    async def glimpse(self, name: str | None, read: Callable[[], bytes], model: str | None) -> list[Reviewed]:
        """Predict all frames of a file, and keep nothing. Errors: as ``uploads.items``, and as ``predictor``."""
        return await self.queue.run(partial(self._glimpse, uploads.shown(name), read, self.predictor(model)))

    def _glimpse(self, name: str, read: Callable[[], bytes], predictor: Predictor) -> list[Reviewed]:
        content = read()
        frames = self._frames(content)
        case = Case(0, name, hashlib.sha256(content).hexdigest(), "", len(frames))
        return [Reviewed(case, frame, self._predict(frame, predictor)) for frame in frames]

    async def describe(
        self, file: str, read: Callable[[], bytes], spacing: Spacing, model: str | None
    ) -> list[Document]:
        """Say what is found in a file, and keep nothing: a document for each page, or one for a clip."""
        return await self.queue.run(partial(self._describe, file, read, spacing, self.predictor(model)))

    def _describe(self, file: str, read: Callable[[], bytes], spacing: Spacing, predictor: Predictor) -> list[Document]:
        content = read()
        source = Source(file, hashlib.sha256(content).hexdigest(), spacing)
        documents, frames, first = list[Document](), list[Document](), None
        for item in uploads.items(content, self.settings, spacing):
            found = document.findings(self.timed(predictor, item.image))
            first = first or item.image
            if item.seconds is not None:
                frames.append({"frame": item.number, "seconds": round(item.seconds, 4), **found})
            else:
                page = replace(source, page=item.number, pages=item.of or 1)
                documents.append(document.describe(item.image, predictor, page, {}, found))
        if frames and first is not None:
            documents.append(document.describe(first, predictor, source, {}, {"frames": frames}))
        return documents

    def timed(self, predictor: Predictor, image: Image) -> Prediction:
        """Predict, and count it."""
        start = time.perf_counter()
        prediction = predictor.predict(image)
        _ = prediction.lesions
        self.metrics.predicted(time.perf_counter() - start)
        return prediction
