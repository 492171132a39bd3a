"""The Lua scripts of accounts (add, replace_hash) and of throttling (charge, give_back, succeed, delay, undelay).

Each script is a file in this folder; its header lists its KEYS and ARGV.
"""

from importlib.resources import files
from typing import Final

_FOLDER: Final = files(__name__)


def _script(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


ADD: Final = _script("add")
REPLACE_HASH: Final = _script("replace_hash")
CHARGE: Final = _script("charge")
GIVE_BACK: Final = _script("give_back")
SUCCEED: Final = _script("succeed")
DELAY: Final = _script("delay")
UNDELAY: Final = _script("undelay")
