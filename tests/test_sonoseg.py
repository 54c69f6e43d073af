"""What ``import sonoseg`` offers."""

import subprocess
import sys

import pytest

import sonoseg


def test_its_names_are_those_that_are_public_and_all_are_there() -> None:
    assert dir(sonoseg) == sorted([*sonoseg.__all__, "__version__"])
    assert {"load", "Prediction", "Lesion", "UserError", "open_set", "score"} <= set(dir(sonoseg))
    assert all(getattr(sonoseg, name).__name__ == name for name in sonoseg.__all__)


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; import sonoseg; dir(sonoseg); print(sorted(m for m in sys.modules if m.startswith('sonoseg.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["score", "open_set"])
def test_a_name_whose_extra_is_not_installed_says_what_to_type(name: str) -> None:
    code = f"import sys; sys.modules['scipy'] = None; import sonoseg; sonoseg.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"sonoseg.{name} needs scipy, which is not installed" in done.stderr
    assert "[data]" in done.stderr
