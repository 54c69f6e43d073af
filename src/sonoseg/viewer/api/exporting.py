"""What leaves the viewer: a file, or a zip."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from sonoseg.delivery.document import Document
from sonoseg.viewer import exports
from sonoseg.viewer.api.asked import AtDesk, CaseId, ModelName, Responses, refusals
from sonoseg.viewer.desk import Desk
from sonoseg.viewer.exports import File, Taken
from sonoseg.viewer.refusals import BadUpload, Refusal
from sonoseg.viewer.reviewed import Reviewed
from sonoseg.viewer.uploads import stem

router = APIRouter(tags=["export"])

Kind = Literal["mask", "overlay", "json", "csv", "coco", "nrrd", "seg", "sr"]

Kinds = Annotated[list[Kind], Query(min_length=1, max_length=20, description="What to write")]

Parts = AsyncIterator[list[File]]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ZIP: Responses = {200: {"content": {"application/zip": _BINARY}}}
_ANY: Responses = {
    200: {
        "content": {
            **dict.fromkeys(("application/zip", *sorted(set(exports.MEDIA.values()))), _BINARY),
            "application/json": {"schema": {"type": "object", "description": "A document by its schema, or COCO"}},
            "text/csv": {"schema": {"type": "string"}},
        }
    }
}


@router.get(
    "/api/cases/{case}/export",
    summary="Export a case",
    response_class=Response,
    responses={**_ANY, **refusals(404, 504)},
)
async def export_case(desk: AtDesk, case: CaseId, kinds: Kinds, model: ModelName = None) -> Response:
    """Give one file as it is, several as a zip; what cannot be written is told in the zip, or refused alone."""
    found = await desk.all_reviewed(case, model)
    written = await run_in_threadpool(_written, _taken(desk, case, found, model), sorted(set(kinds)))
    if len(written) == 1:
        ((name, content),) = written
        return _attached(Response(content, media_type=exports.MEDIA["." + name.rpartition(".")[2]]), name)
    packed = exports.zipped(_once(written))
    return _attached(StreamingResponse(packed, media_type="application/zip"), f"{stem(case, found[0].case.name)}.zip")


@router.get(
    "/api/export",
    summary="Export all cases, or those that are named",
    response_class=StreamingResponse,
    responses={**_ZIP, **refusals(404, 504)},
)
async def export_all(
    desk: AtDesk,
    kinds: Kinds,
    cases: Annotated[list[Annotated[int, Query(ge=1, le=(1 << 53) - 1)]], Query(max_length=1000)] = [],  # noqa: B006
    model: ModelName = None,
) -> Response:
    """Give a zip: a folder of files for each kind of thing, and tables of all."""
    desk.predictor(model)
    wanted = [desk.store.case(number).id for number in dict.fromkeys(cases)] or [
        each.case.id for each in desk.store.cases()
    ]
    packed = exports.zipped(_parts(desk, wanted, sorted(set(kinds)), model))
    return _attached(StreamingResponse(packed, media_type="application/zip"), "sonoseg.zip")


def _taken(desk: Desk, case: int, found: Sequence[Reviewed], model: str | None) -> Taken:
    return Taken(found, desk.predictor(model), partial(desk.store.content, case))


async def _parts(
    desk: Desk, cases: Sequence[int], kinds: Sequence[str], model: str | None
) -> AsyncIterator[list[File]]:
    told, left_out = list[Document](), list[str]()
    predictor = desk.predictor(model)
    for case in cases:
        try:
            found = await desk.all_reviewed(case, model)
        except Refusal as refusal:  # forgotten meanwhile, or the line is full: the others are written
            left_out.append(f"{case:04}: {refusal}; {refusal.hint}")
            continue
        told += await run_in_threadpool(exports.documents, found, predictor)
        written, why = await run_in_threadpool(exports.files, _taken(desk, case, found, model), kinds)
        left_out += why
        yield written
    yield [*exports.tables(told, kinds), *exports.sentences(left_out)]


def _written(case: Taken, kinds: Sequence[str]) -> list[File]:
    told = exports.documents(case.frames, case.predictor) if {"csv", "coco"} & set(kinds) else []
    written, left_out = exports.files(case, kinds)
    written += exports.tables(told, kinds)
    if not written:
        raise BadUpload(
            ". ".join(left_out) or "there is nothing of this kind to write of a clip", "export something else"
        )
    return [*written, *exports.sentences(left_out)]


async def _once(files: list[File]) -> AsyncIterator[list[File]]:
    yield files


def _attached(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
