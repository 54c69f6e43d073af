"""What an audit looks for in each image by itself: the test, what it means, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sonoseg.data.audit import FULL_SHARE, Look
from sonoseg.prediction.lesions import LESION_PIXELS
from sonoseg.reports.figures import counted, percent

NORMAL = "normal"


@dataclass(frozen=True)
class Check:
    """One kind of peculiarity. key: of its section. meaning, advice: sentences for the page. note: below a picture."""

    key: str
    title: str
    test: Callable[[Look], bool]
    meaning: str
    advice: str
    note: Callable[[Look], str] = lambda _look: ""

    def among(self, looks: Iterable[Look]) -> list[Look]:
        """The images that have it, in their order."""
        return [look for look in looks if self.test(look)]


CHECKS = (
    Check(
        "missing",
        "No lesion drawn, though the label names one",
        lambda look: look.empty and look.label not in (NORMAL, "unknown"),
        "The label says that there is a lesion and the mask is empty: one of the two is wrong.",
        "Look at each. Until then leave them out: a model that finds the lesion would be punished.",
    ),
    Check(
        "unexpected",
        "A lesion drawn on a normal image",
        lambda look: not look.empty and look.label == NORMAL,
        "The label says that there is nothing, and something is outlined.",
        "Look at each. They would count as normals that no model can get right.",
    ),
    Check(
        "full",
        "Masks that cover the image",
        lambda look: look.full,
        f"The mask covers {percent(FULL_SHARE, 0)} of the image or more: inverted, or a placeholder.",
        "Check whether black and white were exchanged.",
    ),
    Check(
        "several",
        "Several masks for one image",
        lambda look: (look.masks or 0) > 1,
        "The image comes with more than one mask file, one for each lesion. A reader that takes the first file alone "
        "loses the others.",
        "Unite them, as Sonoseg does.",
        lambda look: f"{look.masks} masks",
    ),
    Check(
        "lesions",
        "Several lesions in one mask",
        lambda look: look.lesions > 1,
        f"The mask has two or more parts of {LESION_PIXELS} pixels or more that do not touch.",
        "Count lesions as well as pixels: Dice hardly notices that a small one was missed.",
        lambda look: f"{look.lesions} lesions",
    ),
    Check(
        "specks",
        "Specks",
        lambda look: look.specks > 0,
        f"Parts of fewer than {LESION_PIXELS} pixels, beside the lesion: slips of the pen, not lesions.",
        f"Drop parts below {LESION_PIXELS} pixels before lesions or distances are counted. One speck far away makes "
        "the Hausdorff distance meaningless.",
        lambda look: counted(look.specks, "speck"),
    ),
    Check(
        "holes",
        "Holes",
        lambda look: look.holes > 0,
        "The mask encloses background. Outlines that a person drew were not filled to the last pixel, or a lesion was "
        "left out on purpose in the middle.",
        "Fill those of a few pixels; look at the large ones.",
        lambda look: counted(look.holes, "hole"),
    ),
    Check(
        "border",
        "Masks that touch the border",
        lambda look: look.touches_border,
        "The lesion is cut off by the picture, so that its true size is unknown.",
        "Keep them for training. Leave them out where sizes are judged.",
    ),
    Check(
        "marks",
        "Burnt-in marks",
        lambda look: look.marked,
        "Calipers, measuring lines, text or a body mark lie over the scan; found by a detector, which passes over the "
        "maker's name at the top edge. Calipers sit on the lesion's outline and give it away, and they may stand on "
        "one class more often than on another.",
        "Report results with and without marks. A classifier can learn the mark instead of the lesion.",
    ),
    Check(
        "colour",
        "Colour",
        lambda look: look.coloured,
        "The picture holds colour: a Doppler box, or coloured marks. In grey, a Doppler signal looks like bright "
        "tissue.",
        "Read them as grey by one stated rule, or leave them out.",
    ),
)
