"""`roomwire check`, in this process: what it prints, and how it ends."""

import re
import sys
from pathlib import Path

import pytest

from roomwire.app.commands.line import run_command

BOARD = """
import contextlib
from roomwire import App, Gateway, Server, subscribe

class Database: ...

class Board(Gateway):
    def __init__(self, database: Database) -> None:
        super().__init__()

    @subscribe("move")
    async def move(self, card: str) -> str:
        return card

class Plain(Gateway):
    @subscribe("say")
    async def say(self, text: str) -> None: ...

@contextlib.asynccontextmanager
async def lifespan(app):
    raise AssertionError("the lifespan ran")
    yield

app = App(Board, lifespan=lifespan)
plain = App(Plain)
lacking = App(Board)
sio = Server(cors_allowed_origins="*", ping_interval=5)

@sio.event
def moved(sid, card): ...

brought = App(server=sio)

class Bounded(Gateway, max_connections_per_user=5): ...

bounded = App(Bounded)

class Dear(Gateway):
    @subscribe("sum", cost=2)
    async def sum(self) -> None: ...

    @subscribe("report", cost=20)
    async def report(self) -> None: ...

    @subscribe("say")
    async def say(self) -> None: ...

dear = App(Dear)

def make():
    return plain

def fail():
    return 1 / 0

async def late():
    return plain
"""


@pytest.fixture
def check(folder, capsys):
    """Run `roomwire check` in a folder with an application; returns the exit status, and what was printed where."""
    (folder / "board.py").write_text(BOARD)
    (folder / "needy.py").write_text("import nothing_of_this_name\n")
    (folder / "broken.py").write_text(
        "def compute():\n    raise ValueError('one\\ntwo')\n\napp = compute()\n"
    )
    (folder / "two.py").write_text(
        "from board import Plain\nfrom roomwire import App\napp = App(Plain, Plain)\n"
    )

    def run(*arguments):
        status = run_command(["check", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    yield run
    for name in ("board", "needy", "broken", "two"):
        sys.modules.pop(name, None)


def test_check_prints_the_settings_in_force_and_what_is_subscribed_to_without_the_lifespan(check):
    status, printed, error = check("board:app")

    assert (0, "") == (status, error)
    assert "ROOMWIRE_AUTH_MODE=required\n" in printed
    assert [
        "namespace /: move",
        "Board needs: Database",
        "not checked: the lifespan, which runs only in a process that serves, and what it provides",
    ] == printed.partition("\n\n")[2].splitlines()


def test_check_lists_what_costs_more_than_an_ordinary_event(check):
    printed = check("board:dear")[1].partition("\n\n")[2]

    assert "Dear costs, in ordinary events: report 20, sum 2" in printed.splitlines()


@pytest.mark.parametrize("name", ["plain", "make"])
def test_an_application_is_an_app_or_what_a_function_makes(check, name):
    status, printed, _ = check(f"board:{name}")

    assert (0, "namespace /: say\n") == (status, printed.partition("\n\n")[2])


def test_the_setting_names_the_application_where_the_command_does_not(check, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_APP", "board:plain")

    assert 0 == check()[0]
    assert "namespace /: move" in check("board:app")[1]


def test_check_shows_where_a_server_and_the_settings_both_speak_and_differ(check, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_CORS_ORIGINS", "https://a.example")
    status, printed, _ = check("board:brought")

    assert 0 == status
    assert [
        "namespace /: moved",
        "the server's cors_allowed_origins='*' has no effect: ROOMWIRE_CORS_ORIGINS=https://a.example applies",
        "the server's ping_interval=5 has no effect: ROOMWIRE_PING_INTERVAL_S=25.0 applies",
    ] == printed.partition("\n\n")[2].splitlines()


@pytest.mark.parametrize(
    ("most", "sentences"),
    [
        (
            3,
            [
                "the max_connections_per_user=5 of Bounded has no effect: ROOMWIRE_MAX_CONNECTIONS_PER_USER=3 applies"
            ],
        ),
        (5, []),
        (0, []),
    ],
)
def test_check_shows_where_a_gateway_and_the_setting_bound_users_differently(
    check, monkeypatch, most, sentences
):
    monkeypatch.setenv("ROOMWIRE_MAX_CONNECTIONS_PER_USER", str(most))
    printed = check("board:bounded")[1]

    assert sentences == [line for line in printed.splitlines() if "of Bounded" in line]


@pytest.mark.parametrize("most", [0, 3])
def test_check_says_that_function_handlers_bound_nobody(check, monkeypatch, most):
    monkeypatch.setenv("ROOMWIRE_MAX_CONNECTIONS_PER_USER", str(most))

    assert bool(most) == ("has no effect on function handlers" in check("board:brought")[1])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            None,
            "import: no application is given: run roomwire check MODULE:ATTRIBUTE, or set ROOMWIRE_APP",
        ),
        ("board", "import: 'board' does not name an application: write module:attribute, such as board:app"),
        (
            "bord:app",
            "import: there is no module 'bord' in {here} or among the installed packages",
        ),
        ("board:ap", "import: board has no attribute 'ap': did you mean board:app?"),
        ("board:zzz", "import: board has no attribute 'zzz'"),
        ("board:sio", "import: board:sio is a Server, not an App: write app = App(...)"),
        ("board:Board", "import: board:Board is a class, not an App: write app = App(...)"),
        (
            "board:late",
            "import: board:late is a coroutine, not an App: write app = App(...) in a function that is not async",
        ),
        ("two:app", "bind: the namespace '/' is served by Plain and by Plain"),
        (
            "board:lacking",
            (
                "lifespan: Board needs a Database (its parameter 'database'), but none is provided: call "
                "app.provide(Database, ...) in the lifespan"
            ),
        ),
    ],
)
def test_an_application_that_cannot_be_served_is_one_sentence_that_names_the_step(
    check, tmp_path, name, sentence
):
    status, printed, error = check(*([name] if name else []))

    assert (1, "") == (status, printed)
    assert f"roomwire: {sentence.format(here=tmp_path)}\n" == error


@pytest.mark.parametrize(
    ("name", "sentence", "first", "last"),
    [
        ("broken:app", "import: broken raised ValueError: one", 'broken.py", line 4', "two"),
        (
            "board:fail",
            "import: board:fail() raised ZeroDivisionError: division by zero",
            "in fail",
            "by zero",
        ),
        (
            "needy:app",
            "import: needy raised ModuleNotFoundError: No module named 'nothing_of_this_name'",
            'needy.py", line 1',
            "'nothing_of_this_name'",
        ),
    ],
)
def test_code_that_raises_is_shown_from_its_own_first_line(check, name, sentence, first, last):
    status, _, error = check(name)
    said, head, frame, *rest = error.splitlines()

    assert 1 == status
    assert [f"roomwire: {sentence}", "Traceback (most recent call last):"] == [said, head]
    assert first in frame
    assert rest[-1].endswith(last)


def test_a_wrong_setting_is_a_sentence_and_another_status(check, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_AUTH_MODE", "perhaps")
    status, printed, error = check("board:plain")

    assert (2, "") == (status, printed)
    assert error.startswith("roomwire: ROOMWIRE_AUTH_MODE: ")


def test_an_api_that_nobody_could_call_is_refused(check, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_API_PORT", "1")
    monkeypatch.setenv("ROOMWIRE_AUTH_MODE", "off")

    assert (
        2,
        "",
        "roomwire: no caller could use the API: set ROOMWIRE_API_KEYS, or a ROOMWIRE_AUTH_MODE other than off\n",
    ) == check("board:plain")


PAGE = (Path(__file__).parents[5] / "docs" / "application.md").read_text(encoding="utf-8")
PROGRAMS = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "\napp = " in code]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_each_program_of_the_page_is_an_application(check, tmp_path, number):
    (tmp_path / f"page{number}.py").write_text(PROGRAMS[number])
    status, printed, error = check(f"page{number}:app")

    assert (0, "") == (status, error)
    assert "namespace /: " in printed


def test_no_server_says_that_it_reads_no_settings_where_they_are_read_later(check, monkeypatch, capsys):
    monkeypatch.setenv("ROOMWIRE_AUTH_MODE", "required")
    _, printed, error = check("board:brought")

    assert "not read" not in printed + error
