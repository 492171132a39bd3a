"""The applications that a release serves in turn: the chat, and one of files that the chart is given."""

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
"""What the chart is told for each of them."""


def application_of(phase: str) -> Application:
    """Return what is served in a phase: what ends with `-app` is done to another application than the chat."""
    return "board" if phase.endswith(_ENDING) else "chat"
