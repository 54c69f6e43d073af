"""Files and folders in, outputs of each and tables of all: several at a time, and gone on with after a stop."""

import csv
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonoseg.delivery import document
from sonoseg.delivery.document import Document
from sonoseg.delivery.outputs import Failure, Job, Options, Outcome, failure
from sonoseg.errors import UserError
from sonoseg.files import alone, remove_leftovers, replacing, write_csv, write_json
from sonoseg.images import reading
from sonoseg.images.reading import Found
from sonoseg.images.unpacking import TOO_LONG, unpacked
from sonoseg.prediction.predictor import Predictor

LESIONS, FAILURES, COCO = "lesions.csv", "failures.csv", "coco.json"


@dataclass
class Summary:
    """What became of all files. images: pages and clips, ``clips`` of them clips, whose lesions count in every frame.

    empty: images without a lesion. tables: written for all.
    """

    files: int = 0
    images: int = 0
    empty: int = 0
    lesions: int = 0
    kept: int = 0
    failures: list[Failure] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    clips: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one more file."""
        self.files += 1
        self.kept += outcome.kept
        self.failures += outcome.failures
        for found in outcome.documents:
            lesions = sum(len(frame["lesions"]) for frame in found.get("frames", [found]))
            self.images, self.lesions, self.empty = self.images + 1, self.lesions + lesions, self.empty + (not lesions)
            self.clips += "frames" in found


Report = Callable[[Outcome, int, int], None]
"""Told after each file, in their order: what became of it, files done, files in all."""


def run(
    inputs: Sequence[Path], predictor: Predictor, options: Options | None = None, report: Report | None = None
) -> Summary:
    """Predict files and folders; write a mask, an overlay and a JSON each, and tables for all.

    A file that fails is listed and the others go on. Tables go to ``out``, or to the one folder that was given.
    Errors: ``UserError`` where there is nothing to predict, or a table stands already or cannot be written.
    """
    options = options or Options()
    folder = options.out or (inputs[0] if len(inputs) == 1 and inputs[0].is_dir() else None)
    try:
        unnamed = list[str]()
        with unpacked(inputs, options.out is None, unnamed) as unzipped:
            found = reading.find(unzipped, ["coco"] if folder and options.coco else [])
            with _held(folder, options):
                job = Job(predictor, options, [each.path for each in found])
                summary = Summary(failures=[failure(name, None, TOO_LONG) for name in unnamed])
                return _run(found, job, folder, report, summary)
    except OSError as error:  # those of single files are among their failures
        raise UserError(
            f"the tables cannot be written to {folder} ({error.strerror or error})",
            hint="make it possible, then use --resume",
            exit_code=1,
        ) from error


def _run(found: Sequence[Found], job: Job, folder: Path | None, report: Report | None, summary: Summary) -> Summary:
    """summary: of what was before."""
    options = job.options
    for_coco: list[Document] = []
    with warnings.catch_warnings(), _lesion_table(folder) as write_rows:
        warnings.simplefilter("ignore")  # the readers do so too, but threads share the filters
        for outcome in _in_order(job.predict, found, options.workers):
            summary.add(outcome)
            for each in outcome.documents:
                write_rows(document.rows(each))
            if options.coco:
                for_coco += (each for each in outcome.documents if "frames" not in each)
            if report:
                report(outcome, summary.files, len(found))
    if folder:
        summary.tables = [folder / LESIONS, *_write_failures(folder / FAILURES, summary.failures, job.predictor)]
    if folder and options.coco:
        write_json(folder / COCO, document.coco(for_coco))
        summary.tables.append(folder / COCO)
    return summary


def _in_order(work: Callable[[Found], Outcome], items: Iterable[Found], workers: int) -> Iterator[Outcome]:
    """Work on several items at the same time and give the outcomes in the order of the items, a few ahead at most."""
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _held(folder: Path | None, options: Options) -> Iterator[None]:
    """Keep other runs out of the folder of the tables, and take away what a killed one left there."""
    if folder is None:
        yield
        return
    with alone(folder):
        _check_tables(folder, options)
        if options.resume:
            remove_leftovers(folder)
        yield


def _check_tables(folder: Path, options: Options) -> None:
    for name in (LESIONS, FAILURES, COCO):
        if (folder / name).exists() and not options.resume and not options.overwrite:
            raise UserError(
                f"{folder / name} stands already", hint="--resume keeps finished work, --overwrite replaces it"
            )


@contextmanager
def _lesion_table(folder: Path | None) -> Iterator[Callable[[Iterable[Mapping[str, Any]]], None]]:
    """Give what writes rows to ``lesions.csv``, which appears when all are written."""
    if folder is None:
        yield lambda rows: None
        return
    with replacing(folder / LESIONS) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, document.COLUMNS, lineterminator="\n")
        table.writeheader()
        yield table.writerows


def _write_failures(path: Path, failures: Sequence[Failure], predictor: Predictor) -> list[Path]:
    if not failures:
        path.unlink(missing_ok=True)
        return []
    made_by = document.made_by(predictor)
    columns = ("file", "page", "message", "hint", *made_by)
    write_csv(path, columns, [document.harmless(vars(failure) | made_by) for failure in failures])
    return [path]
