"""What CONTRIBUTING.md says of the code and of its tests is so."""

import ast
import re
import textwrap
from pathlib import Path

import documents
import pytest
from documents import DOCUMENTS, ROOT

PAGE = ROOT / "CONTRIBUTING.md"
TEXT = PAGE.read_text(encoding="utf-8")
LIBRARIES = {
    "redis-py": "redis",
    "PyJWT": "jwt",
    "cryptography": "cryptography",
    "argon2": "argon2",
    "uvicorn": "uvicorn",
    "httpx": "httpx",
    "websockets": "websockets",
    "watchfiles": "watchfiles",
    "opentelemetry": "opentelemetry",
}
WORLD = {"asyncio", "socket", "ssl", "select", "threading", "time", *LIBRARIES.values()} - {
    "jwt",  # computes
    "cryptography",
    "websockets",  # its frames alone
}
SOURCES = {
    ".".join(path.relative_to(source).with_suffix("").parts): path
    for source in sorted(ROOT.glob("services/*/src"))
    for path in sorted(source.rglob("*.py"))
}


def imported(path):
    """Return the packages that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module))
    return {name.partition(".")[0] for name in names}


def full(name):
    return name if name.startswith("roomwire_") else f"roomwire.{name}"


def table_of_libraries():
    section = TEXT.partition("**Foreign libraries**")[2].partition("\n\nEach service")[0]
    rows = re.findall(r"^\| ([\w-]+) \| (`.*) \|$", section, re.MULTILINE)
    return {name: {full(module) for module in re.findall(r"`([^`]+)`", modules)} for name, modules in rows}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_foreign_library_is_imported_where_the_page_says_and_nowhere_else(name):
    assert {
        module for module, path in SOURCES.items() if LIBRARIES[name] in imported(path)
    } == table_of_libraries()[name]


def test_the_page_names_no_other_library():
    assert LIBRARIES.keys() == table_of_libraries().keys()


def pure_modules():
    said = TEXT.partition("**Pure modules**")[2].partition("\n\n")[0]
    names = re.findall(r"`([\w.]+)`", said.partition("of the log")[0])
    names += [
        f"log.{name}"
        for name in re.findall(r"`(\w+)`", said.partition("of the log")[2].partition("; of the")[0])
    ]
    names += re.findall(r"`([\w.]+)`", said.partition("of the tokens")[2])
    return names


def test_pure_modules_know_no_socket_no_loop_and_no_clock():
    said = {full(name) for name in pure_modules()}
    known = {name for name in said if any(f"{module}.".startswith(f"{name}.") for module in SOURCES)}
    impure = {
        module: imported(path) & WORLD
        for module, path in SOURCES.items()
        if any(f"{module}.".startswith(f"{name}.") for name in said)
    }

    assert said == known
    assert len(said) > 15
    assert {} == {module: found for module, found in impure.items() if found}


def test_what_is_impure_is_seen_to_be():
    assert {"asyncio", "redis"} <= imported(SOURCES["roomwire.identity.revocations"]) & WORLD


ABOVE = {
    "deploy/local": {"roomwire_loadtest", "roomwire_e2e"},
    "loadtest": {"roomwire_e2e"},
    "deploy/e2e": set(),
}


@pytest.mark.parametrize("folder", ABOVE)
def test_a_program_imports_from_those_before_it_and_from_no_test(folder):
    tests = {path.stem for path in (ROOT / folder / "tests").rglob("*.py")} | {"tests", "conftest"}
    programs = [*(ROOT / folder / "src").rglob("*.py")]

    assert programs
    assert {} == {path: found for path in programs if (found := imported(path) & (ABOVE[folder] | tests))}


@pytest.mark.parametrize("folder", ["services", "deploy", "loadtest", "tests", "examples"])
def test_nothing_of_ours_is_mocked(folder):
    paths = [path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]

    assert [] == [path for path in paths if re.search(r"unittest(\.| import )mock", path.read_text("utf-8"))]


def test_tests_about_time_run_as_often_as_the_page_says():
    assert "tests about time twenty times in a row" in TEXT.replace("\n  ", " ")
    assert "$(or $(TIMES),20)" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_file_of_tests_that_is_named_exists(document):
    named = re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", documents.prose(document))
    written = {
        path.name
        for folder in ("tests", "services", "deploy", "loadtest", "examples")
        for path in (ROOT / folder).rglob("test_*.py")
    }
    written |= {"test_b.py", "test_board.py"}  # they stand for any, and for a reader's own

    assert set() == {*named} - written


def first_change():
    """Return the test and the handler of the first change."""
    section = TEXT.partition("## A first change")[2].partition("\n## ")[0]
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in blocks]


def test_the_first_change_is_one_that_nobody_has_made_yet_in_files_that_there_are():
    test, handler = first_change()
    gateway = ROOT / "services" / "gateway"

    for code, name, path in (
        (test, "wave", Path("tests/test_chat.py")),
        (handler, "wave", Path("src/roomwire_gateway/chat.py")),
    ):
        compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True)
        assert name in code
        assert name not in (gateway / path).read_text(encoding="utf-8")
