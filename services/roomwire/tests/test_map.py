"""The map of the code in CONTRIBUTING.md is what the code's own docstrings say."""

import ast
import importlib.util
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2]
SOURCES = sorted(
    path for path in SERVICES.glob("*/src/*/**/*.py") if path.stem != "__main__" and path.stat().st_size
)
# Packages and modules at the top: what fits on half a screen.
MOST_PARTS = 22


def _writer():
    spec = importlib.util.spec_from_file_location("map_of_the_code", SERVICES / "map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_map_is_what_the_docstrings_say():
    writer = _writer()
    page = writer.PAGE.read_text()

    assert writer.with_map(page) == page, "run `make map`"


def test_a_module_that_the_map_does_not_know_changes_it(monkeypatch, tmp_path):
    writer = _writer()
    package = tmp_path / "log"
    package.mkdir()
    (package / "__init__.py").write_text('"""What a log is."""\n')
    (package / "newcomer.py").write_text('"""New."""\n')
    monkeypatch.setattr(writer, "LIBRARY", tmp_path)
    monkeypatch.setattr(writer, "SERVICES", ())
    monkeypatch.setattr(writer, "_layers", lambda: ["log"])

    assert "| `log/` | What a log is. | `newcomer` |" in writer.written()


def test_the_library_has_no_more_parts_than_a_reader_can_look_through():
    rows = [line for line in _writer().written().splitlines()[2:] if "`roomwire_" not in line]

    assert len(rows) <= MOST_PARTS, "put a new part into one that is there, or join two"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(SERVICES).as_posix())
def test_each_module_says_what_it_owns(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
