"""A disk that fails at the n-th write, flush or rename: nothing half-written has its own name, a second try ends well.

In the suite some n, in a long run every one. ``tests/delivery/test_batch.py`` does so for every n of a batch.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from campaign import Campaign
from failing_disk import FailingDisk
from small_set import small_set
from sonoseg.data import folds
from sonoseg.data.formats.coco import to_coco
from sonoseg.data.formats.nnunet import to_nnunet
from sonoseg.data.formats.packed import to_packed
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, train_run
from trees import contents

SILENT = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)
CONFIG = Config("phantom:20", size=32, width=2, epochs=2, device="cpu")


def _trained(out: Path) -> None:
    train_run(CONFIG, open_set("phantom:20"), out / "run", True, SILENT)


WRITERS: dict[str, Callable[[Path], object]] = {
    "coco": lambda out: to_coco(small_set(), out / "coco"),
    "nnunet": lambda out: to_nnunet(small_set(), out / "Dataset501_small"),
    "packed": lambda out: to_packed(small_set(), out / "set.npz", 32),
    "folds": lambda out: folds.write(out / "folds.csv", small_set().folds),
    "training": _trained,
}
VARY = {"history.jsonl", "machines.jsonl"}
"""Files of a run that tell seconds."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WRITERS)
def test_failing_disks(campaign: Campaign, tmp_path: Path, name: str) -> None:
    write = WRITERS[name]
    (tmp_path / "whole").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        counting = FailingDisk(tmp_path, 10**9)
        counting.install(patch)
        write(tmp_path / "whole")
    whole = stable(tmp_path / "whole")
    everything = range(1, counting.done + 1)
    for number, draw in campaign.draws(3):
        if campaign.times > 1 and number >= counting.done:
            break
        fails = everything[number] if campaign.times > 1 else draw.choice(everything)
        out = tmp_path / str(number)
        out.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(out, fails)
            disk.install(patch)
            with pytest.raises((OSError, UserError)):
                write(out)
        assert disk.failed, fails
        campaign.counts["told"] += 1
        stands = {path: content for path, content in stable(out).items() if not path.startswith("run/last")}
        assert stands.items() <= whole.items(), fails
        write(out)
        assert stable(out) == whole, fails


def stable(folder: Path) -> dict[str, bytes]:
    """What stands under its own name, and is the same in every run."""
    return {
        name: content
        for name, content in contents(folder).items()
        if not name.endswith(".part") and Path(name).name not in VARY
    }
