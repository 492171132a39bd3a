"""`roomwire contract`, in this process: what it prints, and how it ends."""

import json
import sys
from pathlib import Path

import pytest

from roomwire.app.commands.line import run_command

BOARD = """
import contextlib
import msgspec
from roomwire import App, Gateway, emits, subscribe

class Card(msgspec.Struct):
    id: str
    column: str

class Board(Gateway):
    moved = emits("moved", Card)

    @subscribe("move")
    async def move(self, card: Card) -> Card:
        return card

@contextlib.asynccontextmanager
async def lifespan(app):
    raise AssertionError("the lifespan ran")
    yield

app = App(Board)
opened = App(Board, lifespan=lifespan)
"""


@pytest.fixture
def contract(folder, monkeypatch, capsys):
    """Run `roomwire contract` in a folder with an application; returns the exit status, and what was printed where."""

    def run(*arguments, source=BOARD):
        (folder / "board.py").write_text(source)
        sys.modules.pop("board", None)
        status = run_command(["contract", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    # Releases are written within the same second.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield run
    sys.modules.pop("board", None)


def test_it_prints_an_asyncapi_document(contract):
    status, printed, error = contract("board:app")

    assert (0, "") == (status, error)
    document = json.loads(printed)
    assert ("3.0.0", "/") == (document["asyncapi"], document["channels"]["root"]["address"])
    assert {"root.connect", "root.receive.move", "root.send.moved", "root.send.exception"} == {
        *document["operations"]
    }
    assert (0, printed, "") == contract("board:app", "--asyncapi")


def test_it_prints_types(contract):
    status, printed, error = contract("board:app", "--typescript")

    assert (0, "") == (status, error)
    assert "moved: (card: Card, offset?: string) => void;\n" in printed


def test_the_lifespan_does_not_run_which_is_said(contract):
    status, printed, error = contract("board:opened")

    assert 0 == status
    assert error.startswith("not known: The lifespan was not run")
    assert [error.removeprefix("not known: ").strip()] == json.loads(printed)["info"]["x-roomwire-not-known"]


@pytest.mark.parametrize(
    ("old", "new", "status", "lines"),
    [
        ("", "", 0, ["nothing has changed"]),
        (
            "column: str",
            "column: str | None = None",
            1,
            ["breaks: / move: ack.column was string, and may be null now"],
        ),
        (
            "column: str",
            "column: str\n    size: int",
            1,
            ["breaks: / move: argument card.size is required now"],
        ),
        (
            'emits("moved", Card)',
            'emits("gone", Card)',
            1,
            ["adds: / gone: it is emitted now", "breaks: / moved: it is emitted no more"],
        ),
        ("class Board(", '@__import__("roomwire").mark(1)\nclass Board(', 0, ["nothing has changed"]),
        ("card: Card)", "card: Card, note: str = '')", 0, ["adds: / move: more is taken as argument"]),
    ],
)
def test_it_says_what_has_changed_and_fails_where_that_breaks_clients(
    contract, tmp_path, old, new, status, lines
):
    earlier = tmp_path / "asyncapi.json"
    earlier.write_text(contract("board:app")[1])
    ended, printed, error = contract("board:app", "--check", str(earlier), source=BOARD.replace(old, new))

    assert status == ended
    assert {*lines} <= {*printed.splitlines()}
    assert status == ("of" in error and "changes break clients of" in error)


def test_a_token_that_is_required_is_a_change_of_a_setting(contract, tmp_path, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_AUTH_MODE", "off")
    earlier = tmp_path / "asyncapi.json"
    earlier.write_text(contract("board:app")[1])
    monkeypatch.setenv("ROOMWIRE_AUTH_MODE", "required")
    status, printed, error = contract("board:app", "--check", str(earlier))

    assert (1, "breaks: / connect: the token was off, and is required\n") == (status, printed)
    assert error == f"roomwire: 1 of 1 changes break clients of {earlier}\n"


@pytest.mark.parametrize("text", ["", "{}", '{"asyncapi": "3.0.0"}', "[1]"])
def test_what_the_command_did_not_write_cannot_be_compared(contract, tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    status, printed, error = contract("board:app", "--check", "other.json")

    assert (2, "") == (status, printed)
    assert "other.json is not a document that `roomwire contract` wrote" in error


def test_a_file_that_is_not_there_is_a_wrong_use(contract):
    assert 2 == contract("board:app", "--check", "nowhere.json")[0]


def test_an_application_that_cannot_be_bound_has_no_contract(contract):
    status, printed, error = contract("board:app", source=BOARD.replace("card: Card", "card"))

    assert (1, "") == (status, printed)
    assert "has no annotation" in error


def test_the_page_shows_what_the_command_prints(contract, tmp_path):
    page = (Path(__file__).parents[5] / "docs" / "contract.md").read_text(encoding="utf-8")
    before = page.partition("```python\n")[2].partition("```")[0]
    after = before.replace('"done"]', '"done", "late"]\n    size: int')
    shown = page.partition("```text\n")[2].partition("```")[0]
    status, printed, error = contract("board:app", source=before)
    (tmp_path / "asyncapi.json").write_text(printed)

    assert (0, "") == (status, error)
    ended, said, refusal = contract("board:app", "--check", "asyncapi.json", source=after)
    assert (1, shown) == (ended, said + refusal)
