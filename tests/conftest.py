"""What several tests share: small sets of phantoms and the real data where they are at hand."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds BUSI and BUS-BRA; tests skip where SONOSEG_DATA does not name it."""
    folder = os.environ.get("SONOSEG_DATA")
    if not folder:
        pytest.skip("SONOSEG_DATA is not set")
    return Path(folder)
