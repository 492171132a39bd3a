"""The blocks of code in the project's documents, and what proves each of them.

A program is proved by a test that runs it: `blocks.toml` names the test. A shell command is checked word by word (`shell`), and
configuration is parsed. A block that nothing can prove has a reason: a comment `<!-- not run: … -->` in the line above it. This module
reads the documents and the table, and runs nothing.
"""

import re
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from documents import DOCUMENTS, ROOT

PAGES: Final = (*DOCUMENTS, *sorted(ROOT.glob("services/*/README.md")), ROOT / "deploy/local/README.md")
CHECKED: Final = frozenset({"json", "mermaid", "sh", "toml", "yaml"})
"""The languages whose blocks are checked without being run; a diagram needs no check."""

_TABLE: Final = Path(__file__).with_name("blocks.toml")
_BLOCK: Final = re.compile(
    r"^(?:<!-- not run: (?P<excuse>[^\n]*?) -->\n)?(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of code in a document."""

    page: Path
    line: int
    language: str
    code: str
    excuse: str

    def __str__(self) -> str:
        """Return the place of the block, as an editor opens it."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path, text: str | None = None) -> Sequence[Block]:
    """Return the blocks of a document, in their order.

    Args:
        page: The document's file.
        text: The document's text. Default: the content of the file.

    """
    text = page.read_text(encoding="utf-8") if text is None else text
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("code")),
            language=found["language"],
            code=textwrap.dedent(found["code"]),
            excuse=found["excuse"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def table() -> Mapping[str, Mapping[str, str]]:
    """Return the tests that run blocks, by the page and by a mark of the block."""
    rows: Mapping[str, Mapping[str, str]] = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return rows


def marked(mark: str, among: Sequence[Block]) -> Sequence[Block]:
    """Return the blocks that a mark stands for: those that begin with it or, if there are none, those that contain it."""
    return [block for block in among if block.code.startswith(mark)] or [
        block for block in among if mark in block.code
    ]


def unproved(among: Sequence[Block], rows: Mapping[str, str]) -> Sequence[Block]:
    """Return the blocks of a page that no test runs, that no check of their language covers, and that give no reason.

    Args:
        among: The blocks of the page.
        rows: The rows of the page in the table.

    """
    run = [block for mark in rows for block in marked(mark, among)]
    return [
        block for block in among if block.language not in CHECKED and not block.excuse and block not in run
    ]
