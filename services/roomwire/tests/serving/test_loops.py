"""One server, made once, on several event loops, one after the other: in tests of an application, say, and when it is reloaded."""

import asyncio
import contextlib
import gc
import json
import warnings

import pytest
import socketio
import uvloop
from peers import peer_by, take
from waiting import until

from roomwire import AsyncEmitter, Gateway, Server, Socket, subscribe
from roomwire.errors import Unavailable
from roomwire.log.opening import open_log
from roomwire.metrics.gateway import Metrics

with warnings.catch_warnings():
    # That another HTTP client would be newer.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

# A loop that ends in the middle leaves its transports to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _nothing_is_left_to_the_tests_of_others():
    yield
    for _ in range(3):
        gc.collect()


class Hall(Gateway):
    def __init__(self):
        super().__init__("/hall")
        self.gone = []

    def on_disconnection(self, socket: Socket, reason: str) -> None:
        self.gone.append(reason)

    @subscribe("say")
    async def say(self, socket: Socket, text: str) -> str:
        await socket.join("den")
        await asyncio.sleep(0)
        await self.emit("said", text, to="den")
        return text


def made(url="memory://", **options):
    metrics = Metrics()
    server = Server(log=open_log(url, node="n", metrics=metrics), metrics=metrics, **options)
    server.gone = []
    server.on("connect", lambda *_: None)
    server.on("disconnect", lambda sid, reason: server.gone.append(reason))

    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)
        await server.emit("joined", room, room=room)
        return room

    @server.event
    async def ask(sid):
        return await server.call("question", to=sid)

    server.register_namespace(Hall())
    return server


async def use(server, way, *, leave=True):
    """Be a client of all that a server has; without `leave`, stay."""
    async with contextlib.AsyncExitStack() as stack:
        peer = await stack.enter_async_context(peer_by(way, socketio.ASGIApp(server), "/socket.io/"))
        socket = await stack.enter_async_context(peer.websocket(user_agent_header="Mozilla/5.0"))
        await socket.recv()
        await socket.send("40")
        assert "40{" == (await take(socket))[:3]
        await socket.send('421["join","den"]')
        assert {'42["joined","den"]', '431["den"]'} == {await take(socket), await take(socket)}
        await server.emit("all", 1)
        assert '42["all",1]' == await take(socket)
        await socket.send('422["ask"]')
        assert '421["question"]' == await take(socket)
        await socket.send('431["answer"]')
        assert '432["answer"]' == await take(socket)
        await socket.send("40/hall,")
        assert "40/hall," == (await take(socket))[:8]
        await socket.send('42/hall,3["say","x"]')
        answers = {(await take(socket)).partition(',"')[0], (await take(socket)).partition(',"')[0]}
        assert {'42/hall,["said"', '43/hall,3["x"]'} == answers
        assert 1 == len(server.eio.sockets)
        if not leave:
            stack.pop_all()
            return
    # A transport is gone before all its namespaces have been parted from.
    await until(lambda: not server.eio.sockets and not server.manager.rooms)


def run(loop, work):
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(work)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["fast", "asgi"])
def test_a_server_that_was_never_started_works_on_each_loop(loop, way):
    server = made()
    for _ in range(3):
        run(loop, use(server, way))
    assert 3 == len(server.gone)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["fast", "asgi"])
def test_clients_whose_loop_has_ended_are_lost_and_parted_from_on_the_next(loop, way):
    server = made()
    for _ in range(3):
        run(loop, use(server, way, leave=False))
    run(loop, use(server, way))
    assert {} == server.eio.sockets == server.manager.rooms
    assert 4 == len(server.gone)


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "not closed"])
@pytest.mark.parametrize("way", ["fast", "asgi"])
@pytest.mark.parametrize("url", ["memory", "redis"])
def test_a_server_that_is_started_on_each_loop_works_there_whether_it_was_closed_or_not(
    redis_url, url, way, is_closed
):
    server = made(redis_url if url == "redis" else "memory://")

    async def live():
        await server.start()
        await use(server, way, leave=is_closed)
        if is_closed:
            await server.close()

    for _ in range(3):
        run("asyncio", live())

    async def end():
        await server.start()
        await use(server, way)
        # What is said on a loop is not taken for a repeat of what was said on another.
        assert 1 == len(await server.log.nodes())
        await server.close()

    run("asyncio", end())
    assert {} == server.eio.sockets == server.manager.rooms


def test_it_may_be_closed_and_started_again_on_one_loop(redis_url):
    for url in ("memory://", redis_url):
        server = made(url)

        async def live(server=server):
            for _ in range(2):
                await server.start()
                await use(server, "fast")
                await server.close()

        run("asyncio", live())


def test_a_client_that_was_away_meanwhile_is_recovered_on_the_next_loop():
    server = made(recovery=True)
    known = {}

    async def first():
        async with peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer:
            async with peer.websocket(user_agent_header="Mozilla/5.0") as socket:
                await socket.recv()
                await socket.send("40")
                known.update(json.loads((await take(socket))[2:]))
                await server.emit("n", 1)
                known["offset"] = json.loads((await take(socket))[2:])[-1]
            await until(lambda: not server.eio.sockets)
        await server.emit("n", 2)

    async def second():
        await server.emit("n", 3)
        async with (
            peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer,
            peer.websocket() as socket,
        ):
            await socket.recv()
            await socket.send("40" + json.dumps({"pid": known["pid"], "offset": known["offset"]}))
            assert known["pid"] == json.loads((await take(socket))[2:])["pid"]
            assert [2, 3] == [json.loads((await take(socket))[2:])[1] for _ in range(2)]
        await until(lambda: not server.eio.sockets)

    run("asyncio", first())
    run("asyncio", second())


def test_starlettes_test_client_may_be_made_for_each_test():
    server = made()
    for _ in range(3):
        with (
            TestClient(socketio.ASGIApp(server)) as client,
            client.websocket_connect("/socket.io/?EIO=4&transport=websocket") as socket,
        ):
            assert '0{"sid"' == socket.receive_text()[:7]
            socket.send_text("40")
            assert "40{" == socket.receive_text()[:3]
            socket.send_text('421["join","den"]')
            assert {'42["joined","den"]', '431["den"]'} == {socket.receive_text(), socket.receive_text()}


def test_starlettes_test_client_may_have_a_loop_for_each_request():
    server = made()
    client = TestClient(socketio.ASGIApp(server))
    for _ in range(2):
        url = "/socket.io/?EIO=4&transport=polling"
        url += "&sid=" + json.loads(client.get(url).text[1:])["sid"]
        assert "ok" == client.post(url, content="40").text
        assert "40{" == client.get(url).text[:3]
        assert "ok" == client.post(url, content='421["join","den"]').text
        assert {'42["joined","den"]', '431["den"]'} == {*client.get(url).text.split("\x1e")}
        assert "ok" == client.post(url, content="1").text


def test_an_emitter_that_was_made_once_emits_on_each_loop(redis_url):
    emitter = AsyncEmitter(redis_url)
    server = made(redis_url)

    async def heard():
        await server.start()
        async with (
            peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer,
            peer.websocket() as socket,
        ):
            await socket.recv()
            await socket.send("40")
            await take(socket)
            for number in range(2):
                await emitter.emit("n", number)
                assert f'42["n",{number}]' == await take(socket)
        await server.close()
        producer = emitter._producer
        await producer.close()

    for _ in range(2):
        run("asyncio", heard())


@pytest.mark.parametrize("is_shut_down", [True, False], ids=["shut down", "not shut down"])
def test_a_server_with_a_manager_starts_itself_on_each_loop(redis_url, is_shut_down):
    manager = socketio.AsyncRedisManager(redis_url)
    server, other = Server(manager), Server(socketio.AsyncRedisManager(redis_url))
    server.on("connect", lambda *_: None)

    async def live(first):
        if first == "emit":
            await server.emit("nobody hears it")
        async with (
            peer_by("asgi", socketio.ASGIApp(server), "/socket.io/") as peer,
            peer.websocket() as socket,
        ):
            await socket.recv()
            await socket.send("40")
            assert "40{" == (await take(socket))[:3]
            await other.emit("said", 1)
            assert '42["said",1]' == await take(socket)
            await manager.emit("said", 2, namespace="/")
            assert '42["said",2]' == await take(socket)
        await other.shutdown()
        if is_shut_down:
            await server.shutdown()
            await server.shutdown()

    for first in ("request", "emit", "request"):
        run("asyncio", live(first))


def test_a_server_with_a_manager_whose_redis_is_away_tells_clients_to_come_again(free_port):
    server = Server(socketio.AsyncRedisManager(f"redis://127.0.0.1:{free_port}"))
    server.on("connect", lambda *_: None)

    async def live():
        async with (
            peer_by("asgi", socketio.ASGIApp(server), "/socket.io/") as peer,
            peer.websocket() as socket,
        ):
            await socket.recv()
            await socket.send("40")
            await socket.wait_closed()
        with pytest.raises(Unavailable):
            await server.emit("said")

    run("asyncio", live())


def test_two_loops_at_once_are_refused():
    server = made()

    async def elsewhere():
        await server.emit("said")

    async def live():
        await server.emit("said")
        await asyncio.to_thread(asyncio.run, elsewhere())

    with pytest.raises(RuntimeError, match="in use on another event loop"):
        run("asyncio", live())
