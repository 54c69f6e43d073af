import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import TINY, fails, sonoseg

LIMIT = 0.5
"""Seconds of computing in which what needs no torch must answer."""


def test_usage_errors_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such option" in fails(monkeypatch, capsys, "train", "--nonsense")
    assert sonoseg(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("sonoseg ")
    for words in (["-h"], ["train", "-h"], ["data", "folds", "-h"], ["train", "--help", "--quiet"]):
        assert sonoseg(monkeypatch, *words) == 0
        assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0), (["trian"], 2), (["train", "--hlep"], 2), (["train"], 2), (["benchmark"], 2),
        (["train", "--data", "phantom", "--model", "unt"], 2), (["models"], 0), (["evaluate", "nowhere"], 2),
        (["export", "nowhere"], 2), (["publish", "nowhere", "--cross-validation", "x", "--data", "phantom"], 2),
        (["measure", "leakage", "--recipe", "nowhere"], 2), (["data", "list"], 0), (["--show-completion"], None),
    ],
    ids=str,
)  # fmt: skip
def test_what_needs_no_torch_is_there_at_once(words: list[str], code: int | None) -> None:
    """Measured in time of this process, the least of three, so that a busy machine is no failure."""
    script = (
        "import sys, time, atexit\n"
        "atexit.register(lambda: print(time.process_time(), 'torch' in sys.modules, file=sys.stderr))\n"
        f"sys.argv = {['sonoseg', *words]!r}\n"
        "from sonoseg.cli import main\nmain()"
    )
    times = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        seconds, torch = done.stderr.splitlines()[-1].split()
        assert torch == "False"
        assert code is None or done.returncode == code, done.stderr
        assert "loading" not in done.stderr
        times.append(float(seconds))
        if times[-1] < LIMIT:
            break
    assert min(times) < LIMIT


def test_what_takes_long_says_so_and_quiet_says_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sonoseg", "train", "--data", "phantom:20", *TINY, "--out"]
    loud = subprocess.run([*command, str(tmp_path / "a")], capture_output=True, text=True, check=True, env=environment)
    told = loud.stderr.splitlines()
    assert told[0] == "loading torch ..."
    assert told[1].startswith("warning: nothing is drawn on")  # after three steps; and not a line of Lightning's
    assert len(told) == 2
    words = [*command, str(tmp_path / "b"), "--quiet"]
    calm = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert calm.stderr.splitlines() == told[1:]
    assert "model: " in calm.stdout
