"""What several tests share: small sets of phantoms and the real data where they are at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the law holds.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds BUSI and BUS-BRA; tests skip where SONOSEG_DATA does not name it."""
    folder = os.environ.get("SONOSEG_DATA")
    if not folder:
        pytest.skip("SONOSEG_DATA is not set")
    return Path(folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--damaged", type=int, default=40, help="damaged DICOM files to try")
    parser.addoption("--requests", type=int, default=10, help="requests to try for each address of the service")
    parser.addoption("--kills", type=int, default=3, help="times to kill the service while strokes are saved")
    parser.addoption("--faults", type=int, default=1, help="times as many faults as the suite tries")
