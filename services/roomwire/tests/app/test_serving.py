"""Applications in processes of their own, served by `python -m roomwire serve`: real clients, real ports, real signals."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import websockets
from engineio.async_socket import AsyncSocket
from live import Client, Polling, served
from service_process import running
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until

from roomwire import App, Gateway, Server
from roomwire.app.node import Node
from roomwire.app.running import server_of
from roomwire.app.settings import GatewaySettings
from roomwire.errors import ApplicationError
from roomwire.identity.tokens import SigningKey, User

BOARD = """
import asyncio
import contextlib
import pathlib

import msgspec
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from roomwire import App, Gateway, Socket, subscribe
from roomwire.errors import Unavailable

DONE = pathlib.Path(__file__).parent / "done"


def note(text):
    with DONE.open("a") as done:
        done.write(text + "\\n")


class Card(msgspec.Struct):
    id: str
    column: str


class Database:
    def __init__(self):
        self.cards = {}


class Board(Gateway):
    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    async def on_connection(self, socket: Socket) -> None:
        await socket.join("board")

    async def on_disconnection(self, socket: Socket, reason: str) -> None:
        note("client gone")

    @subscribe("move")
    async def move(self, card: Card) -> Card:
        self.database.cards[card.id] = card.column
        await self.emit("moved", card, to="board")
        return card


@contextlib.asynccontextmanager
async def lifespan(app):
    if not DONE.exists():
        note("waiting")
        raise Unavailable("the database does not answer yet")
    database = Database()
    http.state.database = database
    app.provide(Database, database)
    note("open")
    yield
    note("close")


@contextlib.asynccontextmanager
async def of_http(_):
    note("http open")
    yield {"greeting": "hello"}
    note("http close")


http = FastAPI(lifespan=of_http)


@http.get("/cards")
async def cards(request: Request):
    return {"cards": http.state.database.cards, "greeting": request.state.greeting, "scheme": request.url.scheme}


@http.post("/cards")
async def add(request: Request):
    return len(await request.body())


last = asyncio.Event()


@http.get("/parts")
async def parts():
    async def told():
        yield "first"
        await last.wait()
        yield "last"

    return StreamingResponse(told())


@http.post("/last")
async def say_last():
    last.set()


@http.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    while True:
        await websocket.send_text((await websocket.receive_text()).upper())


app = App(Board, lifespan=lifespan, http=http)
"""

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from roomwire import App, Gateway


async def cards(request):
    return JSONResponse({"scheme": request.url.scheme, "bytes": len(await request.body())})


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


http = Starlette(routes=[Route("/cards", cards, methods=["GET", "POST"]), WebSocketRoute("/echo", echo)])
app = App(Gateway("/"), http=http)
"""

DJANGO = """
import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path

from roomwire import App, Gateway

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])


def cards(request):
    return JsonResponse({"scheme": request.scheme, "bytes": len(request.body)})


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data.upper())


urlpatterns = [path("cards", cards)]
http = get_asgi_application()
sockets = URLRouter([path("echo", Echo.as_asgi())])
app = App(Gateway("/"), http=ProtocolTypeRouter({"http": http, "websocket": sockets}))
without_sockets = App(Gateway("/"), http=http)
"""

PLAIN = """
import roomwire

sio = roomwire.Server(cors_allowed_origins="*")
app = roomwire.App(server=sio)


@sio.event
async def connect(sid, environ, auth):
    print("connect handler", flush=True)
    await sio.enter_room(sid, "all")


@sio.event
async def shout(sid, text):
    await sio.emit("shouted", text.upper(), to="all")
    return sio.member(sid).user.id
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "board.py").write_text(BOARD)
    (tmp_path / "plain.py").write_text(PLAIN)
    return tmp_path


@contextlib.asynccontextmanager
async def application(folder, name="board:app", **settings):
    chosen = {"redis_url": "memory://", "auth_mode": "off", "node_name": "n1"} | settings
    async with running(name, folder / "log", served=folder, **chosen) as process:
        yield process


def done(folder):
    return (folder / "done").read_text().split("\n")[:-1]


async def test_clients_of_both_transports_talk_to_an_application_of_a_folder(folder):
    async with (
        application(folder) as process,
        Polling.open(process.address) as polling,
        Client.connected(process.address) as client,
    ):
        await polling.post("40")
        await until(lambda: polled(polling, "40"))
        card = {"id": "a", "column": "done"}

        assert card == await client.emit("move", card)
        assert [card] == await client.event("moved")
        await until(lambda: polled(polling, '42["moved",{"id":"a","column":"done"}]'))
        assert "invalid_body" == (await client.emit("move", {"id": 1}))["error"]["code"]
        assert 1.0 == await process.metric("roomwire_connections", transport="websocket")


async def polled(polling, packet):
    return packet in await polling.poll()


async def test_what_is_not_socket_io_goes_to_the_http_application_within_bounds(folder):
    async with (
        application(folder, max_body_bytes=1_000, trusted_proxies="127.0.0.1") as process,
        httpx.AsyncClient(trust_env=False, base_url=f"http://{process.address}") as http,
    ):
        answer = await http.get("/cards", headers={"X-Forwarded-Proto": "https"})
        assert {"cards": {}, "greeting": "hello", "scheme": "https"} == answer.json()
        assert 1_000 == (await http.post("/cards", content=b"x" * 1_000)).json()
        refused = await http.post("/cards", content=b"x" * 1_001)
        assert (413, "too_large") == (refused.status_code, refused.json()["error"]["code"])
        assert 404 == (await http.get("/nowhere")).status_code
        assert 404 == (await http.get("/metrics")).status_code
        async with websockets.connect(f"ws://{process.address}/echo", proxy=None) as websocket:
            await websocket.send("hello")
            assert "HELLO" == await websocket.recv()
            # Larger than a message may be: closed, as any stranger's would be.
            await websocket.send("x" * 1_001)
            with pytest.raises(websockets.ConnectionClosedError) as closed:
                await websocket.recv()
            assert 1009 == closed.value.rcvd.code


async def test_an_answer_of_the_http_application_arrives_in_the_parts_in_which_it_is_sent(folder):
    async with (
        application(folder) as process,
        httpx.AsyncClient(trust_env=False, base_url=f"http://{process.address}", timeout=60) as http,
        http.stream("GET", "/parts") as answer,
    ):
        parts = answer.aiter_text()
        assert "first" == await anext(parts)
        # The second part is made after the first has arrived.
        await http.post("/last")
        assert "last" == await anext(parts)


@pytest.mark.parametrize("text", [STARLETTE, DJANGO], ids=["Starlette", "Django with Channels"])
async def test_other_frameworks_serve_http_and_their_websockets_on_the_port_of_the_clients(folder, text):
    (folder / "other.py").write_text(text)
    async with (
        application(folder, "other:app", max_body_bytes=1_000, trusted_proxies="127.0.0.1") as process,
        httpx.AsyncClient(trust_env=False, base_url=f"http://{process.address}") as http,
        Client.connected(process.address) as client,
    ):
        answer = await http.get("/cards", headers={"X-Forwarded-Proto": "https"})
        assert {"scheme": "https", "bytes": 0} == answer.json()
        assert {"scheme": "http", "bytes": 3} == (await http.post("/cards", content=b"abc")).json()
        assert 413 == (await http.post("/cards", content=b"x" * 1_001)).status_code
        assert 404 == (await http.get("/nowhere")).status_code
        async with websockets.connect(f"ws://{process.address}/echo", proxy=None) as websocket:
            await websocket.send("hello")
            assert "HELLO" == await websocket.recv()
        assert "not_found" == (await client.emit("nothing"))["error"]["code"]


async def test_a_websocket_for_django_without_channels_is_refused_and_what_else_there_is_goes_on(folder):
    (folder / "other.py").write_text(DJANGO)
    async with (
        application(folder, "other:without_sockets") as process,
        httpx.AsyncClient(trust_env=False, base_url=f"http://{process.address}") as http,
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{process.address}/echo", proxy=None)
        assert 500 == refused.value.response.status_code
        assert 200 == (await http.get("/cards")).status_code


async def test_the_lifespan_is_tried_again_opens_before_the_first_client_and_closes_after_the_last(folder):
    async with application(folder, drain_s=0.1) as process:
        assert ["waiting", "open", "http open"] == done(folder)
        (line,) = process.lines("application waits for what it depends on")
        assert ("the database does not answer yet", 1.0) == (line["error"], line["pause_s"])
        async with Client.connected(process.address) as client:
            process.stop()
            await client.ended()
        assert 0 == await process.ended()

    assert ["waiting", "open", "http open", "client gone", "http close", "close"] == done(folder)
    assert ["starting", "ready", "draining", "stopped"] == [
        line["event"]
        for line in map(json.loads, process.log.splitlines())
        if line["logger"] == "roomwire.serving.process" and line["level"] == "info"
    ]


async def test_a_lifespan_that_never_comes_to_its_end_does_not_keep_the_process(folder):
    (folder / "slow.py").write_text(
        "import asyncio, contextlib\nfrom roomwire import App\n\n@contextlib.asynccontextmanager\n"
        "async def lifespan(app):\n    print('entered', flush=True)\n    await asyncio.Event().wait()\n    yield\n\n"
        "app = App(lifespan=lifespan)\n"
    )
    async with running(
        "slow:app", folder / "log", served=folder, waits=False, redis_url="memory://", auth_mode="off"
    ) as process:
        await until(lambda: "entered" in process.log)
        process.stop()
        assert 0 == await process.ended()


FAILING = """
import asyncio
import contextlib

from roomwire import App, Gateway, subscribe


class Plain(Gateway):
    def __init__(self, work: asyncio.Queue) -> None:
        super().__init__()
        self.work = work

    @subscribe("work")
    async def do(self, text: str) -> None:
        self.work.put_nowait(text)


async def works(work):
    raise KeyError(await work.get())


@contextlib.asynccontextmanager
async def lifespan(app):
    work = asyncio.Queue()
    app.provide(asyncio.Queue, work)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(works(work))
        yield


app = App(Plain, lifespan=lifespan)
"""


async def test_an_application_that_fails_while_it_serves_ends_its_process_after_the_drain(folder):
    (folder / "failing.py").write_text(FAILING)
    async with (
        application(folder, "failing:app") as process,
        Client.connected(process.address) as client,
    ):
        await client.send("work", "too much")
        await client.ended()
        assert 1 == await process.ended()

    assert "draining" in process.log
    assert "roomwire: lifespan: the lifespan raised ExceptionGroup: " in process.log
    assert "KeyError: 'too much'" in process.log


@pytest.mark.parametrize(
    ("lines", "sentence", "frame"),
    [
        (
            (
                "@contextlib.asynccontextmanager\nasync def lifespan(app):\n    raise KeyError('dsn')\n    yield\n\n"
                "app = App(lifespan=lifespan)\n"
            ),
            "roomwire: lifespan: the lifespan raised KeyError: 'dsn'",
            "in lifespan",
        ),
        (
            "class One(Gateway): ...\n\nclass Other(Gateway): ...\n\napp = App(One, Other)\n",
            "roomwire: bind: the namespace '/' is served by One and by Other",
            "",
        ),
    ],
    ids=["lifespan", "two gateways of one namespace"],
)
async def test_an_application_that_cannot_start_ends_with_a_sentence_and_status_1(
    folder, starts_servers, free_port_factory, lines, sentence, frame
):
    (folder / "bad.py").write_text("import contextlib\nfrom roomwire import App, Gateway\n\n" + lines)
    environ = {
        "PORT": free_port_factory(),
        "OPS_PORT": free_port_factory(),
        "REDIS_URL": "memory://",
        "AUTH_MODE": "off",
    }
    status, error = await ended(folder, "bad:app", environ)

    assert 1 == status
    said, *traceback = error.splitlines()
    assert sentence == said
    assert ([] if not frame else ["Traceback (most recent call last):"]) == traceback[:1]
    assert all(frame in line and "bad.py" in line for line in traceback[1:2])


async def ended(folder, name, environ):
    import os
    import sys

    known = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomwire",
        "serve",
        name,
        cwd=folder,
        env=known | {f"ROOMWIRE_{key}": str(value) for key, value in environ.items()},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, error = await asyncio.wait_for(process.communicate(), 100)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, error.decode()


KEY = SigningKey.generate()
ANN = User(id="account:1", name="Ann", kind="account")


async def test_functions_of_a_server_are_served_with_the_settings_and_who_has_no_token_does_not_reach_them(
    folder,
):
    keys = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    token = KEY.sign(ANN, issuer="roomwire", audience="roomwire", lifetime_s=60)
    async with (
        served(keys) as address,
        application(
            folder, "plain:app", auth_mode="required", auth_jwks_url=f"http://{address}/jwks.json"
        ) as process,
    ):
        async with Client.open(process.address) as client:
            assert "unauthenticated" == (await client.connect())["data"]["code"]
        assert "connect handler" not in process.log

        async with Client.connected(process.address, {"token": token}) as client:
            assert client.frames[0].startswith('0{"sid":"n1.')
            assert ANN.id == await client.emit("shout", "hello")
            assert ["HELLO"] == await client.event("shouted")
        await until(lambda: "connect handler" in process.log)
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"http://{process.address}/socket.io/?EIO=4&transport=polling"
            answer = await http.get(url, headers={"Origin": "https://elsewhere.example"})
            # The program allows any page; the setting, which allows its own alone, wins.
            assert 400 == answer.status_code
            assert 404 == (await http.get(f"http://{process.address}/")).status_code


ADMIN = {"username": "admin", "password": "secret"}


@pytest.fixture
def admin_of_its_own(monkeypatch):
    """Undo what python-socketio's `instrument` changes in the class of all its sockets."""
    for name in ("handle_post_request", "_websocket_handler", "_send_ping"):
        monkeypatch.setattr(AsyncSocket, name, vars(AsyncSocket)[name])


@contextlib.asynccontextmanager
async def watched(app: App) -> AsyncIterator[None]:
    admin = app.get(Server).instrument(auth=ADMIN)
    yield
    if admin.stats_task is not None:
        admin.stats_task.cancel()


def said_by_functions() -> App:
    server = Server()
    server.on("connect", lambda sid, environ: None)
    server.on("move", lambda sid, card: card)
    return App(server=server, lifespan=watched)


@pytest.mark.usefixtures("admin_of_its_own")
@pytest.mark.parametrize(
    "made",
    [
        pytest.param(said_by_functions, id="functions"),
        pytest.param(lambda: App(Gateway("/"), lifespan=watched), id="gateways"),
        pytest.param(
            lambda: App(Gateway("/"), lifespan=watched, guards=[lambda call: True]), id="guarded gateways"
        ),
    ],
)
async def test_an_admin_that_is_attached_in_the_lifespan_is_told_of_the_clients(made):
    node = Node(made(), GatewaySettings(redis_url="memory://", auth_mode="off", node_name="n1"))
    try:
        await node.start()
        async with (
            served(node.asgi) as address,
            Client.connected(address, ADMIN, namespace="/admin") as admin,
            Client.connected(address) as client,
        ):
            await admin.frame(
                lambda text: text.startswith('42/admin,["socket_connected"') and client.sid in text
            )
            async with Client.open(address) as stranger:
                assert (
                    "authentication failed"
                    == (await stranger.connect({"username": "admin"}, namespace="/admin"))["message"]
                )
    finally:
        await node.close()


@pytest.mark.usefixtures("admin_of_its_own")
def test_a_server_that_is_instrumented_before_it_is_served_is_refused():
    server = Server()
    app = App(server=server)
    server.instrument(auth=ADMIN)

    with pytest.raises(ApplicationError, match="call it in the lifespan"):
        server_of(app)
