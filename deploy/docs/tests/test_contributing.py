"""What CONTRIBUTING.md says of the code and of its tests is so."""

import ast
import functools
import re
import tomllib

import documents
import pytest
from documents import DOCUMENTS, ROOT
from wire.cases import ENGINE_IO, SOCKET_IO

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


@functools.cache
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


@functools.cache
def files_of_tests():
    return {
        path.name
        for folder in ("tests", "services", "deploy", "loadtest", "examples")
        for path in (ROOT / folder).rglob("test_*.py")
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_file_of_tests_that_is_named_exists(document):
    named = re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", documents.prose(document))
    others = {"test_b.py", "test_kanban.py"}  # they stand for any, and for a reader's own

    assert set() == {*named} - files_of_tests() - others


PACKAGES = sorted(
    path.name
    for path in (ROOT / "services/roomwire/src/roomwire").iterdir()
    if (path / "__init__.py").exists()
)


def is_in_the_library(name):
    """Say whether the library has a module of a dotted name, or a module with what the name ends in."""
    module, _, last = name.rpartition(".")
    return f"roomwire.{name}" in SOURCES or any(
        re.search(rf"\b{last}\b", SOURCES[place].read_text(encoding="utf-8"))
        for place in (f"roomwire.{module}", f"roomwire.{module}.__init__")
        if place in SOURCES
    )


def test_each_module_of_the_library_that_the_page_names_by_its_package_exists():
    names = {*re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`", TEXT)} - {"app.py"}

    assert len(names) > 30
    assert [] == [name for name in sorted(names) if not is_in_the_library(name)]
    assert not is_in_the_library("engine.motor")


def test_a_package_is_a_folder_with_its_sources_and_its_tests():
    said = TEXT.partition("`tests/`: the services, then ")[2].partition(". Each of")[0]
    folders = [
        *(path.parent for path in (ROOT / "services").glob("*/pyproject.toml")),
        *(ROOT / name for name in re.findall(r"`([\w/]+)`", said)),
    ]

    assert {"roomwire", "gateway", "auth", "local", "loadtest", "e2e"} == {folder.name for folder in folders}
    assert {folder / "pyproject.toml" for folder in folders} == {
        path for path in ROOT.glob("*/*/pyproject.toml") if "node_modules" not in path.parts
    } | {ROOT / "loadtest/pyproject.toml"}
    for folder in folders:
        (package,) = (folder / "src").glob("*/__init__.py")
        assert package.exists()
        assert [*(folder / "tests").rglob("test_*.py")]


def test_the_programs_that_are_no_packages_are_where_the_page_says():
    said = TEXT.partition("The programs of ")[2].partition(" are files")[0]
    folders = {path.parent for path in (ROOT / "deploy").glob("*/*.py")}

    assert {*re.findall(r"`([\w/]+)`", said)} == {path.relative_to(ROOT).as_posix() for path in folders}
    assert not [folder for folder in folders if (folder / "pyproject.toml").exists()]


def test_the_rows_of_the_fault_suite_that_run_short_are_as_many_as_the_page_says():
    text = (ROOT / "loadtest/tests/faults/test_short.py").read_text(encoding="utf-8")
    short = ast.literal_eval(re.search(r"^SHORT = (\(.*?\))$", text, re.MULTILINE)[1])

    assert f"- {NUMBERS[len(short)]} rows of the fault suite run short" in TEXT


NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def test_each_file_that_is_named_by_the_end_of_its_path_exists():
    named = re.findall(r"`((?:bench|capacity)/[\w/]+\.py)`", TEXT)

    assert named
    assert [] == [path for path in named if not (ROOT / "loadtest/src/roomwire_loadtest" / path).exists()]


def test_the_toolchains_that_clients_need_are_those_of_their_projects():
    go = (ROOT / "deploy/clients/go/go.mod").read_text(encoding="utf-8")
    version = re.search(r"^go (\d+\.\d+)", go, re.MULTILINE)[1]

    assert f"`go` {version}" in TEXT


def test_a_release_has_the_packages_that_the_page_lists():
    said = TEXT.partition("wheels and sdists of ")[2].partition(", the chart")[0]
    build = (ROOT / "deploy/release/build.py").read_text(encoding="utf-8")
    packages = build.partition("PACKAGES: ")[2].partition("\n}")[0]
    folders = [ROOT.joinpath(*re.findall(r'"(\w+)"', path)) for path in re.findall(r"TOP(.*),", packages)]
    projects = [tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")) for folder in folders]

    assert {*re.findall(r"`([\w-]+)`", said)} == {project["project"]["name"] for project in projects}


def test_the_cases_of_the_protocols_suites_are_as_many_as_the_page_says():
    assert f"All {len(ENGINE_IO) + len(SOCKET_IO)} of their cases pass" in TEXT
