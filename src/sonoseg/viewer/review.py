"""What reviews are good for: corrected masks to train on, and how often and how far people corrected."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

from sonoseg.data.sets.manifest import COLUMNS
from sonoseg.errors import UserError
from sonoseg.files import write_bytes, write_csv
from sonoseg.images import masks
from sonoseg.images.pictures import encode_mask
from sonoseg.viewer.records import Stored
from sonoseg.viewer.reviewed import Reviewed, reviewed
from sonoseg.viewer.store import Store

MANIFEST = "manifest.csv"

CHANGE_COLUMNS = (
    "case", "frame", "reader", "at", "decision", "strokes", "dice", "first_pixels", "final_pixels",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What one reader made of one frame.

    strokes: saved corrections, none where the reader left it as it was. dice: of what the reader saw predicted, or else
    of what was predicted first, and what the reader left, 1 where both are empty; None, as first_pixels, where nothing
    was predicted. at: of the reader's last word.
    """

    case: int
    frame: int
    reader: str
    at: str
    decision: str
    strokes: int
    dice: float | None
    first_pixels: int | None
    final_pixels: int


@dataclass(frozen=True)
class Row:
    """What one reader did. corrected: frames that the reader left otherwise than predicted, or drew where nothing was.

    dice: over all frames that were predicted, None where none was.
    """

    reader: str
    frames: int
    corrected: int
    accepted: int
    rejected: int
    dice_mean: float | None
    dice_median: float | None
    dice_least: float | None


def export(store: Store, out: Path, undecided: bool = False) -> int:
    """Write images and masks as they stand, and a manifest, for ``--data folder:OUT``; give their number.

    Frames that were accepted are written, and those that were corrected and not decided about; undecided: and those
    that nobody touched. Never what was rejected. Frames of one file are one group, so that no fold parts them.
    Errors: ``UserError`` where there is nothing to write, or ``out`` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already and not empty", hint="give another --out")
    rows = []
    for each in _frames(store):
        decision = each.judgement.decision if each.judgement else "open"
        if decision == "rejected" or (decision == "open" and not each.correction and not undecided):
            continue
        name = f"{each.case.id:05}_{each.frame.number:04}.png"
        write_bytes(out / "images" / name, each.frame.picture)
        write_bytes(out / "masks" / name, encode_mask(each.final))
        row, column = each.case.spacing or each.frame.spacing or ("", "")
        rows.append(
            {
                "image": f"images/{name}", "mask": f"masks/{name}",
                "label": "unknown" if each.final.any() else "normal", "group": f"{each.case.id:05}",
                "spacing_row": row, "spacing_column": column,
            }
        )  # fmt: skip
    if not rows:
        raise UserError(
            f"{store.path} holds nothing that was accepted or corrected",
            hint="review some, or use --undecided for all that was predicted",
        )
    write_csv(out / MANIFEST, [column for column in COLUMNS if column in rows[0]], rows)
    return len(rows)


def changes(store: Store) -> Iterator[Change]:
    """Compare what each reader left of each frame with what was predicted."""
    for each in _frames(store):
        corrections = store.corrections(each.case.id, each.frame.number)
        decisions = store.decisions(each.case.id, each.frame.number)
        for reader in dict.fromkeys([c.reader for c in corrections] + [d.reader for d in decisions]):
            own = [found for found in corrections if found.reader == reader]
            said = [found for found in decisions if found.reader == reader]
            seen = store.prediction(each.case.id, each.frame.number, said[-1].checksum) if said else None
            stored = seen or each.stored
            first = masks.decode(stored.mask, each.shape)
            final = masks.decode(own[-1].mask, each.shape) if own else first
            dice = masks.dice(first, final)
            yield Change(
                case=each.case.id, frame=each.frame.number, reader=reader,
                at=max([found.at for found in own[-1:]] + [found.at for found in said[-1:]]),
                decision=said[-1].decision if said else "open", strokes=len(own),
                dice=None if not stored.made else 1.0 if dice is None else dice,
                first_pixels=int(first.sum()) if stored.made else None, final_pixels=int(final.sum()),
            )  # fmt: skip


def report(found: list[Change]) -> list[Row]:
    """Sum up by reader, and for all of them under the name "all"."""
    by_reader = {
        reader: [each for each in found if each.reader == reader] for reader in sorted({c.reader for c in found})
    }
    return [_row(reader, own) for reader, own in {**by_reader, "all": found}.items() if own]


def _row(reader: str, own: list[Change]) -> Row:
    dice = [each.dice for each in own if each.dice is not None]
    return Row(
        reader=reader, frames=len(own), corrected=sum(each.strokes > 0 and each.dice != 1 for each in own),
        accepted=sum(each.decision == "accepted" for each in own),
        rejected=sum(each.decision == "rejected" for each in own),
        dice_mean=mean(dice) if dice else None, dice_median=median(dice) if dice else None,
        dice_least=min(dice, default=None),
    )  # fmt: skip


def _frames(store: Store) -> Iterator[Reviewed]:
    """All frames that were predicted or drawn on, each with the outline that was last decided about, or the first one.

    That of a frame that was only drawn on is empty and was never made.
    """
    for listed in store.cases():
        for frame in store.frames(listed.case.id):
            decisions = store.decisions(listed.case.id, frame.number)
            stored = store.prediction(listed.case.id, frame.number, decisions[-1].checksum if decisions else None)
            if stored:
                yield reviewed(store, listed.case, frame.number, stored)
            elif correction := store.correction(listed.case.id, frame.number):
                none = Stored("", "", masks.encode(np.zeros((frame.height, frame.width), bool)), 0, b"")
                whole = store.frame(listed.case.id, frame.number)
                yield Reviewed(listed.case, whole, none, correction, decisions[-1] if decisions else None)
