"""The page that compares Roomwire with NestJS: its table of what clients receive."""

from typing import Any

from documents import ROOT
from guide_pages import CELL

PAGE = ROOT / "docs" / "nestjs.md"
HEADING = "What clients receive"


def differences() -> dict[str, tuple[str, str, str]]:
    """Return the rows of the table by case: what clients of NestJS receive, what clients of Roomwire receive, and the reason."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {HEADING}\n")[2].partition("\n## ")[0]
    rows = [CELL.split(line)[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    return {
        case.strip(): (nestjs.strip(), roomwire.strip(), why.strip()) for case, nestjs, roomwire, why in rows
    }


def cells(nestjs: list[Any], roomwire: list[Any]) -> tuple[str, str]:
    """Return how the table writes two lists of frames, without the frames with which both begin."""
    pairs = zip(nestjs, roomwire, strict=False)
    differs = next((place for place, (one, other) in enumerate(pairs) if one != other), None)
    begin = min(len(nestjs), len(roomwire)) if differs is None else differs
    return _cell(nestjs[begin:]), _cell(roomwire[begin:])


def _cell(frames: list[Any]) -> str:
    return "<br>".join(f"`` {frame} ``".replace("|", "\\|") for frame in frames) or "nothing"
