"""The README's lines for an application of one's own, from an empty folder to a cluster, as tests run them. Pure but for the file."""

import re
from collections.abc import Mapping
from typing import Final

from roomwire_e2e.cluster import TOP

_SECTION: Final = re.compile(r"^## An application of your own\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Lines:
    """The lines of a document's section about an application of one's own.

    Args:
        document: The document's text.

    Attributes:
        blocks: The lines of each of its blocks for the shell.
        words: The number of words that a reader sees, including those of the lines.

    """

    def __init__(self, document: str) -> None:
        (section,) = _SECTION.findall(document)
        self.blocks = [block.splitlines() for block in _BLOCK.findall(section)]
        self.words = len(section.split())


def readme() -> Lines:
    """Return the lines of the README."""
    return Lines((TOP / "README.md").read_text(encoding="utf-8"))


def written(line: str, words: Mapping[str, str]) -> str:
    """Return a line as a reader types it, with some words replaced.

    Args:
        line: The line in the document.
        words: The replacement of each word that the reader replaces. Words that the line lacks are ignored.

    """
    for word, replacement in words.items():
        line = line.replace(word, replacement)
    return line
