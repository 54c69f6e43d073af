"""``python -m sonoseg`` is the command ``sonoseg``."""

from sonoseg.cli import main

main()
