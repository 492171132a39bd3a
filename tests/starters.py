"""Which modules of tests start servers or processes: read from their text, without importing them."""

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
"""Modules and functions that start something."""


class Sources:
    """The modules that tests import, by the folders that they are found in."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._starting: dict[Path, bool] = {}

    def test_starts(self, path: Path) -> bool:
        """Say whether the imports at a test file's top say that its tests start servers or processes.

        What a test imports in its body is its own: such a test has a fixture that says it.
        """
        return self._do_start(path, ast.parse(path.read_bytes()).body)

    def helper_starts(self, path: Path) -> bool:
        """Say whether a module, or one that it imports, names anything that starts servers or processes."""
        if path not in self._starting:
            # Of two modules that import each other, each is looked at once.
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
    """Yield the modules that these statements import, and each name with its module's before it."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
