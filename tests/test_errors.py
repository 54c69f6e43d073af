import importlib.metadata
import pickle
import sys
import traceback

import pytest

from sonoseg.errors import UserError, install, need, printable


def test_an_error_says_what_and_what_to_type() -> None:
    error = UserError("nothing was found", "look again")
    assert (str(error), error.hint, error.exit_code) == ("nothing was found", "look again", 2)
    assert traceback.format_exception(error)[-1] == "hint: look again\n"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.hint, again.exit_code) == (str(error), error.hint, 2)


def test_a_missing_extra_is_one_sentence_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    need("data", "json")
    monkeypatch.setitem(sys.modules, "missing_one", None)
    with pytest.raises(UserError, match="a clip needs missing_one, missing_two, which is not installed") as caught:
        need("video", "json", "missing_one", "missing_two", by="a clip")
    assert caught.value.hint == install("video")


@pytest.mark.parametrize(
    ("origin", "typed"),
    [
        (None, 'pip install "sonoseg[train]"'),
        (
            '{"url": "https://example.org/sonoseg.whl", "archive_info": {}}',
            'pip install "sonoseg[train] @ https://example.org/sonoseg.whl"',
        ),
        (
            '{"url": "https://example.org/sonoseg", "vcs_info": {"vcs": "git"}}',
            'pip install "sonoseg[train] @ git+https://example.org/sonoseg"',
        ),
        ('{"url": "file:///home/a%20b/sonoseg", "dir_info": {}}', 'pip install "/home/a b/sonoseg[train]"'),
        (
            '{"url": "file:///home/sonoseg", "dir_info": {"editable": true}}',
            'pip install --editable "/home/sonoseg[train]"',
        ),
    ],
)
def test_an_extra_comes_from_where_the_program_came_from(
    monkeypatch: pytest.MonkeyPatch, origin: str | None, typed: str
) -> None:
    monkeypatch.setattr(importlib.metadata.PathDistribution, "read_text", lambda self, name: origin)
    assert install("train") == typed


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable("é (1).png, 日本 \\ fine") == "é (1).png, 日本 \\ fine"
    assert printable("\x1b[31mred\n\u202e\udcff") == "\\x1b[31mred\\n\\u202e\\udcff"
