"""Files that are kept: opened, looked at, corrected, judged."""

import gzip
import json
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, UploadFile

from sonoseg.images import masks
from sonoseg.images.reading import check_spacing
from sonoseg.viewer.api.asked import AtDesk, CaseId, FrameNumber, ModelName, Responses, refusals
from sonoseg.viewer.forms import (
    CaseDetails,
    CaseInfo,
    CorrectionForm,
    CorrectionInfo,
    CurrentMask,
    DecisionForm,
    DecisionInfo,
    FrameInfo,
    Opened,
    Saved,
    Spacing,
    listed,
)  # fmt: skip
from sonoseg.viewer.forms import Runs as RunsForm
from sonoseg.viewer.frames import thumbnail, windows_of
from sonoseg.viewer.records import Correction
from sonoseg.viewer.refusals import BadUpload

router = APIRouter(prefix="/api/cases", tags=["cases"], responses=refusals(404))

_PNG: Responses = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}
_IMAGE: Responses = {
    200: {
        **_PNG[200],
        "headers": {
            "Sonoseg-Windows": {
                "description": "JSON: the parts that show tissue, each [top, left, height, width]; none for all of it",
                "schema": {"type": "string"},
            }
        },
    }
}
_STEPS: Responses = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "Sonoseg-Presence": {
                "description": "How probable it is that there is a lesion at all, where the model tells it",
                "schema": {"type": "number", "minimum": 0, "maximum": 1},
            }
        },
    }
}


@router.post("", summary="Open a file as a case", status_code=201, responses={200: {"model": Opened}, **refusals(504)})
async def add_case(desk: AtDesk, file: UploadFile, response: Response) -> Opened:
    """Keep a file with its images; a file that is there already is found by its content, with status 200."""
    case, new = await desk.open_case(file.filename, file.file.read)
    response.status_code = 201 if new else 200
    return Opened(id=case.id, name=case.name, frames=case.frames, new=new)


@router.get("", summary="List cases")
def list_cases(
    desk: AtDesk,
    after: Annotated[int, Query(ge=0, le=(1 << 53) - 1, description="Only those with a higher number")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> list[CaseInfo]:
    """List cases in the order in which they came."""
    return [listed(each) for each in desk.store.cases(after, limit)]


@router.get("/{case}", summary="A case with its history")
def get_case(desk: AtDesk, case: CaseId) -> CaseDetails:
    """Give a case, its frames, and who did what to it, and when."""
    store = desk.store
    found = store.case(case)
    return CaseDetails(
        id=found.id, name=found.name, sha256=found.sha256, added=found.added, spacing=found.spacing,
        frames=[
            FrameInfo(number=f.number, height=f.height, width=f.width, spacing=f.spacing, seconds=f.seconds)
            for f in store.frames(case)
        ],
        corrections=[_info(each) for each in store.corrections(case)],
        decisions=[DecisionInfo(**vars(each)) for each in store.decisions(case)],
    )  # fmt: skip


@router.delete("/{case}", summary="Forget a case", status_code=204)
def remove_case(desk: AtDesk, case: CaseId) -> None:
    """Forget a case and all that belongs to it."""
    desk.store.remove_case(case)


@router.put("/{case}/spacing", summary="Say how large a pixel is", status_code=204)
def set_spacing(desk: AtDesk, case: CaseId, spacing: Spacing) -> None:
    """Keep the size of a pixel as a reader measured it; it counts before the file's."""
    measured = spacing.row, spacing.column
    for frame in desk.store.frames(case):
        check_spacing((frame.height, frame.width), measured, "the image")
    desk.store.set_spacing(case, measured)


@router.delete("/{case}/spacing", summary="Take the file's pixel size again", status_code=204)
def forget_spacing(desk: AtDesk, case: CaseId) -> None:
    """Forget what a reader measured."""
    desk.store.set_spacing(case, None)


@router.get("/{case}/thumbnail", summary="A small picture", response_class=Response, responses=_PNG)
def get_thumbnail(desk: AtDesk, case: CaseId) -> Response:
    """Give the first image, at most 96 pixels a side."""
    return Response(thumbnail(desk.store.frame(case, 1)), media_type="image/png")


@router.get("/{case}/frames/{number}/image", summary="An image", response_class=Response, responses=_IMAGE)
def get_image(desk: AtDesk, case: CaseId, number: FrameNumber) -> Response:
    """Give an image as a grey PNG."""
    frame = desk.store.frame(case, number)
    return Response(frame.picture, media_type="image/png", headers={"Sonoseg-Windows": json.dumps(windows_of(frame))})


@router.get(
    "/{case}/frames/{number}/probability",
    summary="The probability map",
    response_class=Response,
    responses={**_STEPS, **refusals(404, 504)},
)
async def get_probability(
    desk: AtDesk,
    case: CaseId,
    number: FrameNumber,
    model: ModelName = None,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Give the probability of each pixel, row by row, as little-endian 16-bit whole steps of 1 / 50,000."""
    found = await desk.predicted(case, number, model)
    content = found.probability
    headers = {} if found.presence is None else {"Sonoseg-Presence": str(found.presence)}
    if "gzip" in accept_encoding:
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    else:
        content = gzip.decompress(content)
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/{case}/frames/{number}/mask", summary="The mask as it stands", responses=refusals(404, 504))
async def get_mask(desk: AtDesk, case: CaseId, number: FrameNumber, model: ModelName = None) -> CurrentMask:
    """Give the last correction, or what was predicted."""
    found = await desk.reviewed(case, number, model)
    last = found.correction
    mask = RunsForm(**(last or found.stored).mask)
    return CurrentMask(mask=mask, by=last.reader if last else None, at=last.at if last else None)


@router.put("/{case}/frames/{number}/mask", summary="Save a correction", responses=refusals(409))
def save_mask(desk: AtDesk, case: CaseId, number: FrameNumber, form: CorrectionForm) -> Saved:
    """Keep a mask as a reader left it after a stroke. When this answers, it is on the disk."""
    frame = desk.store.frame(case, number)
    try:
        masks.decode(form.mask.model_dump(), (frame.height, frame.width))
    except ValueError as error:
        raise BadUpload(f"the mask does not fit: {error}", "send the image's own size") from error
    added = desk.store.add_correction(case, number, form.reader, form.action, form.mask.model_dump(), form.after)
    return Saved(id=added)


@router.post("/{case}/frames/{number}/decisions", summary="Accept, reject or comment", status_code=201)
def decide(
    desk: AtDesk, case: CaseId, number: FrameNumber, form: DecisionForm, model: ModelName = None
) -> DecisionInfo:
    """Keep what a reader decided about a frame. model: whose outline the reader saw."""
    seen = desk.predictor(model).model.checksum
    desk.store.add_decision(case, number, form.reader, form.decision, form.comment, seen)
    return DecisionInfo(**vars(desk.store.decisions(case, number)[-1]))


@router.get("/{case}/frames/{number}/findings", summary="Measures of the mask as it stands", responses=refusals(504))
async def get_findings(desk: AtDesk, case: CaseId, number: FrameNumber, model: ModelName = None) -> dict[str, object]:
    """Give the document of a frame, by the published schema."""
    found = await desk.reviewed(case, number, model)
    return found.describe(desk.predictor(model))


def _info(each: Correction) -> CorrectionInfo:
    return CorrectionInfo(id=each.id, number=each.number, reader=each.reader, at=each.at, action=each.action)
