"""What runs on the primary for standings: each script is one step, of which no reader sees a half.

Each is a file of this folder, with `common.lua` before it; its head says what KEYS and ARGV are.
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
