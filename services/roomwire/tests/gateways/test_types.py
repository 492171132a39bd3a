"""What a type checker says of a team's guards, pipes, interceptors and filters: nothing of right ones, and where wrong ones are."""

import re
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from roomwire import App, Call, Filter, Gateway, Pipe, Proceed, mark, subscribe
from roomwire.errors import ClientError, Forbidden


class Database:
    def card(self, card_id: str) -> "Card | None": ...


class Card: ...


def is_open(call: Call) -> bool:
    return call.mark(Card) is None


async def is_member(call: Call) -> bool:
    return call.user.kind == "account" and call.get(Database).card("a") is not None


def says_nothing(call: Call) -> None: ...


def takes_text(text: str) -> bool:
    return True


async def timed(call: Call, proceed: Proceed) -> object:
    return await proceed()


def not_async(call: Call, proceed: Proceed) -> object:
    return proceed()


def refused(error: KeyError, call: Call) -> ClientError | None:
    return Forbidden(str(error))


def load(card_id: str, database: Database) -> Card: ...


@contextlib.asynccontextmanager
async def database(call: Call) -> AsyncIterator[Database]:
    yield Database()


app = App()
app.provide(Database, Database())
app.provide(Database, Card())  # wrong
app.provide_per_call(Database, database)


class Board(Gateway):
    guards = (is_open, is_member)
    interceptors = (timed,)
    filters = (Filter(KeyError, refused),)

    @subscribe("a", guards=[is_open, is_member], interceptors=[timed])
    @mark(Card())
    async def a(self, card: Annotated[Card, Pipe(load)]) -> None: ...

    @subscribe("b", guards=[says_nothing])  # wrong
    async def b(self) -> None: ...

    @subscribe("c", guards=[takes_text])  # wrong
    async def c(self) -> None: ...

    @subscribe("d", interceptors=[not_async])  # wrong
    async def d(self) -> None: ...

    @subscribe("e", filters=[Filter(OSError, refused)])  # wrong
    async def e(self) -> None: ...
"""


@pytest.fixture(scope="module")
def starts_process():
    """It runs a type checker."""


def test_mypy_reports_wrong_ones_where_they_are_written(tmp_path, starts_process):
    program = tmp_path / "board.py"
    program.write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--disable-error-code=empty-body",
    ]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)

    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
    reported = {int(number) for number in re.findall(r"board\.py:(\d+): error", done.stdout)}
    assert wrong == reported, done.stdout + done.stderr
