"""The service does what its description says, whatever comes. More of it: pytest --requests 500."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from serving import png, served

CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_schemathesis_finds_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed: pip install schemathesis")
    examples = str(request.config.getoption("--requests"))
    with served(tmp_path, waiting=1000) as url:
        for number in range(3):
            requests.post(f"{url}/api/cases", files={"file": png(height=120 + number)}, timeout=10)
        done = subprocess.run(
            [
                program, "--config-file", str(CONFIG), "run", f"{url}/api/openapi.json", "--checks", "all",
                "--seed", "17", "--max-examples", examples, "--no-color", "--generation-database", "none",
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert requests.get(f"{url}/api/health", timeout=10).json()["status"] == "ok"
    assert done.returncode == 0, done.stdout
    assert "27 selected / 27 total" in done.stdout
