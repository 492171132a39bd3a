"""Beside others: FastAPI's routes, HTTP and WebSocket, on the same port as ours, whoever is mounted in whom."""

import json

import pytest
import socketio
from fastapi import FastAPI, WebSocket
from peers import WAYS, Peer, peer_by, take
from starlette.middleware.base import BaseHTTPMiddleware
from waiting import until
from websockets.asyncio.client import connect

from roomwire import Server


def chat() -> Server:
    """Return a server that answers."""
    server = Server(cors_allowed_origins="*")
    server.on("connect", lambda *_: None)
    server.on("ask", lambda sid, what: ["answer", what])
    return server


def others() -> FastAPI:
    """Return an application with routes of its own, some of which begin like ours."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "from FastAPI"}

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"FastAPI {websocket.url.path}: {text}")

    for path in ("/echo", "/socket.iox", "/echo/socket.io/", "/echo/{name}"):
        app.websocket(path)(echo)
    return app


def around(server: Server, app: FastAPI):
    return socketio.ASGIApp(server, other_asgi_app=app)


def around_elsewhere(server: Server, app: FastAPI):
    return socketio.ASGIApp(server, other_asgi_app=app, socketio_path="/live/chat/")


def mounted(server: Server, app: FastAPI):
    app.mount("/ws", socketio.ASGIApp(server, socketio_path=""))
    return app


def mounted_with_its_path(server: Server, app: FastAPI):
    app.mount("/chat", socketio.ASGIApp(server, socketio_path="/chat/socket.io"))
    return app


def mounted_as_the_rest(server: Server, app: FastAPI):
    app.mount("/", socketio.ASGIApp(server))
    return app


def mounted_without_a_path(server: Server, app: FastAPI):
    app.mount("/all", socketio.ASGIApp(server, socketio_path=None))
    return app


PUT_TOGETHER = [
    (around, "/socket.io/"),
    (around_elsewhere, "/live/chat/"),
    (mounted, "/ws/"),
    (mounted_with_its_path, "/chat/socket.io/"),
    (mounted_as_the_rest, "/socket.io/"),
    (mounted_without_a_path, "/all/"),
]


@pytest.fixture(params=PUT_TOGETHER, ids=lambda param: param[0].__name__)
def put_together(request):
    return request.param


@pytest.fixture(params=list(WAYS))
def way(request):
    return request.param


@pytest.fixture
async def peer(way, put_together):
    put, path = put_together
    server = chat()
    async with peer_by(way, put(server, others()), path, engine=server.eio) as found:
        yield found
    await server.shutdown()


async def asks(socket) -> None:
    """Connect to the main namespace, ask, and see the answer."""
    await socket.send("40")
    assert "40{" == (await take(socket))[:3]
    await socket.send('421["ask",{"a":1}]')
    assert '431[["answer",{"a":1}]]' == await take(socket)


async def test_a_websocket_is_ours(peer: Peer):
    async with peer.websocket() as socket:
        assert "0{" == (await socket.recv())[:2]
        await asks(socket)


async def test_the_slash_at_the_end_may_be_left_out_but_of_a_mount(peer: Peer, put_together):
    peer.path = peer.path.replace("/?", "?")
    if put_together[0] in {mounted, mounted_without_a_path}:
        # Starlette's own answer: what is mounted begins at the slash.
        assert 307 == (await peer.http.get(peer.polling())).status_code
        return
    assert "sid" in await peer.open()
    async with peer.websocket() as socket:
        assert "0{" == (await socket.recv())[:2]


@pytest.mark.parametrize("way", ["fast"])
async def test_the_fast_path_takes_ours_and_no_others(peer: Peer):
    url = str(peer.http.base_url).replace("http", "ws")
    for path, is_fast in ((f"{peer.path}&transport=websocket", True), ("/echo", False)):
        async with connect(f"{url}{path}", compression=None) as socket:
            await (await socket.ping())
            modules = {type(connection).__module__ for connection in peer.place.state.connections}
            assert is_fast is ("roomwire.engine.fast_socket" in modules)
        await until(lambda: not peer.place.state.connections)


async def test_polling_and_the_upgrade_are_ours(peer: Peer):
    sid = (await peer.open())["sid"]
    assert "ok" == (await peer.post(sid, "40")).text
    assert "40{" == (await peer.poll(sid)).text[:3]
    async with peer.websocket(sid=sid) as socket:
        await socket.send("2probe")
        assert "3probe" == await socket.recv()
        await socket.send("5")
        await until(lambda: peer.engine.find(sid).upgraded)
        await socket.send('421["ask",1]')
        assert '431[["answer",1]]' == await take(socket)


async def test_http_routes_of_others_are_theirs(peer: Peer):
    answer = await peer.http.get("/hello")
    assert (200, {"hello": "from FastAPI"}) == (answer.status_code, answer.json())
    assert "FastAPI" in (await peer.http.get("/openapi.json")).json()["info"]["title"]


@pytest.mark.parametrize("path", ["/echo", "/socket.iox", "/echo/socket.io/", "/echo/a%20b"])
async def test_websocket_routes_of_others_are_theirs(peer: Peer, path):
    url = str(peer.http.base_url).replace("http", "ws")
    async with connect(f"{url}{path}?EIO=4&transport=websocket", compression=None) as socket:
        await socket.send("hello")
        assert f"FastAPI {path}: hello" == (await socket.recv()).replace(" b", "%20b")


async def test_both_are_used_at_the_same_time(peer: Peer):
    url = str(peer.http.base_url).replace("http", "ws")
    async with connect(f"{url}/echo", compression=None) as theirs, peer.websocket() as ours:
        await ours.recv()
        await theirs.send("one")
        await asks(ours)
        assert "FastAPI /echo: one" == await theirs.recv()
        await theirs.close()
        await ours.send('422["ask",2]')
        assert '432[["answer",2]]' == await take(ours)


class TestMiddlewares:
    """An ASGI middleware sees what travels by ASGI: on the fast path, WebSockets of ours do not."""

    SEEN = (("asgi", 2), ("hypercorn", 2), ("fast", 1))

    @pytest.mark.parametrize(("way", "expected"), SEEN)
    async def test_a_pure_middleware_sees_polling_everywhere_and_websockets_on_plain_asgi(
        self, way, expected
    ):
        server, seen = chat(), []
        app = around(server, others())

        async def middleware(scope, receive, send):
            if scope["type"] != "lifespan":
                seen.append(scope["type"])
            await app(scope, receive, send)

        async with peer_by(way, middleware, "/socket.io/", engine=server.eio) as peer:
            await peer.open()
            async with peer.websocket() as socket:
                await socket.recv()
        await server.shutdown()
        assert ["http", "websocket"][:expected] == seen

    async def test_a_middleware_of_starlettes_does_not_hinder_a_waiting_poll(self):
        server, app = chat(), others()

        async def stamp(request, call_next):
            answer = await call_next(request)
            answer.headers["x-stamp"] = "seen"
            return answer

        app.add_middleware(BaseHTTPMiddleware, dispatch=stamp)
        async with peer_by("fast", mounted(server, app), "/ws/", engine=server.eio) as peer:
            sid = (await peer.open())["sid"]
            poll = await peer.pending_poll(sid)
            await peer.post(sid, "40")
            answer = await poll
            assert ("40", "seen") == (answer.text[:2], answer.headers["x-stamp"])
            assert server.rooms(json.loads(answer.text[2:])["sid"])
        await server.shutdown()
