"""No test depends on another test file or on a sleep: checked in the text of tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("tests", "services", "deploy", "loadtest", "examples")
ALLOWED = frozenset({"tests/waiting.py"})
"""The files that may sleep: only the module by which tests wait."""
TESTS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "tests" in path.relative_to(ROOT).parts
    and "node_modules" not in path.parts
    and path.relative_to(ROOT).as_posix() not in ALLOWED
)
"""All files of tests, and the modules beside them."""


def imported_tests(text: str) -> Iterator[str]:
    """Yield the test modules that a module imports."""
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name.rpartition(".")[2].startswith("test_"))


def sleeps(text: str) -> Iterator[str]:
    """Yield each sleep of a module, except `sleep(0)`, which only lets other tasks run."""
    if "sleep" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"asyncio.sleep", "sleep", "time.sleep"}:
            seconds = node.args[0] if node.args else None
            if not (isinstance(seconds, ast.Constant) and seconds.value == 0):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def test_there_are_tests_to_look_at():
    assert Path(__file__) in TESTS
    assert len(TESTS) > 200


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_test_imports_another_test_or_sleeps(path):
    text = path.read_text(encoding="utf-8")

    assert [] == list(imported_tests(text)), "what two test files share stands in a module of its own"
    assert [] == list(sleeps(text)), "wait by tests/waiting.py: for a condition, or say that time has to pass"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import test_other", ["test_other"]),
        ("from test_other import thing", ["test_other"]),
        ("def test():\n    from package.test_other import thing", ["package.test_other"]),
        ("import testing\nfrom latest_ import x", []),
    ],
)
def test_an_import_of_a_test_is_seen(text, found):
    assert found == list(imported_tests(text))


@pytest.mark.parametrize(
    ("text", "is_sleep"),
    [
        ("await asyncio.sleep(0.1)", True),
        ("time.sleep(1)", True),
        ("await sleep(SOME_S)", True),
        ("await asyncio.sleep(0)", False),
        ("server.sleep(1)", False),
    ],
)
def test_a_sleep_is_seen(text, is_sleep):
    assert is_sleep is bool(list(sleeps(text)))
