"""The Lua scripts that begin, continue and end sessions. Each script is one step that no reader sees half done.

Each is a file of this folder, with `common.lua` before it; its head says what KEYS and ARGV are.
"""

from importlib.resources import files
from typing import Final

from roomwire.identity.revocations import MAX_REVOCATIONS

SESSION_CHARS: Final = 32
"""How much of a family's digest is the name of its session."""

CLOCKS_S: Final = 60
"""How far the clocks of those who issue and check tokens may differ from those of Redis, in seconds."""

_FOLDER: Final = files(__name__)
_NUMBERS: Final = (
    f"local SESSION_CHARS, MAX_REVOCATIONS, CLOCKS_S = {SESSION_CHARS}, {MAX_REVOCATIONS}, {CLOCKS_S}\n"
)


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
