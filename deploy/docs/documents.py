"""The project's documents, read as text: their links, anchors and programs. It checks nothing and writes nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = tuple(
    sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            ROOT / "examples/README.md",
            *ROOT.glob("examples/*/README.md"),
            ROOT / "deploy/helm/roomwire/README.md",
        ]
    )
)

_FENCE: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NOT_IN_ANCHOR: Final = re.compile(r"[^\w\- ]")


class Link(NamedTuple):
    """A link of a document to a place in this repository."""

    target: Path
    anchor: str


def links(document: Path) -> Iterator[Link]:
    """Yield the links of a document that lead to files of the repository."""
    for target in _LINK.findall(_CODE.sub("", prose(document))):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            yield Link((document.parent / path).resolve() if path else document, anchor)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and the site make them."""
    return {anchor(heading) for heading in _HEADING.findall(prose(document))}


def anchor(heading: str) -> str:
    """Return the anchor of a heading."""
    return _NOT_IN_ANCHOR.sub("", heading.strip().lower()).replace(" ", "-")


def prose(document: Path) -> str:
    """Return a document without its blocks of code."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def programs(document: Path, language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return [code for found, code in _FENCE.findall(document.read_text(encoding="utf-8")) if found == language]
