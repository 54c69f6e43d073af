from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.viewer.settings import Settings, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert Settings(store=Path("s"), host=host).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "scans.example", "", "127.0.0.1.example"])
@pytest.mark.parametrize("token", [None, "", "short"])
def test_what_others_reach_needs_a_long_one(host: str, token: str | None) -> None:
    assert not is_loopback(host)
    with pytest.raises(UserError, match="a token of 16 characters") as refused:
        Settings(store=Path("s"), host=host, token=token)
    assert "TLS" in refused.value.hint
    assert Settings(store=Path("s"), host=host, token="0123456789abcdef").host == host
