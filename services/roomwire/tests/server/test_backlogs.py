"""Events that wait: they wait behind those of their own namespace, and nothing else that a client sends waits for them.

Each way in has the same rules; gates stand for handlers that take long, so no time decides.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import socketio
from peers import Peer, joined, peer_by, polling_and_joined, take
from waiting import until
from websockets.asyncio.client import ClientConnection

from roomwire import Server
from roomwire.engine.session import Reason
from roomwire.limits.client import Limits

SOCKETS = ["fast", "deflated", "asgi"]
MANY = 1_000
PLACEHOLDER = '{"_placeholder":true,"num":0}'


def served(*, async_handlers: bool = True, **limits: float) -> Server:
    quiet = {"ping_interval_s": 60.0, "ping_timeout_s": 60.0}
    server = Server(limits=Limits(**quiet | limits), async_handlers=async_handlers)
    server.on("connect", lambda *_: None)
    return server


class Gate:
    """A handler that waits until it is opened; counts its calls."""

    def __init__(self, server: Server, *, namespace: str = "/", event: str = "wait") -> None:
        self.begun: list[object] = []
        self.ended: list[object] = []
        self.open = asyncio.Event()
        server.on(event, self._handle, namespace=namespace)

    async def _handle(self, _: str, number: object = None, *__: object) -> object:
        self.begun.append(number)
        await self.open.wait()
        self.ended.append(number)
        return number


@contextlib.asynccontextmanager
async def place(way: str, server: Server) -> AsyncIterator[Peer]:
    async with peer_by(way, socketio.ASGIApp(server), "/socket.io/") as peer:
        yield peer
        await server.eio.shutdown()


@contextlib.asynccontextmanager
async def client(way: str, server: Server) -> AsyncIterator[ClientConnection]:
    async with place(way, server) as peer, joined(peer) as websocket:
        yield websocket


def connection_of(server: Server):
    (connection,) = server.eio.sockets.values()
    return connection


def keeps_pings(server: Server) -> Callable[[], list[str]]:
    """Return what tells which reasons clients left for."""
    reasons: list[str] = []
    server.on("disconnect", lambda _, reason: reasons.append(reason))
    return lambda: reasons


@pytest.mark.parametrize("async_handlers", [True, False], ids=["concurrent", "sequential"])
@pytest.mark.parametrize("way", SOCKETS)
async def test_a_thousand_events_at_once_to_a_handler_that_awaits_are_all_handled(way, async_handlers):
    server = served(async_handlers=async_handlers)
    gate, reasons = Gate(server), keeps_pings(server)
    async with client(way, server) as websocket:
        for number in range(MANY):
            await websocket.send(f'42{number}["wait",{number}]')
        await until(lambda: len(gate.begun) == (MANY if async_handlers else 1))
        assert not reasons()
        gate.open.set()
        answers = [await take(websocket) for _ in range(MANY)]
    assert {f"43{number}[{number}]" for number in range(MANY)} == set(answers)
    assert list(range(MANY)) == gate.begun


async def test_over_polling_a_thousand_events_at_once_are_all_handled():
    server = served()
    gate = Gate(server)
    async with place("asgi", server) as peer:
        sid = await polling_and_joined(peer)
        payload = "\x1e".join(f'42["wait",{number}]' for number in range(MANY))
        assert 200 == (await peer.post(sid, payload)).status_code
        assert list(range(MANY)) == gate.begun
        gate.open.set()
        await until(lambda: len(gate.ended) == MANY)


@pytest.mark.parametrize("way", SOCKETS)
async def test_events_with_attachments_are_handled_as_those_without(way):
    server = served(max_waiting_events_bytes=2_000)
    gate = Gate(server)
    async with client(way, server) as websocket:
        for number in range(150):
            await websocket.send(f'451-["wait",{number},{PLACEHOLDER}]')
            await websocket.send(b"x")
            if number == 100:
                gate.open.set()
        await until(lambda: len(gate.ended) == 150)
    assert list(range(150)) == gate.begun


@pytest.mark.parametrize("way", SOCKETS)
async def test_a_call_in_a_handler_is_answered_behind_three_hundred_events(way):
    server = served(max_waiting_events_bytes=20_000)
    gate, answers = Gate(server), []

    @server.on("ask")
    async def ask(sid: str) -> None:
        answers.append(await server.call("question", to=sid))

    async with client(way, server) as websocket:
        await websocket.send('42["ask"]')
        assert '421["question"]' == await take(websocket)
        for number in range(300):
            await websocket.send(f'42["wait",{number}]')
        await websocket.send('431["answer"]')
        await until(lambda: answers)
        gate.open.set()
        await until(lambda: len(gate.ended) == 300)
    assert ["answer"] == answers
    assert list(range(300)) == gate.begun


@pytest.mark.parametrize("way", SOCKETS)
async def test_a_client_that_is_not_read_is_read_again_when_its_ack_is_awaited(way):
    server = served(max_waiting_events_bytes=20_000)
    gate = Gate(server)
    async with client(way, server) as websocket:
        sending = asyncio.create_task(send_all(websocket, [f'42["wait",{n}]' for n in range(200)]))
        await until(lambda: connection_of(server).state.is_paused)
        (member,) = connection_of(server).members
        call = asyncio.create_task(server.call("question", to=member.sid))
        assert '421["question"]' == await take(websocket)
        await sending
        await websocket.send('431["answer"]')
        assert "answer" == await call
        gate.open.set()
        await until(lambda: len(gate.ended) == 200)


async def test_over_polling_a_payload_is_answered_when_an_ack_is_awaited():
    server = served(max_waiting_events_bytes=1_000)
    gate = Gate(server)
    async with place("asgi", server) as peer:
        sid = await polling_and_joined(peer)
        payload = "\x1e".join(f'42["wait",{number}]' for number in range(15))
        post = asyncio.create_task(peer.post(sid, payload))
        await until(lambda: connection_of(server).state.is_paused)
        assert not post.done()
        (member,) = connection_of(server).members
        call = asyncio.create_task(server.call("question", to=member.sid))
        assert '421["question"]' == (await peer.poll(sid)).text
        assert 200 == (await post).status_code
        assert 200 == (await peer.post(sid, '431["answer"]')).status_code
        assert "answer" == await call
        gate.open.set()
        await until(lambda: len(gate.ended) == 15)


@pytest.mark.parametrize("async_handlers", [True, False], ids=["concurrent", "sequential"])
@pytest.mark.parametrize("way", SOCKETS)
async def test_a_slow_namespace_does_not_hold_a_fast_one(way, async_handlers):
    server = served(async_handlers=async_handlers)
    server.on("connect", lambda *_: None, namespace="/slow")
    gate = Gate(server, namespace="/slow")
    server.on("fast", lambda _: "fast")
    async with client(way, server) as websocket:
        await websocket.send("40/slow,")
        assert "40/slow," == (await take(websocket))[:8]
        for number in range(300):
            await websocket.send(f'42/slow,["wait",{number}]')
        await websocket.send('425["fast"]')
        assert '435["fast"]' == await take(websocket)
        gate.open.set()
        await until(lambda: len(gate.ended) == 300)
    assert list(range(300)) == gate.begun


@pytest.mark.parametrize("way", SOCKETS)
async def test_a_disconnect_does_not_wait_and_the_events_before_it_are_handled(way):
    server = served(async_handlers=False)
    gate, reasons = Gate(server), keeps_pings(server)
    async with client(way, server) as websocket:
        for number in range(5):
            await websocket.send(f'42["wait",{number}]')
        await websocket.send("41")
        await until(reasons)
        assert [0] == gate.begun
        gate.open.set()
        await until(lambda: len(gate.ended) == 5)
        await websocket.send("40")
        assert "40{" == (await take(websocket))[:3]
    assert [Reason.CLIENT] == reasons()[:1]
    assert {} == server.backlogs.leaving


@pytest.mark.parametrize("way", SOCKETS)
async def test_a_client_that_leaves_while_it_is_not_read_is_missed_when_it_is_pinged(way):
    server = served(max_waiting_events_bytes=10_000)
    gate, reasons = Gate(server), keeps_pings(server)
    async with place(way, server) as peer, joined(peer) as websocket:
        sending = asyncio.create_task(send_all(websocket, [f'42["wait",{n}]' for n in range(200)]))
        connection = await until(lambda: connection_of(server))
        await until(lambda: connection.state.is_paused)
        sending.cancel()
        websocket.transport.abort()
        while not reasons():
            connection.ping()
            await asyncio.sleep(0)
        assert [Reason.TRANSPORT_CLOSE] == reasons()
        assert 0 == server.accounts.total.held_bytes
        gate.open.set()
        await until(lambda: not connection.members)


async def test_a_client_that_the_server_disconnects_has_no_more_events():
    server = served(async_handlers=False)
    gate = Gate(server)
    async with client("fast", server) as websocket:
        for number in range(5):
            await websocket.send(f'42["wait",{number}]')
        await until(lambda: gate.begun)
        (member,) = connection_of(server).members
        await until(lambda: member.line is not None and len(member.line.events) == 4)
        await server.disconnect(member.sid)
        gate.open.set()
        await until(lambda: gate.ended)
    assert [0] == gate.begun


async def send_all(websocket: ClientConnection, packets: list[str]) -> None:
    for packet in packets:
        await websocket.send(packet)
