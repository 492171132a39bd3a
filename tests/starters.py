"""Tells which test modules start servers or processes, from their text, without importing them."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

STARTERS = frozenset(
    {
        "create_server",
        "create_subprocess_exec",
        "create_subprocess_shell",
        "hypercorn",
        "multiprocessing",
        "playwright",
        "start_server",
        "subprocess",
        "uvicorn",
    }
)
"""Modules and functions that start servers or processes."""


class Sources:
    """The modules that tests import, by folder."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._starting: dict[Path, bool] = {}

    def test_starts(self, path: Path) -> bool:
        """Return whether the imports at the top of a test file show that its tests start servers or processes.

        Imports inside a test do not count: such a test asks for a fixture that says so.
        """
        return self._do_start(path, ast.parse(path.read_bytes()).body)

    def helper_starts(self, path: Path) -> bool:
        """Return whether a module, or one that it imports, names anything that starts servers or processes."""
        if path not in self._starting:
            # If two modules import each other, each is examined only once.
            self._starting[path] = False
            nodes = list(ast.walk(ast.parse(path.read_bytes())))
            called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            self._starting[path] = not STARTERS.isdisjoint(called) or self._do_start(path, nodes)
        return self._starting[path]

    def _do_start(self, path: Path, nodes: Sequence[ast.AST]) -> bool:
        names = set(_imported(nodes))
        parts = {part for name in names for part in name.split(".")}
        return not STARTERS.isdisjoint(parts) or any(map(self.helper_starts, self._helpers(path, names)))

    def _helpers(self, path: Path, names: set[str]) -> Iterator[Path]:
        for name in names:
            for folder in (path.parent, *self._folders):
                base = folder.joinpath(*name.split("."))
                found = (base.with_suffix(".py"), base / "__init__.py")
                yield from (helper for helper in found if helper.exists() and helper != path)


def _imported(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the modules that these statements import, and each imported name with its module as prefix."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
