import asyncio
import threading

import pytest

from sonoseg.viewer.queue import Queue
from sonoseg.viewer.refusals import QueueFull, TooLong


def test_work_gives_its_result_and_its_errors() -> None:
    async def scenario() -> None:
        queue = Queue(1, 1, 5)
        assert await queue.run(lambda: 7) == 7
        for error in (ZeroDivisionError, TimeoutError):
            with pytest.raises(error):
                await queue.run(lambda error=error: (_ for _ in ()).throw(error))
        await asyncio.sleep(0)
        assert queue.length == 0
        queue.close()

    asyncio.run(scenario())


def test_a_full_line_refuses_at_once_and_takes_work_again() -> None:
    async def scenario() -> None:
        queue, gate = Queue(1, 2, 5), threading.Event()
        waiting = [asyncio.create_task(queue.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull, match="3 images"):
            await queue.run(lambda: 1)
        assert queue.length == 3
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await queue.run(lambda: 1) == 1
        queue.close()

    asyncio.run(scenario())


def test_work_that_takes_too_long_counts_until_it_ends() -> None:
    async def scenario() -> None:
        queue, gate = Queue(1, 1, 0.05), threading.Event()
        running, waiting = (asyncio.create_task(queue.run(gate.wait)) for _ in range(2))
        for task in (running, waiting):
            with pytest.raises(TooLong):
                await task
        await asyncio.sleep(0)
        assert queue.length == 1  # what waited was taken out of the line, what runs cannot be
        gate.set()
        while queue.length:
            await asyncio.sleep(0.01)
        queue.close()

    asyncio.run(scenario())
