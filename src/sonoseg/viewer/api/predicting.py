"""One file in, what is found in it out; nothing is kept."""

from typing import Annotated

from fastapi import APIRouter, Form, UploadFile

from sonoseg.images.reading import spacing_of
from sonoseg.viewer import uploads
from sonoseg.viewer.api.asked import AtDesk, ModelName, refusals
from sonoseg.viewer.forms import Predicted

router = APIRouter(tags=["prediction"])


@router.post("/api/predict", summary="Outline and measure a file", responses=refusals(404, 504))
async def predict(
    desk: AtDesk,
    file: UploadFile,
    model: ModelName = None,
    spacing: Annotated[str | None, Form(max_length=80, description="mm per pixel: 0.07, or ROW,COLUMN")] = None,
) -> Predicted:
    """Give the documents that ``sonoseg predict`` writes, by the published schema."""
    known = spacing_of(spacing) if spacing else None
    return Predicted(documents=await desk.describe(uploads.shown(file.filename), file.file.read, known, model))
