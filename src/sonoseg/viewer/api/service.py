"""Whether the service is well, what it has done, and which models it offers."""

from collections.abc import Callable

from fastapi import APIRouter, Response

from sonoseg import __version__
from sonoseg.prediction.predictor import Predictor
from sonoseg.viewer.api.asked import AtDesk, refusals
from sonoseg.viewer.forms import Health, ModelInfo
from sonoseg.viewer.models import Broken
from sonoseg.viewer.refusals import Refusal

router = APIRouter(tags=["service"], responses=refusals())


@router.get("/api/health", summary="Whether it can work", responses={503: {"model": Health}})
def health(desk: AtDesk, response: Response) -> Health:
    """Say whether model and store can be used; the status is 503 where one of them cannot."""
    model, store = _said(lambda: desk.predictor().model.name), _said(lambda: str(desk.store.path))
    fine = isinstance(model, str) and isinstance(store, str)
    if not fine:
        response.status_code = 503
    return Health(
        status="ok" if fine else "starting" if desk.models is None else "degraded",
        version=__version__,
        model=str(model),
        store="ok" if isinstance(store, str) else str(store),
    )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(desk: AtDesk) -> Response:
    """Requests by route and status, times, and the length of the line."""
    return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/models", summary="Models that can be asked")
def models(desk: AtDesk) -> list[ModelInfo]:
    """List the models, with what their files say of themselves; one that cannot be used says why."""
    loaded = desk.models.loaded if desk.models else {}
    return [_info(name, found, number == 0) for number, (name, found) in enumerate(loaded.items())]


def _info(name: str, found: Predictor | Broken, default: bool) -> ModelInfo:
    if isinstance(found, Broken):
        return ModelInfo(name=name, default=default, error=f"{found.message}; {found.hint}")
    record = {key: value for key, value in found.model.record.items() if key != "trained_on"}
    return ModelInfo(
        name=name, default=default, checksum=found.model.checksum, backend=found.model.backend, size=found.size,
        threshold=found.threshold, smallest_lesion=found.smallest_lesion, least_confidence=found.least_confidence,
        least_presence=found.least_presence, record=record,
    )  # fmt: skip


def _said(ask: Callable[[], str]) -> str | Refusal:
    try:
        return ask()
    except Refusal as refusal:
        return refusal
