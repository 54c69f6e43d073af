"""The service: addresses, page, refusals in sentences, and what it needs while it lives."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from sonoseg import __version__
from sonoseg.errors import UserError
from sonoseg.prediction.predictor import NOTICE
from sonoseg.viewer import models
from sonoseg.viewer.api import cases, exporting, monailabel, predicting, service
from sonoseg.viewer.desk import Desk
from sonoseg.viewer.guard import Guard
from sonoseg.viewer.metrics import Counted
from sonoseg.viewer.models import Models
from sonoseg.viewer.refusals import QueueFull, Refusal, StoreUnavailable
from sonoseg.viewer.settings import Settings
from sonoseg.viewer.store import Store

STATIC = Path(__file__).parent / "static"

_log = logging.getLogger(__name__)


def create(settings: Settings, loaded: Models | None = None) -> FastAPI:
    """Make the service. loaded: its models; None loads them beside the first requests.

    Errors: ``UserError`` where two models have one name.
    """
    if loaded is None:
        models.called(settings.models)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        desk = app.state.desk = Desk(settings, _opened(settings), loaded)
        loading = asyncio.create_task(_load(desk)) if loaded is None else None
        yield
        if loading:
            await loading
        await asyncio.to_thread(desk.close)

    app = FastAPI(
        title="Sonoseg", version=__version__, lifespan=living, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", description=f"Outlines and measures breast lesions in ultrasound. {NOTICE}",
        separate_input_output_schemas=False,
    )  # fmt: skip
    for part in (service, predicting, cases, exporting, monailabel):
        app.include_router(part.router)
    app.get("/", include_in_schema=False)(_page)
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    app.add_middleware(Counted)
    app.add_middleware(Guard, settings=settings)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.openapi = partial(_openapi, app, app.openapi)  # type: ignore[method-assign]
    return app


def _opened(settings: Settings) -> Store | StoreUnavailable:
    try:
        return Store(settings.store)
    except StoreUnavailable as error:
        _log.error("%s; %s", error, error.hint)
        return error


async def _load(desk: Desk) -> None:
    wanted = desk.settings
    desk.models = await asyncio.to_thread(models.load, wanted.models, wanted.backend, wanted.threads, wanted.workers)


async def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


def _refused(status: int, message: str, hint: str = "", **headers: str) -> JSONResponse:
    return JSONResponse({"error": message, "hint": hint}, status, headers or None)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    later = {"Retry-After": "1"} if isinstance(error, QueueFull) else {}
    return _refused(error.status, str(error), error.hint, **later)


async def _on_user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    return _refused(422, str(error), error.hint)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods(request)))
        return _refused(405, f"{request.method} is not known here; {allowed} are", Allow=allowed)
    status = 422 if error.status_code == 400 else error.status_code  # a body that is not of its own kind
    return _refused(status, str(error.detail), **dict(error.headers or {}))


def _methods(request: Request) -> set[str]:
    """What may be done at an address; the framework tells of the first route alone."""
    route = getattr(request.scope.get("route"), "path", "")
    return {method.upper() for method in request.app.openapi()["paths"].get(route, {})} or {"GET"}


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _refused(422, f"{place}: {first['msg']}", "see /api/openapi.json")


async def _on_surprise(request: Request, error: Exception) -> Response:
    return _refused(500, f"unexpected {type(error).__name__}", "please report this")


_HANDLERS: dict[type[Exception], Any] = {
    Refusal: _on_refusal,
    UserError: _on_user_error,
    HTTPException: _on_http,
    RequestValidationError: _on_invalid,
    Exception: _on_surprise,
}


def _openapi(app: FastAPI, made: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Add what FastAPI does not know: the published schema of a document, and the token."""
    if app.openapi_schema:
        return app.openapi_schema
    described = made()
    text = files("sonoseg.delivery").joinpath("schema/prediction-1.json").read_text(encoding="utf-8")
    document = json.loads(text.replace("#/$defs/", "#/components/schemas/Prediction/$defs/"))
    schemas = described["components"]["schemas"]
    schemas["Prediction"] = {key: value for key, value in document.items() if key != "$schema"}
    here = {"$ref": "#/components/schemas/Prediction"}
    schemas["Predicted"]["properties"]["documents"]["items"] = here
    found = described["paths"]["/api/cases/{case}/frames/{number}/findings"]["get"]
    found["responses"]["200"]["content"]["application/json"]["schema"] = here
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"token": []}, {}]
    return described
