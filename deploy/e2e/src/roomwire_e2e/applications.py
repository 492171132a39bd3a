"""The applications that are served in turn: the chat, one whose files are given to the chart, and one that `roomwire new` writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roomwire_loadtest.faults.fleet import Application

ORDER: Final[tuple[Application, ...]] = ("chat", "board", "new")
"""The order of phases, which changes the application as rarely as possible."""
NEW: Final = "new"
"""The phase that replaces the release by what `roomwire new` writes."""
_ENDING: Final = "-app"
_HERE: Final = Path(__file__).parent
VALUES: Final[Mapping[Application, Mapping[str, str | Path]]] = {
    "chat": {},
    "board": {
        "gateway.app": "board:app",
        r"gateway.files.board\.py": _HERE / "board.py",
        r"gateway.files.board_checks\.py": _HERE / "board_checks.py",
        "test.command": "{python,board_checks.py}",
    },
}
"""The chart values of each application that one release serves in turn."""


def application_of(phase: str) -> Application:
    """Return the application of a phase: the chat, unless the phase is `new` or its name ends with `-app`."""
    if phase == NEW:
        return "new"
    return "board" if phase.endswith(_ENDING) else "chat"
