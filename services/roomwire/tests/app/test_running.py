"""An application that runs, without a process: its lifespan, what its gateways are made with, and how it fails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette

from roomwire import App, Gateway, Server, subscribe
from roomwire.app.running import Running, server_of
from roomwire.errors import ApplicationError, Unavailable


class Database:
    """Something that a lifespan opens."""

    def __init__(self, name: str = "it") -> None:
        self.name = name


class Board(Gateway):
    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    async def after_init(self) -> None:
        done.append(f"after_init with {self.database.name}")

    @subscribe("move")
    async def move(self, card: str) -> str:
        return card


class Plain(Gateway): ...


done: list[str] = []


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()


@contextlib.asynccontextmanager
async def opening(app: App) -> AsyncIterator[None]:
    done.append("open")
    app.provide(Database, Database())
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asyncio.Event().wait())
        yield
        waiting.cancel()
    done.append("close")


def run_of(app: App, **provided) -> Running:
    return Running(app, server_of(app), provided)


@pytest.mark.parametrize(("setting", "expected"), [(0, [0, 5]), (3, [3, 3])])
async def test_the_setting_of_connections_per_user_is_in_place_of_what_gateways_say(setting, expected):
    class Bounded(Gateway, namespace="/bounded", max_connections_per_user=5): ...

    app = App(Plain, Bounded)
    server = server_of(app)
    running = Running(app, server, {}, max_connections_per_user=setting)
    await running.start()

    gateways = server.namespace_handlers
    assert expected == [gateways[name].max_connections_per_user for name in ("/", "/bounded")]
    await running.close()


async def test_gateways_are_made_from_what_the_lifespan_provides_and_it_ends_last():
    running = run_of(App(Board, lifespan=opening))
    await running.start()

    assert ["open", "after_init with it"] == done
    assert running.app.get(Board).server is running.app.get(Server)
    await running.close()
    await running.close()
    assert ["open", "after_init with it", "close"] == done


async def test_what_a_lifespan_opens_may_belong_to_its_task():
    running = run_of(App(Board, lifespan=opening))
    await asyncio.create_task(running.start())
    await asyncio.create_task(running.close())

    assert "close" == done[-1]


async def test_an_instance_that_the_lifespan_adds_is_served():
    mine = Board(Database("mine"))

    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        app.add(mine)
        yield

    running = run_of(App(Board, lifespan=lifespan))
    await running.start()

    assert mine is running.app.get(Server).namespace_handlers["/"]
    assert ["after_init with mine"] == done


async def test_two_runs_of_one_app_share_nothing():
    app = App(Board, lifespan=opening)
    one, other = run_of(app), run_of(app)
    await one.start()
    await other.start()

    assert one.app.get(Board) is not other.app.get(Board)
    assert one.app.get(Database) is not other.app.get(Database)
    await one.close()
    await other.close()


async def test_a_lifespan_that_waits_for_something_is_entered_anew():
    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        done.append("try")
        if done == ["try"]:
            raise Unavailable("no database yet")
        app.provide(Database, Database("late"))
        yield

    running = run_of(App(Board, lifespan=lifespan))
    with pytest.raises(Unavailable):
        await running.start()
    await running.start()

    assert ["try", "try", "after_init with late"] == done
    await running.close()


async def test_a_gateway_that_waits_for_something_ends_the_lifespan_before_the_next_try():
    class Waiting(Gateway):
        async def after_init(self) -> None:
            if done.count("open") == 1:
                raise Unavailable

    running = run_of(App(Waiting, lifespan=opening))
    with pytest.raises(Unavailable):
        await running.start()
    assert ["open", "close"] == done
    await running.start()
    await running.close()
    assert ["open", "close"] * 2 == done


@contextlib.asynccontextmanager
async def failing(app: App) -> AsyncIterator[None]:
    raise KeyError("dsn")
    yield


class Unmakable(Gateway):
    def __init__(self) -> None:
        raise ValueError("no\nluck")


class Hasty(Gateway):
    async def after_init(self) -> None:
        raise ValueError


class Elsewhere(Gateway):
    def __init__(self) -> None:
        super().__init__("/elsewhere")


@pytest.mark.parametrize(
    ("app", "sentence", "line"),
    [
        pytest.param(
            App(lifespan=failing),
            "lifespan: the lifespan raised KeyError: 'dsn'",
            'KeyError("dsn")',
            id="lifespan",
        ),
        pytest.param(
            App(Unmakable),
            "lifespan: Unmakable(...) raised ValueError: no",
            'ValueError("no\\nluck")',
            id="made",
        ),
        pytest.param(
            App(Hasty), "lifespan: Hasty.after_init raised ValueError", "raise ValueError", id="hook"
        ),
        pytest.param(
            App(Elsewhere),
            "bind: Elsewhere serves '/elsewhere', but its class declares '/': "
            "write class Elsewhere(Gateway, namespace='/elsewhere')",
            "",
            id="another namespace",
        ),
    ],
)
async def test_what_fails_is_a_sentence_and_the_applications_own_traceback(app, sentence, line):
    with pytest.raises(ApplicationError) as failed:
        await run_of(app).start()

    assert sentence == str(failed.value)
    assert line in failed.value.traceback
    first = failed.value.traceback.splitlines()[1:2]
    assert [__file__ in frame for frame in first] == [True] * bool(line)


async def test_an_http_application_is_told_of_start_and_end():
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        done.append("http opens")
        yield {"who": "starlette"}
        done.append("http closes")

    running = run_of(App(Plain, lifespan=opening, http=Starlette(lifespan=lifespan)))
    await running.start()
    await running.close()

    assert ["open", "http opens", "http closes", "close"] == done


async def test_an_http_application_that_cannot_start_is_a_sentence():
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise ValueError("no tables")
        yield

    with pytest.raises(ApplicationError) as failed:
        await run_of(App(http=Starlette(lifespan=lifespan))).start()

    assert "lifespan: the HTTP application did not start: ValueError: no tables" == str(failed.value)
    assert 'raise ValueError("no tables")' in failed.value.traceback


async def test_an_http_application_without_a_lifespan_is_served_all_the_same():
    async def app(scope, receive, send) -> None:
        assert "http" == scope["type"]
        await send({"who": scope["state"]})

    running = run_of(App(http=app))
    await running.start()
    sent = []

    async def send(message) -> None:
        sent.append(message)

    await running.http({"type": "http", "state": {"a": 1}}, None, send)
    await running.close()
    assert [{"who": {"a": 1}}] == sent


async def test_a_lifespan_that_fails_at_its_end_is_a_line_of_the_log(log_lines):
    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield
        raise ValueError("too late")

    running = run_of(App(lifespan=lifespan))
    await running.start()
    await running.close()

    assert ["lifespan failed at its end"] == [
        line["event"] for line in log_lines() if line["level"] == "error"
    ]


async def test_a_lifespan_that_does_not_end_is_cut_off(log_lines, monkeypatch):
    monkeypatch.setattr("roomwire.app.running.LIFESPAN_END_S", 0.01)

    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    running = run_of(App(lifespan=lifespan))
    await running.start()
    await running.close()

    assert "lifespan not ended" in [line["event"] for line in log_lines()]


async def test_a_server_that_is_brought_keeps_its_handlers_and_gets_other_arguments():
    server = Server(node_name="mine", cors_allowed_origins="*")
    server.on("move", len)
    server.on_server_side("told", len, namespace="/x")
    served = server_of(App(server=server), node_name="n7", cors_allowed_origins=["https://a.example"])

    assert served is server
    assert ("n7", "n7", ["https://a.example"]) == (
        server.node_name,
        server.eio.node_name,
        server.eio.cors_allowed_origins,
    )
    assert {"move": len} == server.handlers["/"]
    assert len is server._parts.node_events.handlers["/x", "told"]
