"""Gateways behind a real server, with real clients."""

import asyncio
import gc
from typing import Annotated

import msgspec
import pytest
import socketio
from live import Client, served
from waiting import until

from roomwire import Gateway, Key, Server, Socket, User, subscribe
from roomwire.errors import ConfigurationError, Forbidden, Unavailable
from roomwire.gateways.lane import Lane
from roomwire.limits.client import Limits
from roomwire.log.memory.log import MemoryLog
from roomwire.metrics.gateway import Metrics
from roomwire.rooms.member import Member, Phase


class Point(msgspec.Struct, rename="camel"):
    x_value: int
    y_value: int = 0


class Doorway(Gateway):
    """A gateway with a handler of each kind; what happened is kept."""

    def __init__(self, namespace="/", **options):
        super().__init__(namespace, **options)
        self.happened = []
        self.started = 0
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def after_init(self) -> None:
        self.started += 1

    async def on_connection(self, socket: Socket, user: User, auth: dict[str, bool]) -> None:
        if auth.get("refuse"):
            raise Forbidden("Not you.")
        if auth.get("fail"):
            raise ValueError("the secret inside")
        self.happened.append(("came", socket.id, user.kind))
        await socket.emit("hello", socket.id)

    async def on_disconnection(self, socket: Socket, reason: str, user: User) -> None:
        self.happened.append(("went", socket.id, reason, user.kind))

    @subscribe("sync")
    def sync(self, text: str) -> str:
        return text.upper()

    @subscribe("nothing")
    async def nothing(self) -> None:
        self.happened.append("nothing")

    @subscribe("several")
    async def several(self) -> tuple[str, int, Point]:
        return "a", 1, Point(2)

    @subscribe("struct")
    async def struct(self, point: Point) -> Point:
        return Point(point.y_value, point.x_value)

    @subscribe("binary")
    async def binary(self, data: bytes) -> dict[str, bytes]:
        return {"reversed": data[::-1]}

    @subscribe("key")
    async def key(self, room: Annotated[str, Key("roomId")], times: Annotated[int, Key("times")] = 1) -> str:
        self.happened.append("key")
        return room * times

    @subscribe("hold")
    async def hold(self, number: int) -> int:
        self.happened.append(("hold begins", number))
        self.entered.set()
        await self.go_on.wait()
        self.happened.append(("hold ends", number))
        return number

    @subscribe("refuse")
    async def refuse(self) -> None:
        raise Forbidden("Not this.")

    @subscribe("fail")
    async def fail(self) -> None:
        raise ValueError("the secret inside")

    @subscribe("send away")
    async def send_away(self, socket: Socket) -> None:
        await socket.disconnect()
        self.happened.append("sent away")

    @subscribe("shout")
    async def shout(self, point: Point) -> None:
        await self.emit("shouted", (point, "loud"))


class Running:
    def __init__(self, gateway, **options):
        self.gateway = gateway
        self.metrics = Metrics()
        log = MemoryLog.alone(node="n1", metrics=self.metrics)
        self.server = Server(log=log, node_name="n1", metrics=self.metrics, **options)
        self.server.register_namespace(gateway)

    @property
    def happened(self):
        return self.gateway.happened


@pytest.fixture
async def site():
    stack = []

    async def serve(gateway=None, **options):
        running = Running(gateway or Doorway(), **options)
        await running.server.start()
        context = served(socketio.ASGIApp(running.server))
        running.address = await context.__aenter__()
        stack.append((running, context))
        return running

    yield serve
    for running, context in stack:
        running.gateway.go_on.set()
        await context.__aexit__(None, None, None)
        await running.server.close()


class Impatient(Doorway):
    parting_timeout_s = 0.05


async def test_a_handler_that_never_ends_does_not_keep_its_client_for_good(site):
    site = await site(Impatient())
    async with Client.connected(site.address) as client:
        await client.ask("hold", 1)
        await site.gateway.entered.wait()
    await until(lambda: site.happened[-1][0] == "went")
    assert not site.gateway.go_on.is_set()
    await until(lambda: not site.server.manager.rooms)


async def test_the_hooks_run_with_what_they_ask_for(site):
    site = await site()
    async with Client.connected(site.address) as client:
        assert [client.sid] == await client.event("hello")
        await client.send_frame("41")
        await until(lambda: len(site.happened) == 2)

    assert [
        ("came", client.sid, "anonymous"),
        ("went", client.sid, "client disconnect", "anonymous"),
    ] == site.happened
    assert 1 == site.gateway.started


async def test_a_gateway_needs_no_hooks(site):
    class Bare(Gateway):
        go_on = asyncio.Event()

        @subscribe("ping")
        def ping(self) -> str:
            return "pong"

    site = await site(Bare())
    async with Client.connected(site.address) as client:
        assert "pong" == await client.emit("ping")
    await until(lambda: not site.server.manager.rooms)


async def test_a_connection_hook_may_refuse(site):
    site = await site()
    async with Client.open(site.address) as client:
        assert "forbidden" == (await client.connect({"refuse": True}))["data"]["code"]
        client.frames.clear()
        assert "invalid_body" == (await client.connect({"refuse": "maybe"}))["data"]["code"]
        client.frames.clear()
        answer = await client.connect({"fail": True})
        assert "internal" == answer["data"]["code"]
        assert "secret" not in str(answer)

        await until(lambda: not site.server.manager.rooms)
        assert {} == site.server.manager.rooms
        assert [] == site.happened


@pytest.mark.parametrize(
    ("event", "body", "ack"),
    [
        pytest.param("sync", ["hi"], "HI", id="a handler that is no coroutine"),
        pytest.param("nothing", [], None, id="no answer"),
        pytest.param("several", [], ["a", 1, {"xValue": 2, "yValue": 0}], id="a tuple is several arguments"),
        pytest.param("struct", [{"xValue": 1, "yValue": 2}], {"xValue": 2, "yValue": 1}, id="a struct"),
        pytest.param("key", [{"roomId": "ab", "times": 2}], "abab", id="keys"),
    ],
)
async def test_what_a_handler_returns_is_the_ack(site, event, body, ack):
    site = await site()
    async with Client.connected(site.address) as client:
        assert ack == await client.emit(event, *body)


async def test_binary_data_pass_through(site):
    site = await site()
    async with Client.connected(site.address) as client:
        await client.send_frame('451-5["binary",{"_placeholder":true,"num":0}]')
        await client.send_frame(b"\x00\x01\xff")

        assert [{"reversed": b"\xff\x01\x00"}] == await client.ack(5)


async def test_an_emit_may_carry_several_arguments_and_structs(site):
    site = await site()
    async with Client.connected(site.address) as client, Client.connected(site.address) as other:
        await client.emit("shout", {"xValue": 1})

        for each in (client, other):
            assert [{"xValue": 1, "yValue": 0}, "loud"] == await each.event("shouted")


@pytest.mark.parametrize("body", [[], [{}], ["den"], [{"roomId": 1}], [{"roomId": "\ud800"}]], ids=repr)
async def test_a_handler_never_runs_on_a_bad_body(site, body):
    site = await site()
    async with Client.connected(site.address) as client:
        assert "invalid_body" == (await client.emit("key", *body))["error"]["code"]
        assert "key" not in site.happened


async def test_an_error_of_a_handler_reaches_the_client(site):
    site = await site()
    async with Client.connected(site.address) as client:
        assert {"code": "forbidden", "message": "Not this.", "retryable": False} == (
            await client.emit("refuse")
        )["error"]


async def test_an_unexpected_exception_is_internal_and_logged_without_telling(site, log_lines):
    site = await site()
    async with Client.connected(site.address) as client:
        answer = await client.emit("fail")

        assert "internal" == answer["error"]["code"]
        assert "secret" not in str(answer)
        assert "sync works still".upper() == await client.emit("sync", "sync works still")
    (line,) = [line for line in log_lines() if line["event"] == "handler failed"]
    assert ("fail", client.sid, "/") == (line["event_name"], line["sid"], line["namespace"])
    assert "the secret inside" in line["exception"]


async def test_an_unknown_event_is_not_found_and_its_name_not_repeated_at_length(site):
    site = await site()
    async with Client.connected(site.address) as client:
        assert "not_found" == (await client.emit("connection"))["error"]["code"]
        assert len((await client.emit("x" * 10_000))["error"]["message"]) < 100


async def test_the_events_of_one_connection_are_handled_in_order(site):
    site = await site()
    async with Client.connected(site.address) as client:
        acks = [await client.ask("hold", number) for number in range(3)]
        acks.append(await client.ask("nothing"))
        await site.gateway.entered.wait()
        await until(lambda: site.server.member(client.sid).lane.events == 4)
        assert [("hold begins", 0)] == site.happened[1:]
        site.gateway.go_on.set()
        for ack in acks:
            await client.ack(ack)

    expected = [(step, number) for number in range(3) for step in ("hold begins", "hold ends")]
    assert [*expected, "nothing"] == site.happened[1:8]


async def test_the_events_of_one_connection_may_be_handled_at_the_same_time_if_the_gateway_says_so(site):
    site = await site(Doorway(concurrent=True))
    async with Client.connected(site.address) as client:
        acks = [await client.ask("hold", number) for number in range(3)]
        assert "X" == await client.emit("sync", "x")
        assert [("hold begins", number) for number in range(3)] == site.happened[1:]
        site.gateway.go_on.set()
        assert [[0], [1], [2]] == [await client.ack(ack) for ack in acks]


async def test_another_connection_is_not_held_up(site):
    site = await site()
    async with Client.connected(site.address) as held, Client.connected(site.address) as other:
        ack = await held.ask("hold", 1)
        await site.gateway.entered.wait()

        assert "HI" == await other.emit("sync", "hi")
        assert ("hold ends", 1) not in site.happened
        site.gateway.go_on.set()
        assert [1] == await held.ack(ack)


async def test_an_ack_does_not_wait_behind_a_handler(site):
    """So `call` inside a handler works."""

    class Asking(Doorway):
        @subscribe("ask me")
        async def ask_me(self, socket: Socket) -> list[str]:
            return [await self.server.call("what?", to=socket.id)]

    site = await site(Asking())
    async with Client.connected(site.address) as client:
        ack = await client.ask("ask me")
        question = await client.frame(lambda text: "what?" in text)
        id_ = question.removeprefix("42").partition("[")[0]
        await client.send_frame(f'43{id_}["that"]')

        assert [["that"]] == await client.ack(ack)


async def test_too_many_waiting_events_are_refused_and_those_before_are_handled(site):
    site = await site()
    async with Client.connected(site.address) as client:
        held = await client.ask("hold", 1)
        await site.gateway.entered.wait()
        waiting = [await client.ask("sync", "x") for _ in range(Limits().max_waiting_events - 1)]
        refused = [await client.ask("sync", "x") for _ in range(5)]
        for ack in refused:
            assert "rate_limited" == (await client.ack(ack))[0]["error"]["code"]
        site.gateway.go_on.set()
        assert [[1]] + [["X"]] * len(waiting) == [await client.ack(ack) for ack in [held, *waiting]]
        assert "X" == await client.emit("sync", "x")


async def test_the_farewell_hook_waits_for_the_handler_that_runs(site):
    site = await site()
    async with Client.connected(site.address) as client:
        await client.send("hold", 1)
        await site.gateway.entered.wait()
    await until(lambda: site.server.member(client.sid).phase is Phase.PARTING)
    assert [("hold begins", 1)] == site.happened[1:]
    site.gateway.go_on.set()

    await until(lambda: len(site.happened) == 4)
    assert [("hold ends", 1), "went"] == [site.happened[2], site.happened[3][0]]
    await until(lambda: not site.server.manager.rooms)


async def test_a_handler_may_send_its_own_client_away(site):
    site = await site()
    async with Client.connected(site.address) as client:
        await client.send("send away")
        await client.send("nothing")
        await client.frame(lambda text: text.startswith("41"))
        await until(lambda: "sent away" in site.happened)

        await until(lambda: len(site.happened) == 3)

    assert ["sent away", ("went", client.sid, "server disconnect", "anonymous")] == site.happened[1:]
    await until(lambda: not site.server.manager.rooms)


async def test_events_that_waited_behind_the_farewell_are_not_handled(site):
    class Strict(Doorway):
        @subscribe("hold and send away")
        async def hold_and_send_away(self, socket: Socket) -> None:
            await self.go_on.wait()
            await socket.disconnect()

    site = await site(Strict())
    async with Client.connected(site.address) as client:
        await client.send("hold and send away")
        await client.send("nothing")
        lane = site.server.member(client.sid).lane
        await until(lambda: lane.events == 2)
        site.gateway.go_on.set()
        await until(lambda: lane.events == 0)

    assert "nothing" not in site.happened


async def test_after_a_cancelled_handler_those_that_waited_are_handled_in_order(site):
    class Cancelling(Doorway):
        @subscribe("cancelled")
        async def cancelled(self) -> None:
            await self.go_on.wait()
            raise asyncio.CancelledError

    site = await site(Cancelling())
    async with Client.connected(site.address) as client:
        cancelled = await client.ask("cancelled")
        acks = [await client.ask("sync", text) for text in "abc"]
        await until(lambda: site.server.member(client.sid).lane.events == 4)
        site.gateway.go_on.set()
        assert "internal" == (await client.ack(cancelled))[0]["error"]["code"]
        assert [["A"], ["B"], ["C"]] == [await client.ack(ack) for ack in acks]
        assert "D" == await client.emit("sync", "d")


async def test_what_is_said_during_a_long_connect_hook_arrives_whole(site):
    class Chatty(Doorway):
        async def on_connection(self, socket: Socket) -> None:
            for number in range(Limits().max_held_frames + 1):
                await socket.emit("line", number)

    site = await site(Chatty())
    async with Client.connected(site.address) as client:
        await until(lambda: len(client.events) == Limits().max_held_frames + 1)
        assert [["line", number] for number in range(len(client.events))] == client.events


async def test_nothing_of_a_connection_that_ended_has_to_be_found_by_the_garbage_collector(site):
    def alive():
        # The connection itself stands in the wheel until its next tick.
        return [found for found in gc.get_objects() if isinstance(found, Member | Lane)]

    site = await site()
    gc.collect()
    before = len(alive())
    gc.disable()
    try:
        async with Client.connected(site.address) as client:
            assert "X" == await client.emit("sync", "x")
            assert len(alive()) > before
        await until(lambda: len(alive()) == before)
    finally:
        gc.enable()


async def test_a_gateway_serves_its_own_namespace_alone(site):
    site = await site(Doorway("/den"))
    async with Client.connected(site.address, namespace="/den") as client:
        assert ("came", client.sid, "anonymous") == site.happened[0]
    async with Client.open(site.address) as client:
        await client.send_frame("40/attic,")
        assert "Invalid namespace" in await client.frame(lambda text: text.startswith("44/attic,"))


async def test_a_connection_that_cannot_be_decided_now_is_no_connection(site):
    class Dependent(Doorway):
        async def on_connection(self) -> None:
            raise Unavailable

    site = await site(Dependent())
    async with Client.open(site.address) as client:
        await client.send_frame("40")
        await client.ended()
    await until(lambda: not site.server.manager.rooms)
    await until(lambda: not site.server.environ)


def test_a_handler_that_cannot_be_bound_is_a_mistake_at_construction():
    class Unannotated(Gateway):
        @subscribe("x")
        def handle(self, text): ...

    class BadHook(Gateway):
        def on_connection(self, socket): ...

    class Unresolved(Gateway):
        @subscribe("x")
        def handle(self, text: "NoSuchType"): ...  # noqa: F821

    for gateway in (Unannotated, BadHook, Unresolved):
        with pytest.raises(ConfigurationError):
            gateway()


def test_an_event_has_one_handler():
    class Twice(Gateway):
        @subscribe("x")
        def first(self) -> None: ...

        @subscribe("x")
        def second(self) -> None: ...

    with pytest.raises(ConfigurationError, match="Twice: the event 'x' has two handlers"):
        Twice()


def test_a_subclass_may_replace_a_handler():
    class Quiet(Doorway):
        @subscribe("sync")
        def sync(self, text: str) -> str:
            return text.lower()

    assert "hi" == Quiet()._handlers["sync"].method("HI")
