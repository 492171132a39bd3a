"""`docs/nestjs.md` has a row for each heading of NestJS' pages, and names for each row what proves it, or why there is nothing."""

import ast
import functools
import re
import tomllib

import pytest
from documents import ROOT

PAGE = (ROOT / "docs" / "nestjs.md").read_text(encoding="utf-8")
SOURCE = tomllib.loads((ROOT / "deploy/docs/nestjs_headings.toml").read_text(encoding="utf-8"))
CASES = tomllib.loads((ROOT / "deploy/clients/tests/alike/cases.toml").read_text(encoding="utf-8"))["case"]
SECTION = re.compile(r"^### .*\(`(.+)`\)\n\n((?:\|.*\n)+)", re.MULTILINE)
CELL = re.compile(r"(?<!\\)\|")
TEST = re.compile(r"`(\w+\.py)::(test_\w+)`")
CASE = re.compile(r"\*([^*]+)\*")
TESTS = [
    path
    for folder in ("services", "deploy", "loadtest", "examples")
    for path in (ROOT / folder).rglob("test_*.py")
    if "node_modules" not in path.parts
]


def rows():
    """Return the cells of the rows of each page of NestJS."""
    return {
        page: [[cell.strip() for cell in CELL.split(line)[1:-1]] for line in table.splitlines()[2:]]
        for page, table in SECTION.findall(PAGE)
    }


def unproved(proof):
    """Return what is wrong with a row's last cell: what it names and does not exist, or that it names nothing and has no reason."""
    tests, cases = TEST.findall(proof), CASE.findall(proof)
    if not tests and not cases:
        return [] if re.fullmatch(r"No, because .{10,}\.", proof) else [proof]
    known = {case["name"] for case in CASES}
    return [
        *(f"{file}::{test}" for file, test in tests if test not in named_in(file)),
        *(case for case in cases if case not in known),
    ]


@functools.cache
def named_in(file):
    """Return the names of the tests in files of this name."""
    return {
        node.name
        for path in TESTS
        if path.name == file
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_heading_of_nestjs_has_a_row():
    assert SOURCE["pages"] == {page: [heading for heading, *_ in table] for page, table in rows().items()}
    assert SOURCE["commit"][:12] in PAGE


@pytest.mark.parametrize("page", SOURCE["pages"])
def test_each_row_has_a_test_that_exists_or_a_reason(page):
    table = rows()[page]

    assert [] == [(row[0], wrong) for row in table for wrong in unproved(row[3])]
    assert {4} == {len(row) for row in table}


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "No",
        "No, because.",
        "`test_chain.py::test_nothing`",
        "`test_nowhere.py::test_it`",
        "*a case that is not there*",
    ],
)
def test_a_row_that_proves_nothing_is_found(proof):
    assert unproved(proof)
