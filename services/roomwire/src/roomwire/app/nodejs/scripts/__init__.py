"""The scripts of this package, which run on the primary. Each is one atomic step; its head describes KEYS and ARGV."""

from importlib.resources import files
from typing import Final

_FOLDER: Final = files(__name__)


def _script(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


HOLD: Final = _script("hold")
ADVANCE: Final = _script("advance")
RELEASE: Final = _script("release")
PAGE: Final = _script("page")
