"""What many addresses share: the desk, their parameters, and the refusals that they tell of."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from sonoseg.viewer.desk import Desk
from sonoseg.viewer.forms import Problem

_MOST = (1 << 53) - 1

Responses = dict[int | str, dict[str, Any]]


def refusals(*statuses: int) -> Responses:
    """Describe refusals; those of the guard, and of what is not understood, can meet everybody."""
    return {status: {"model": Problem, "description": _SAID[status]} for status in sorted({*_ALWAYS, *statuses})}


_ALWAYS = (401, 403, 408, 413, 422, 503)

_SAID = {
    401: "A token is needed",
    403: "Asked by another site, or under a name that is not this service's",
    404: "It is not there",
    408: "The request came too slowly",
    409: "Somebody changed meanwhile what it was made of",
    413: "The request is too large",
    422: "It is not understood, or cannot be used",
    503: "Too much to do, or a model or the store cannot be used",
    504: "It took too long",
}


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
CaseId = Annotated[int, Path(ge=1, le=_MOST, description="Number of a case", examples=[1])]
FrameNumber = Annotated[int, Path(ge=1, le=_MOST, description="Of the image in its case, from 1", examples=[1])]
ModelName = Annotated[
    str | None, Query(max_length=200, description="As /api/models names it; the default one if left out")
]
ModelPath = Annotated[str, Path(max_length=200, description="As /api/models names it")]
