"""Many files without their patients: new names, one table of UIDs for all, what failed and what to look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonoseg.delivery.dicom.deidentify import deidentify
from sonoseg.delivery.dicom.moved import Moved
from sonoseg.delivery.dicom.profile import Replacer
from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.pictures import MAX_PIXELS
from sonoseg.images.unpacking import TOO_LONG, unpacked


@dataclass
class Shared(Moved):
    """What became of all files; failures under their old names. warnings: (new name, end of a sentence)."""

    warnings: list[tuple[str, str]] = field(default_factory=list)


def share(
    inputs: Sequence[Path], out: Path, report: Callable[[int, int], None], max_pixels: int = MAX_PIXELS
) -> Shared:
    """Write the ultrasound of files, folders and archives without its patients, as ``0001.dcm`` and so on.

    report: is told after each file how many are done, and how many there are.
    Errors: ``UserError`` where there is nothing, or ``out`` holds DICOM already.
    """
    if out.exists() and any(out.glob("*.dcm")):
        raise UserError(f"{out} holds DICOM files already", hint="give another --out")
    shared, replacer = Shared(), Replacer()
    unnamed = list[str]()
    with unpacked(inputs, False, unnamed) as unzipped:
        for name in unnamed:
            shared.fail(name, TOO_LONG)
        found = [each for each in reading.find(unzipped) if reading.is_dicom(each.path)]
        for number, each in enumerate(found, 1):
            name = f"{number:04}.dcm"
            try:
                warnings = deidentify(each.path, out / name, replacer, max_pixels).warnings
            except UserError as error:
                shared.fail(each.name, error)
            except OSError as error:
                shared.fail(each.name, UserError(error.strerror or str(error), hint="make it possible, then try again"))
            else:
                shared.done += 1
                shared.warnings += [(name, warning) for warning in warnings]
            report(number, len(found))
    return shared
