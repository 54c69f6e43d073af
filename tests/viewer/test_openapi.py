"""The service does what its description says, whatever comes. More of it: pytest --requests 500."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from serving import png, served, telling

CONFIG = Path(__file__).with_name("schemathesis.toml")

THERE = {
    "path.case": 1,
    "path.number": 1,
    "path.session_id": "1",
    "path.model": "telling",
    "query.model": "telling",
    "query.image": "scan.png",
}
"""What is there; with numbers and names of their own most requests meet a 404."""


@pytest.mark.parametrize(
    ("pinned", "words", "operations"),
    [({}, [], "27 selected / 27 total"), (THERE, ["--exclude-method", "DELETE"], "24 selected / 27 total")],
    ids=["anything", "what is there"],
)
def test_schemathesis_finds_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, pinned: dict[str, object], words: list[str], operations: str
) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed: pip install schemathesis")
    config, examples = tmp_path / "schemathesis.toml", str(request.config.getoption("--requests"))
    lines = "".join(f"{name!r} = {value!r}\n" for name, value in pinned.items())
    config.write_text(f"{CONFIG.read_text(encoding='utf-8')}\n[parameters]\n{lines}", encoding="utf-8")
    with served(tmp_path, telling(tmp_path, 0.5), waiting=1000) as url:
        for number in range(3):
            requests.post(f"{url}/api/cases", files={"file": ("scan.png", png(height=120 + number))}, timeout=10)
        done = subprocess.run(
            [
                program, "--config-file", str(config), "run", f"{url}/api/openapi.json", "--checks", "all",
                "--seed", "17", "--max-examples", examples, "--no-color", "--generation-database", "none", *words,
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert requests.get(f"{url}/api/health", timeout=10).json()["status"] == "ok"
    assert done.returncode == 0, done.stdout
    assert operations in done.stdout
