"""The order of arrival: what a client sends begins to be handled in the order in which it came, on every way in.

A text event, an event with attachments and one that only the whole decoder understands take different ways to their
handlers, and an ack takes a further one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import socketio
from peers import WAYS, peer_by, raw
from siege import BINARY, TEXT, frame
from waiting import until

from roomwire import Gateway, Server, subscribe
from roomwire.limits.client import Limits

QUIET = Limits(ping_interval_s=60.0, ping_timeout_s=60.0)
ATTACHED = b"x"

Begun = list[int]


def text(number: int) -> Sequence[str | bytes]:
    return [f'42["say",{number},null]']


def binary(number: int) -> Sequence[str | bytes]:
    return [f'451-["say",{number},{{"_placeholder":true,"num":0}}]', ATTACHED]


def unusual(number: int) -> Sequence[str | bytes]:
    """JSON may begin with a space; no client of the field writes one there."""
    return [f'42 ["say",{number},null]']


def server_with(handler: Callable) -> Server:
    server = Server(limits=QUIET)
    server.on("connect", lambda *_: None)
    server.on("say", handler)
    return server


def function(begun: Begun) -> Server:
    return server_with(lambda _, number, __: begun.append(number))


def coroutine(begun: Begun) -> Server:
    async def say(_: str, number: int, __: object) -> None:
        begun.append(number)
        await asyncio.sleep(0)

    return server_with(say)


def one_at_a_time(begun: Begun) -> Server:
    async def say(_: str, number: int, __: object) -> None:
        begun.append(number)
        await asyncio.sleep(0)

    server = Server(limits=QUIET, async_handlers=False)
    server.on("connect", lambda *_: None)
    server.on("say", say)
    return server


def gateway(begun: Begun, *, concurrent: bool = False) -> Server:
    class Speaking(Gateway):
        @subscribe("say")
        async def say(self, number: int, extra: bytes | None) -> None:
            begun.append(number)
            await asyncio.sleep(0)

    server = Server(limits=QUIET)
    server.register_namespace(Speaking("/", concurrent=concurrent))
    return server


def concurrent_gateway(begun: Begun) -> Server:
    return gateway(begun, concurrent=True)


def plain_gateway(begun: Begun) -> Server:
    """A gateway whose text events need no task, and whose events with attachments do."""

    class Speaking(Gateway):
        @subscribe("say")
        async def say(self, number: int, extra: bytes) -> None:
            begun.append(number)

        @subscribe("note")
        def note(self, number: int) -> None:
            begun.append(number)

    server = Server(limits=QUIET)
    server.register_namespace(Speaking("/", concurrent=True))
    return server


@contextlib.asynccontextmanager
async def sender(way: str, server: Server) -> AsyncIterator[Callable[[Sequence[str | bytes]], None]]:
    """Connect a client; yields what sends packets in one piece."""
    async with peer_by(way, socketio.ASGIApp(server), "/socket.io/") as peer, raw(peer) as (reader, writer):

        def send(packets: Sequence[str | bytes]) -> None:
            writer.write(
                b"".join(
                    frame(BINARY, packet) if isinstance(packet, bytes) else frame(TEXT, packet.encode())
                    for packet in packets
                )
            )

        send(["40"])
        async with asyncio.timeout(60):
            await reader.readuntil(b'40{"sid"')
        yield send
        await server.eio.shutdown()


@pytest.mark.parametrize(
    "make", [function, coroutine, one_at_a_time, gateway, concurrent_gateway], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("way", WAYS)
async def test_events_begin_in_the_order_in_which_they_came_however_they_are_written(way, make):
    begun: Begun = []
    kinds = [binary, text, unusual, binary, binary, text, text, unusual, text]
    async with sender(way, make(begun)) as send:
        for turn in range(0, 10 * len(kinds), len(kinds)):
            send([packet for number, kind in enumerate(kinds, turn) for packet in kind(number)])
        await until(lambda: len(begun) == 10 * len(kinds))
    assert sorted(begun) == begun


@pytest.mark.parametrize("way", WAYS)
async def test_an_event_that_needs_no_task_does_not_pass_one_that_does(way):
    begun: Begun = []
    async with sender(way, plain_gateway(begun)) as send:
        send([*binary(0), '42["note",1]', *binary(2), '42["note",3]'])
        await until(lambda: len(begun) == 4)
    assert [0, 1, 2, 3] == begun


async def test_the_events_of_a_payload_begin_in_their_order():
    begun: Begun = []
    server = coroutine(begun)
    async with peer_by("asgi", socketio.ASGIApp(server), "/socket.io/") as peer:
        sid = (await peer.open())["sid"]
        payload = ["40", *text(0), binary(1)[0], "beA==", *text(2), *unusual(3), *text(4)]
        assert 200 == (await peer.post(sid, "\x1e".join(payload))).status_code
        await until(lambda: len(begun) == 5)
        await server.eio.shutdown()
    assert [0, 1, 2, 3, 4] == begun


@pytest.mark.parametrize("way", WAYS)
async def test_who_waited_for_an_ack_goes_on_before_the_events_that_follow_it(way):
    happened: list[str] = []
    server = Server(limits=QUIET)
    server.on("connect", lambda *_: None)

    @server.on("ask")
    async def ask(sid: str) -> None:
        happened.append(await server.call("question", to=sid))

    @server.on("next")
    async def following(_: str) -> None:
        happened.append("next")

    async with sender(way, server) as send:
        send(['42["ask"]'])
        (member,) = await until(lambda: [m for c in server.eio.sockets.values() for m in c.members])
        await until(lambda: len(server.manager.callbacks.get(member.sid, ())) > 1)
        send(['431["answer"]', '42["next"]'])
        await until(lambda: len(happened) == 2)
    assert ["answer", "next"] == happened


@pytest.mark.parametrize("way", WAYS)
async def test_an_event_waits_for_the_connect_of_its_namespace_and_not_for_that_of_another(way):
    happened: list[str] = []
    go_on = asyncio.Event()
    server = server_with(lambda _, number, __: happened.append(f"event {number}"))

    @server.on("connect", namespace="/slow")
    async def connect(*_: object) -> None:
        happened.append("connecting")
        await go_on.wait()
        happened.append("connected")

    server.on("say", lambda _, number: happened.append(f"slow {number}"), namespace="/slow")
    async with sender(way, server) as send:
        send(["40/slow,", '42/slow,["say",1]', '42/slow,["say",2]', *text(1), *binary(2)])
        await until(lambda: len(happened) == 3)
        go_on.set()
        await until(lambda: len(happened) == 6)
    assert ["connecting", "event 1", "event 2", "connected", "slow 1", "slow 2"] == happened
