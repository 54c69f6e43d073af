"""Work off the event loop: a few threads, a bounded line before them, a limit of time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sonoseg.viewer.refusals import QueueFull, TooLong

T = TypeVar("T")


class Queue:
    """Runs work in ``workers`` threads; at most ``waiting`` more may wait. seconds: for each, waiting included."""

    def __init__(self, workers: int, waiting: int, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(workers, "sonoseg-work")
        self._room, self._seconds = workers + waiting, seconds
        self.length = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Give the result of ``work``. Errors: its own, ``QueueFull`` at once, ``TooLong``."""
        if self.length >= self._room:
            raise QueueFull(f"{self._room} images are being worked on or wait already", "try again in a moment")
        loop, self.length = asyncio.get_running_loop(), self.length + 1
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: _call(loop, self._left))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
        except TimeoutError as error:
            if not _timed_out(future):
                raise
            raise TooLong(f"it took over {self._seconds:.0f} seconds", "give a smaller file") from error

    def close(self) -> None:
        """Let running work end, and forget what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _left(self) -> None:
        self.length -= 1


def _timed_out(future: Future[T]) -> bool:
    """Whether the limit struck, and not an error of the work that is of the same kind."""
    return future.cancelled() or not future.done() or future.exception() is None


def _call(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(action)
