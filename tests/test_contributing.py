"""What CONTRIBUTING shows as a diff fits the files that it names."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_line_that_a_diff_stands_between_is_there() -> None:
    diffs = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S)
    assert len(diffs) == 3
    for diff in diffs:
        lines: list[str] = []
        for line in diff.splitlines():
            if line.startswith("+++ b/"):
                lines = (ROOT / line.removeprefix("+++ b/")).read_text(encoding="utf-8").splitlines()
            elif line.startswith((" ", "-")) and not line.startswith("--- "):
                assert line[1:] in lines, line
