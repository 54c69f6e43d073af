"""Why a request is refused, each with the status of its answer."""

from typing import ClassVar

from sonoseg.errors import UserError


class Refusal(UserError):  # noqa: N818
    """A sentence, a hint, and the status code that goes with them."""

    status: ClassVar[int] = 400


class BadUpload(Refusal):
    """What came cannot be used."""

    status = 422


class NotThere(Refusal):
    """No case, frame or model has this name."""

    status = 404


class Stale(Refusal):
    """What it was made of is not what stands any more."""

    status = 409


class StoreUnavailable(Refusal):
    """The store cannot be read, or cannot be written."""

    status = 503


class ModelUnavailable(Refusal):
    """The model is known, and cannot be used."""

    status = 503


class QueueFull(Refusal):
    """As many wait as may."""

    status = 503


class TooLong(Refusal):
    """The work took longer than it may; its thread goes on, and counts, until it ends."""

    status = 504
