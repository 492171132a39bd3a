"""The script of history, which runs on the primary, in one atomic step. Its head describes KEYS and ARGV."""

from importlib.resources import files
from typing import Final

RECALL: Final = (files(__name__) / "recall.lua").read_text()
