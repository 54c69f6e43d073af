import platform
import subprocess
import sys

import pytest

TOUCH = """
import resource
import numpy as np
from sonoseg.learning.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc only")
def test_memory_that_was_freed_is_not_cleared_again() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", TOUCH.format(keep=keep)], capture_output=True, check=True).stdout)
        for keep in (False, True)
    ]
    assert faults[1] < faults[0] / 10
