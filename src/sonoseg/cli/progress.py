"""Progress on the terminal, on stderr: what is done, how fast, and how long it will take."""

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer import echo

from sonoseg.cli.options import quiet
from sonoseg.reports.figures import duration

if TYPE_CHECKING:
    from sonoseg.experiments import benchmark


class Bar:
    """One stage. ``step`` is told how much of it is done; off a terminal a line is written every half minute, so that
    what is quickly done is not talked of, and with ``--quiet`` nothing.

    It opens at its first step, so an unused one can be pickled and sent to another process.
    """

    SILENCE = 30.0

    def __init__(self, title: str) -> None:
        self.title = title
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._said, self._talks = 0.0, False

    def step(self, done: float, total: float, note: str = "") -> None:
        """Show that ``done`` of ``total`` is done; the bar closes when all is."""
        if self._progress is None:
            self._open(total)
        assert self._progress is not None
        self._progress.update(self._task, completed=done, note=note)
        now = time.monotonic()
        late = now - self._said > self.SILENCE or (done >= total and self._talks)
        if late and not self._progress.console.is_terminal and not quiet():
            self._said, self._talks = now, True
            self._progress.console.print(f"{self.title}: {done / total:.0%} {note}", highlight=False)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands; a later step opens a new one."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _open(self, total: float) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet() or not console.is_terminal,
        )
        self._progress.start()
        self._task = self._progress.add_task(self.title, total=total, note="")
        self._said, self._talks = time.monotonic(), False


class TrainingBar:
    """The bar of a training: epoch, loss, images per second, time left. Has the form of ``Run.report``."""

    def __init__(self, title: str, epochs: int, images: int) -> None:
        self._bar = Bar(title)
        self._epochs, self._images = epochs, images
        self._began: tuple[float, float] | None = None

    def __call__(self, epoch: int, share: float, loss: float) -> None:
        """Show that ``share`` of ``epoch`` (from 0) is done, with the mean loss of it so far."""
        done, now = epoch + share, time.monotonic()
        if self._began is None:
            self._began = (now, done)
        seconds, epochs = now - self._began[0], done - self._began[1]
        speed = f", {epochs * self._images / seconds:.0f} images/s" if seconds > 0 else ""
        self._bar.step(done, self._epochs, f"epoch {epoch + 1} of {self._epochs}, loss {loss:.3f}{speed}")


def bars() -> "benchmark.Progress":
    """Bars for cells that are trained and judged."""
    from sonoseg.experiments import benchmark
    from sonoseg.learning.run import Watch

    title = ["training"]

    def cell(number: int, of: int, name: str, hours: float | None) -> None:
        title[0] = f"{name} ({number} of {of})"
        if hours is not None and not quiet():
            echo(f"{title[0]}; about {duration(3600 * hours)} of one process left", err=True)

    return benchmark.Progress(
        cell,
        Watch(Bar("reading images").step, lambda epochs, images: TrainingBar(title[0], epochs, images)),
        Bar("evaluating").step,
    )
