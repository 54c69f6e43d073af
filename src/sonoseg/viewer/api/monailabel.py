"""The interface of MONAI Label 0.8.5, by which 3D Slicer's module and OHIF ask for a segmentation and send labels.

An image that is sent becomes a case, as one that is dropped on the page does; a session is the number of a case. OHIF
names a DICOM series, which is that of the latest case of it.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool

from sonoseg import __version__
from sonoseg.images import masks
from sonoseg.prediction.predictor import NOTICE, Predictor
from sonoseg.viewer import exports, uploads, volumes
from sonoseg.viewer.api.asked import AtDesk, ModelPath, Responses, refusals
from sonoseg.viewer.desk import Desk
from sonoseg.viewer.exports import Taken
from sonoseg.viewer.forms import LabelInfo, LabelSaved, Named, Session, SessionOpened
from sonoseg.viewer.models import Broken
from sonoseg.viewer.records import Case
from sonoseg.viewer.refusals import BadUpload
from sonoseg.viewer.reviewed import Reviewed

router = APIRouter(tags=["MONAI Label"], responses=refusals())

LABELS = {"background": 0, "lesion": 1}

READER = "MONAI Label"
"""Who is said to have drawn a label where nobody says."""

ImageName = Annotated[str, Query(max_length=200, description="Name of an image that was sent, or a SeriesInstanceUID")]
Told = Annotated[str, Form(max_length=100_000, description="A JSON object")]

_BYTES = "application/octet-stream"
Unused = Annotated[Any, WithJsonSchema({"contentMediaType": _BYTES, "description": "Not used"}), File()]
UsedAlone = Annotated[
    UploadFile | None,
    WithJsonSchema({"contentMediaType": _BYTES, "description": "The image, where no session is named"}),
    File(),
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FOUND: Responses = {
    200: {
        "content": {
            "multipart/form-data": {"schema": {"type": "object"}},
            "application/json": {"schema": {"type": "object"}},
            _BYTES: _BINARY,
            "application/dicom": _BINARY,
        }
    }
}


class Wanted(BaseModel):
    """What of ``params`` counts here: the form of the answer. OHIF wants ``.nrrd``, uint16, not compressed."""

    result_extension: Literal[".nii.gz", ".nrrd"] = ".nii.gz"
    result_dtype: Literal["uint8", "uint16"] = "uint8"


@router.get("/info/", summary="What the service offers")
def info(desk: AtDesk) -> LabelInfo:
    """List the models that can be asked."""
    loaded = desk.models.loaded if desk.models else {}
    cases = desk.store.cases()
    return LabelInfo(
        name="Sonoseg",
        description=f"Breast lesions in ultrasound. {NOTICE}",
        version=__version__,
        labels=list(LABELS),
        models={name: _model(found) for name, found in loaded.items() if not isinstance(found, Broken)},
        datastore={"total": len(cases), "completed": sum(each.corrected > 0 for each in cases)},
    )


@router.put("/session/", summary="Send an image", responses=refusals(504))
async def open_session(desk: AtDesk, files: list[UploadFile]) -> SessionOpened:
    """Keep an image as a case; its number is the session."""
    if len(files) != 1:
        raise BadUpload(f"{len(files)} files came for one session", "send one volume, picture, clip or DICOM file")
    case, _ = await desk.open_case(files[0].filename, files[0].file.read)
    return SessionOpened(session_id=str(case.id), session_info=_session(case))


@router.get("/session/{session_id}", summary="A session", responses=refusals(404))
def get_session(desk: AtDesk, session_id: str) -> Session:
    """Say what was sent."""
    return _session(_case(desk, "", session_id))


@router.delete("/session/{session_id}", summary="Forget a session", responses=refusals(404))
def close_session(desk: AtDesk, session_id: str) -> Session:
    """Forget what was sent, unless somebody corrected or judged it."""
    case = _case(desk, "", session_id)
    if not desk.store.corrections(case.id) and not desk.store.decisions(case.id):
        desk.store.remove_case(case.id)
    return _session(case)


@router.put("/datastore/", summary="Send an image under a name", responses=refusals(504))
@router.put("/datastore/image", summary="Send an image under a name", responses=refusals(504))
async def add_image(desk: AtDesk, file: UploadFile, image: ImageName = "", params: Told = "{}") -> Named:
    """Keep an image as a case of this name; one that is there already is called so from now on."""
    _object(params)
    name = uploads.shown(image or file.filename)
    case, new = await desk.open_case(name, file.file.read)
    if not new and case.name != name:
        await run_in_threadpool(desk.store.rename, case.id, name)
    return Named(image=name)


@router.put("/datastore/label", summary="Send what was drawn", responses=refusals(404, 504))
async def save_label(
    desk: AtDesk,
    label: UploadFile,
    image: ImageName,
    tag: Annotated[str, Query(max_length=80)] = "",
    params: Told = "{}",
) -> LabelSaved:
    """Keep a label as a correction of every frame of its image. tag: kept as what was done."""
    said = _object(params).get("client_id")
    reader = uploads.shown(said)[:80] if isinstance(said, str) and said else READER
    case = await run_in_threadpool(_case, desk, image, "")
    await desk.queue.run(partial(_correct, desk, case, label.file.read, reader, uploads.shown(tag or "label")[:40]))
    return LabelSaved(image=image, label=image)


@router.post(
    "/infer/{model}",
    summary="Segment an image",
    response_class=Response,
    responses={**_FOUND, **refusals(404, 504)},
)
async def infer(
    desk: AtDesk,
    model: ModelPath,
    image: ImageName = "",
    session_id: Annotated[str, Query(max_length=200)] = "",
    output: Literal["image", "json", "all", "dicom_seg"] = "all",
    params: Told = "{}",
    file: UsedAlone = None,
    label: Unused = None,
) -> Response:
    """Give labels in the size and place of the image, findings, or both as multipart.

    The image is a session, the file that comes along, which is not kept, or one that is kept.
    """
    wanted, predictor = _wanted(params), desk.predictor(model)
    if file and not session_id:
        content: Callable[[], bytes] = partial(_again, file)
        found = await desk.glimpse(file.filename, content, model)
    else:
        case = await run_in_threadpool(_case, desk, image, session_id)
        content = partial(desk.store.content, case.id)
        found = await desk.all_predicted(case.id, model)
    return await run_in_threadpool(_answer, desk, Taken(found, predictor, content), wanted, output)


def _answer(desk: Desk, taken: Taken, wanted: Wanted, output: str) -> Response:
    if output == "dicom_seg":
        files, why = exports.files(taken, ["seg"])
        if not files:
            raise BadUpload("; ".join(why))
        return _attached(files[0][1], "application/dicom", files[0][0])
    told = _told(taken.frames, taken.predictor)
    if output == "json":
        return JSONResponse(told)
    name = uploads.stem(taken.frames[0].case.id, taken.frames[0].case.name) + wanted.result_extension
    labels = _labels(desk, taken, wanted)
    if output == "image":
        return _attached(labels, _BYTES, name)
    limit = token_hex(16)
    parts = (
        ('name="params"', "application/json", json.dumps(told).encode()),
        (f'name="image"; filename="{name}"', _BYTES, labels),
    )
    body = b"".join(
        f"--{limit}\r\nContent-Disposition: form-data; {which}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + part
        + b"\r\n"
        for which, kind, part in parts
    )
    return Response(body + f"--{limit}--\r\n".encode(), media_type=f"multipart/form-data; boundary={limit}")


def _labels(desk: Desk, taken: Taken, wanted: Wanted) -> bytes:
    """All frames as one volume, where the image lies."""
    first, content = taken.frames[0], taken.content()
    if any(each.shape != first.shape for each in taken.frames):
        raise BadUpload("its pages differ in size, and no volume holds them", "send them one by one")
    stack: NDArray[Any] = np.stack([each.final for each in taken.frames]).astype(
        f"<{np.dtype(wanted.result_dtype).str[1:]}"
    )
    if volumes.is_volume(content):
        affine = volumes.read(content, uploads.volume_limit(desk.settings)).affine
    else:
        affine = volumes.plane(first.case.spacing or first.frame.spacing)
    return volumes.plain_nrrd(stack, affine) if wanted.result_extension == ".nrrd" else volumes.nifti(stack, affine)


def _told(frames: Sequence[Reviewed], predictor: Predictor) -> dict[str, Any]:
    """What is said beside the labels. centroids: of the largest lesion of the first frame that has one, for OHIF."""
    found = [{"frame": each.frame.number, **each.findings()} for each in frames]
    drawn = [(each["frame"], each["lesions"][0]["centroid"]) for each in found if each["lesions"]]
    centroids = {"lesion": ["1", *(str(value) for value in (*drawn[0][1], drawn[0][0] - 1))]} if drawn else {}
    names = {"label_names": LABELS, "centroids": centroids, "model": predictor.model.name, "notice": NOTICE}
    return {**names, "frames": found}


def _correct(desk: Desk, case: Case, read: Callable[[], bytes], reader: str, action: str) -> None:
    frames = desk.store.frames(case.id)
    if len({(each.height, each.width) for each in frames}) > 1:
        raise BadUpload("the pages of this image differ in size, and no volume holds them", "correct them on the page")
    shape = (len(frames), frames[0].height, frames[0].width)
    drawn = volumes.labels(read(), shape, uploads.volume_limit(desk.settings))
    for frame, mask in zip(frames, drawn, strict=True):
        desk.store.add_correction(case.id, frame.number, reader, action, masks.encode(mask))


def _case(desk: Desk, image: str, session_id: str) -> Case:
    """The case that is meant. Errors: ``NotThere``."""
    if not session_id:
        return desk.store.find_image(uploads.shown(image))
    return desk.store.case(
        int(session_id) if session_id.isascii() and session_id.isdigit() and len(session_id) < 16 else 0
    )


def _session(case: Case) -> Session:
    return Session(name=case.name, image=case.name, client_id="", expiry=0)


def _model(found: Predictor) -> dict[str, Any]:
    return {
        "type": "segmentation", "labels": LABELS, "dimension": 2, "description": f"{found.model.name}. {NOTICE}",
        "config": {},
    }  # fmt: skip


def _object(params: str) -> dict[str, Any]:
    try:
        told = json.loads(params or "{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadUpload("params is not a JSON object", "send {} where there is nothing to say")
    return told


def _wanted(params: str) -> Wanted:
    try:
        return Wanted.model_validate(_object(params))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadUpload(f"params: {first['loc'][0]}: {first['msg']}", "leave it out") from error


def _again(file: UploadFile) -> bytes:
    file.file.seek(0)
    return file.file.read()


def _attached(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
