"""The Lua scripts that begin, continue and end sessions. Each script is atomic.

Each script is a file in this folder, preceded by `common.lua`; its header lists its KEYS and ARGV.
"""

from importlib.resources import files
from typing import Final

SESSION_CHARS: Final = 32
"""How many characters of a family's digest are the id of its session."""

CLOCKS_S: Final = 60
"""Maximum difference between Redis's clock and those of processes that issue or check tokens, in seconds."""

_FOLDER: Final = files(__name__)
_NUMBERS: Final = f"local SESSION_CHARS, CLOCKS_S = {SESSION_CHARS}, {CLOCKS_S}\n"


def _script(name: str) -> str:
    return _NUMBERS + "".join((_FOLDER / f"{part}.lua").read_text() for part in ("common", name))


OPEN: Final = _script("open")
ROTATE: Final = _script("rotate")
END: Final = _script("end")
LIST: Final = _script("list")
END_NAMED: Final = _script("end_named")
END_ALL: Final = _script("end_all")
CHANGE_PASSWORD: Final = _script("change_password")
DELETE_ACCOUNT: Final = _script("delete_account")
