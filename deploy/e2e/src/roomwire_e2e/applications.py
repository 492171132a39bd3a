"""The applications that a release serves in turn: the chat, and an application whose files are given to the chart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

Application = Literal["chat", "board"]
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
"""The chart values of each application."""


def application_of(phase: str) -> Application:
    """Return the application of a phase: the chat, unless the phase's name ends with `-app`."""
    return "board" if phase.endswith(_ENDING) else "chat"
