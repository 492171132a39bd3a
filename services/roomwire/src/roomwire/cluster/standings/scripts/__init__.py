"""The scripts of standings, which run on the primary. Each is one atomic step.

Each is a file of this folder, preceded by `common.lua`. Its head describes KEYS and ARGV.
"""

from importlib.resources import files
from typing import Final

_FOLDER: Final = files(__name__)


def _script(name: str) -> str:
    return "".join((_FOLDER / f"{part}.lua").read_text() for part in ("common", name))


ADMIT: Final = _script("admit")
PART: Final = _script("part")
REFRESH: Final = _script("refresh")
HOLD: Final = _script("hold")
