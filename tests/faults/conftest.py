"""Gives each test of the campaign its faults, and tells at the end of a long run what came of them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from campaign import Campaign

_TOLD = pytest.StashKey[list[tuple[str, Counter[str]]]]()


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    made = Campaign(request.node.name, request.config.getoption("--faults"))
    yield made
    request.config.stash.setdefault(_TOLD, []).append((made.name, made.counts))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell the counts of a long run."""
    if config.getoption("--faults") > 1:
        terminalreporter.section("what came of the faults")
        for name, counts in config.stash.get(_TOLD, []):
            told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
            terminalreporter.line(f"{name.removeprefix('test_').replace('_', ' ')}: {told}")
