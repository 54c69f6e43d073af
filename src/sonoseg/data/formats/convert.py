"""Where a set can be taken: the layouts of other programs, by name."""

from collections.abc import Callable
from pathlib import Path

from sonoseg.data.formats.coco import to_coco
from sonoseg.data.formats.exchange import Progress
from sonoseg.data.formats.nnunet import to_nnunet
from sonoseg.data.samples import DataSet

WRITERS: dict[str, Callable[[DataSet, Path, Progress | None], None]] = {
    "nnunet": to_nnunet,
    "coco": to_coco,
}
