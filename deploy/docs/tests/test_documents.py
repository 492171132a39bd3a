"""Links lead somewhere, programs are Python, and lists in documents are those of the code."""

import inspect
import re
from pathlib import Path

import documents
import pytest
from documents import DOCUMENTS, ROOT

from roomwire import App, Gateway, Server, Socket, errors
from roomwire.errors import ClientError
from roomwire_e2e.__main__ import TRIALS
from roomwire_e2e.phases import PHASES
from roomwire_gateway.chat import ChatGateway

WITH_AWAIT = 0x2000
"""`ast.PyCF_ALLOW_TOP_LEVEL_AWAIT`: a part of a coroutine is a program, too."""


def named(path):
    return path.relative_to(ROOT).as_posix()


def each_document(test):
    return pytest.mark.parametrize("document", DOCUMENTS, ids=named)(test)


@each_document
def test_each_link_leads_to_a_file_and_a_heading(document):
    lost = [
        f"{link.target}#{link.anchor}"
        for link in documents.links(document)
        if not link.target.exists() or (link.anchor and link.anchor not in documents.anchors(link.target))
    ]

    assert [] == lost


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One thing\n\n[here](#one-thing), [there](#another), [away](gone.md), `[code](none.md)`\n"
    )

    assert [(page, "one-thing"), (page, "another"), (tmp_path / "gone.md", "")] == [*documents.links(page)]
    assert {"one-thing"} == documents.anchors(page)


@each_document
def test_each_program_is_python(document):
    for program in documents.programs(document, "python"):
        compile(program, document.name, "exec", flags=WITH_AWAIT)


def test_each_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    decisions = ROOT / "docs" / "decisions" / "index.md"
    reached = {link.target for page in (index, decisions) for link in documents.links(page)}

    assert set() == {*(ROOT / "docs").rglob("*.md")} - reached - {index}


def test_the_phases_on_a_cluster_are_those_that_there_are():
    page = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
    table = page.partition("<!-- phases: checked by")[2].partition("\nA phase with fewer")[0]

    assert [*TRIALS, *(row.id for row in PHASES)] == re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)


@each_document
def test_each_target_of_make_exists(document):
    text = document.read_text(encoding="utf-8")
    made = {
        *re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    }
    shown = {*re.findall(r"(?:^|`)(?:\w+=\S+ )*make ([a-z][a-z0-9-]*)", text, re.MULTILINE)}

    assert set() == shown - made


PATH = re.compile(r"`((?:services|deploy|loadtest|tests|docs|requirements|\.github|\.ci)/[\w./{}*-]+)`")


@each_document
def test_each_file_that_is_named_exists(document):
    text = documents.prose(document)

    assert [] == [path for path in PATH.findall(text) if not found(path)]


def found(path):
    """Say whether a path, which may have a pattern, leads to something in the tree; what is made by a run need not be there."""
    return path.startswith(MADE) or any(True for _ in ROOT.glob(path.rstrip("/")))


MADE = ("loadtest/results/faults",)


MODULE = re.compile(r"`(roomwire(?:_\w+)?(?:\.\w+)+)`")
ATTRIBUTES = {"roomwire.event", "roomwire.refusal"}
"""Attributes of spans, which are named as modules are."""


@each_document
def test_each_module_that_is_named_exists(document):
    names = {*MODULE.findall(documents.prose(document))} - ATTRIBUTES

    assert [] == [name for name in sorted(names) if not is_in_the_tree(name)]


def is_in_the_tree(name):
    """Say whether a dotted name is a module, or a name that a module's text has."""
    package, *rest = name.split(".")
    sources = [*ROOT.glob(f"*/*/src/{package}"), *ROOT.glob(f"*/src/{package}")]
    return any(leads_to(source, rest) for source in sources)


def leads_to(place: Path, names):
    if not names:
        return True
    if (place / names[0]).is_dir():
        return leads_to(place / names[0], names[1:])
    module = place / f"{names[0]}.py"
    if module.exists():
        return all(re.search(rf"\b{name}\b", module.read_text(encoding="utf-8")) for name in names[1:])
    initial = place / "__init__.py"
    return initial.exists() and all(re.search(rf"\b{name}\b", initial.read_text("utf-8")) for name in names)


def rows_of(page, heading):
    """Return the first two cells of each row of a section's first table, without its head."""
    text = (
        (ROOT / "docs" / page)
        .read_text(encoding="utf-8")
        .partition(f"\n## {heading}\n")[2]
        .partition("\n## ")[0]
    )
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0]
    return [[cell.strip(" `") for cell in line.split("|")[1:3]] for line in table.splitlines()[2:]]


def test_the_chats_events_are_those_that_it_handles():
    events = {event for event, _ in rows_of("chat.md", "Events")}

    assert {"(connect)", *ChatGateway()._handlers} == events


def test_the_errors_that_clients_receive_are_those_that_there_are():
    rows = rows_of("gateways.md", "Errors that clients receive")
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ClientError)
    ]

    assert {kind.code: kind.retryable for kind in classes if kind is not ClientError} == {
        code: retryable == "yes" for code, retryable in rows
    }


GUIDES = sorted((ROOT / "docs").glob("from-*.md"))
NAMED = re.compile(r"(?<![\w./])(app|self\.server|self|server|sio|socket)\.(\w+)(?![\w-])")


def names_of_ours(page):
    """Yield what a guide's tables say of our objects, in the cells that are not those of the other side."""
    for line in documents.prose(page).splitlines():
        if line.startswith("| "):
            for cell in re.split(r"(?<!\\)\|", line)[2:]:
                yield from NAMED.findall(cell)


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_each_name_that_a_guide_gives_for_another_exists(page):
    found = [*names_of_ours(page)]
    server = dir(Server())
    known = {
        "app": dir(App()),
        "self": [*dir(Gateway()), *inspect.get_annotations(Gateway)],
        "socket": dir(Socket),
        **dict.fromkeys(("self.server", "server", "sio"), server),
    }

    assert found
    assert [] == [f"{owner}.{name}" for owner, name in found if name not in known[owner]]
