"""What the service takes and gives, for its description and for the checks of what comes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sonoseg.viewer.records import Listed

Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""Of a reader, for the record."""

Millimetres = Annotated[float, Field(ge=0.01, lt=10, allow_inf_nan=False)]


class Form(BaseModel):
    """Takes what it names and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """Why something was refused, and what to do."""

    error: str
    hint: str


class Spacing(Form):
    """Size of a pixel in mm, as a reader measured it."""

    row: Millimetres
    column: Millimetres


class Runs(Form):
    """A mask as COCO writes it: lengths of runs down the columns, outside first."""

    size: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=2, max_length=2)]
    counts: Annotated[list[Annotated[int, Field(ge=0, le=1 << 32)]], Field(min_length=1, max_length=4_000_000)]


class CorrectionForm(Form):
    """A mask as it stands after one stroke. after: the last correction that was known, 0 for none; null: unchecked."""

    reader: Name
    action: Annotated[str, Field(pattern=r"^[a-z ]{1,40}$", examples=["brush"])]
    mask: Runs
    after: Annotated[int, Field(ge=0, le=(1 << 53) - 1)] | None = None


class DecisionForm(Form):
    """What a reader decided about a frame."""

    reader: Name
    decision: Literal["accepted", "rejected", "open"]
    comment: Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")] = ""


class FrameInfo(BaseModel):
    """One image of a case. spacing: (row, column) in mm as its file says, or null."""

    number: int
    height: int
    width: int
    spacing: tuple[float, float] | None
    seconds: float | None


class CorrectionInfo(BaseModel):
    """A correction without its mask."""

    id: int
    number: int
    reader: str
    at: str
    action: str


class DecisionInfo(BaseModel):
    """A decision about a frame. checksum: of the model whose outline was seen; null where that was not kept."""

    number: int
    reader: str
    at: str
    decision: Literal["accepted", "rejected", "open"]
    comment: str
    checksum: str | None


class CaseInfo(BaseModel):
    """A case in the list."""

    id: int
    name: str
    added: str
    frames: int
    spacing: tuple[float, float] | None
    predicted: int
    lesions: int
    corrected: int
    accepted: int
    rejected: int


class CaseDetails(BaseModel):
    """A case with all that people did to it."""

    id: int
    name: str
    sha256: str
    added: str
    spacing: tuple[float, float] | None
    frames: list[FrameInfo]
    corrections: list[CorrectionInfo]
    decisions: list[DecisionInfo]


class Opened(BaseModel):
    """A case that was made of a file, or that the same file has already."""

    id: int
    name: str
    frames: int
    new: bool


class Saved(BaseModel):
    """A correction that is on the disk."""

    id: int


class CurrentMask(BaseModel):
    """The mask of a frame as it stands. by: who corrected it last, or null."""

    mask: Runs
    by: str | None
    at: str | None


class ModelInfo(BaseModel):
    """A model that can be asked, or why it cannot. least_presence: null where it tells no presence."""

    name: str
    default: bool
    error: str | None = None
    checksum: str = ""
    backend: str = ""
    size: int = 0
    threshold: float = 0
    smallest_lesion: float = 0
    least_confidence: float = 0
    least_presence: float | None = None
    record: dict[str, Any] = {}


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok", "starting", "degraded"]
    version: str
    model: str
    store: str


class Predicted(BaseModel):
    """What was found in a file: a document for each page, or one for a clip."""

    documents: list[dict[str, Any]]


class LabelInfo(BaseModel):
    """What MONAI Label's clients ask for first. Nothing is trained or chosen here, so those parts are empty."""

    name: str
    description: str
    version: str
    labels: list[str]
    models: dict[str, dict[str, Any]]
    datastore: dict[str, int]
    trainers: dict[str, Any] = {}
    strategies: dict[str, Any] = {}
    scoring: dict[str, Any] = {}
    train_stats: dict[str, Any] = {}


class Session(BaseModel):
    """An image that a client of MONAI Label sent. It does not expire."""

    name: str
    image: str
    client_id: str
    expiry: int


class SessionOpened(BaseModel):
    """The number of a session, as text."""

    session_id: str
    session_info: Session


class Named(BaseModel):
    """The name by which an image is asked for."""

    image: str


class LabelSaved(BaseModel):
    """A label that is on the disk."""

    image: str
    label: str


def listed(item: Listed) -> CaseInfo:
    """Give a case of the store as the service tells it."""
    case = item.case
    return CaseInfo(
        id=case.id, name=case.name, added=case.added, frames=case.frames, spacing=case.spacing,
        predicted=item.predicted, lesions=item.lesions, corrected=item.corrected, accepted=item.accepted,
        rejected=item.rejected,
    )  # fmt: skip
