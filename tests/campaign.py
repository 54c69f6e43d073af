"""Faults of one kind, drawn from numbers: a short series in the suite, a long one by ``make faults``."""

from collections import Counter
from collections.abc import Iterator
from random import Random

from sonoseg.errors import UserError


class Campaign:
    """Each fault is drawn from its number alone; ``counts`` keeps what came of them."""

    def __init__(self, name: str, times: int) -> None:
        self.name, self.times, self.counts = name, times, Counter[str]()

    def draws(self, short: float) -> Iterator[tuple[int, Random]]:
        """So many faults in the suite, as many times more in a long run: their numbers, and what each is drawn by.

        short: less than 1 for what takes so long that the suite does without it.
        """
        for number in range(int(short * self.times)):
            self.counts["tried"] += 1
            yield number, Random(f"{self.name} {number}")

    def refused(self, number: int, error: UserError) -> None:
        """Count a refusal; it must be one sentence, and none of a library's words on how to do what is refused."""
        said = str(error)
        assert said, number
        assert "\n" not in said, (number, said)
        assert "weights_only" not in said, (number, said)
        self.counts["refused in a sentence"] += 1
