"""The guides under test: their programs, and the differences that their tables list for clients."""

import json
import re
from pathlib import Path
from typing import Any

from documents import ROOT

_FENCE = re.compile(r"^```\w+\n(?:#|//) ([\w.-]+).*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"(?<!\\)\|")


class Guide:
    """A page whose blocks of code begin with a comment that names their file.

    Args:
        name: The page's file in `docs`.

    """

    def __init__(self, name: str) -> None:
        self._text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        self._programs = dict(_FENCE.findall(self._text))

    def write(self, program: str, folder: Path) -> None:
        """Write one of the page's programs into a folder, under its file name."""
        (folder / program).write_text(self._programs[program], encoding="utf-8")

    def change(self, change: str, program: str, folder: Path) -> None:
        """Write a program after a change has been applied: lines with `-` are replaced by the lines with `+` after them."""
        text = self._programs[program]
        for hunk in self._programs[change].split("\n\n"):
            lines = hunk.splitlines()
            old, new = (
                "".join(f"{line[2:]}\n" for line in lines if line.startswith(sign)) for sign in ("- ", "+ ")
            )
            assert 1 == text.count(old), f"{program} has not once:\n{old}"
            text = text.replace(old, new)
        (folder / change).write_text(text, encoding="utf-8")

    def differences(self, heading: str) -> dict[str, tuple[Any, Any]]:
        """Return the rows of a section's table: what is observed, before and after."""
        section = self._text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        rows = [CELL.split(line)[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
        return {what.strip(): (_value(before), _value(after)) for what, before, after in rows}


def rows(differences: dict[str, tuple[Any, Any]]) -> str:
    """Return a table's rows for differences."""
    return "\n".join(
        f"| {what} | {' | '.join(_cell(value) for value in values)} |" for what, values in differences.items()
    )


def _cell(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _value(cell: str) -> Any:
    return json.loads(cell.strip().strip("`").replace("\\|", "|"))
