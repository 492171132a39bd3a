"""Gateways of a node, with clients that speak the protocol, in a time that is the test's own."""

import asyncio
import gc
from typing import Annotated

import msgspec
import pytest

from roomwire import Gateway, Keep, Key, Socket, User, subscribe
from roomwire.errors import ClientError, ConfigurationError, Forbidden, Unavailable
from roomwire.gateways.lane import Lane
from roomwire.history.contract import Said
from roomwire.limits.client import Limits
from roomwire.rooms.member import Member
from roomwire.testing import Disconnected, HandlerFailed, Refused


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


async def calls(client, *events):
    """Return tasks that wait for the acks of events, which were sent in this order."""
    tasks = []
    for event in events:
        tasks.append(asyncio.create_task(client.call(*event)))
        # One step further it has been sent.
        await asyncio.sleep(0)
    return tasks


async def test_a_handler_that_never_ends_does_not_keep_its_client_for_good(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        client.emit("hold", 1)
        await cluster.settle()
        client.close()
        await cluster.advance(Doorway.parting_timeout_s - 1)
        assert "hold begins" == gateway.happened[-1][0]

        await cluster.advance(1)
        assert "went" == gateway.happened[-1][0]
        assert {} == cluster.nodes[0].server.manager.rooms


async def test_the_hooks_run_with_what_they_ask_for(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        assert client.sid == await client.next("hello")
        client.disconnect()
        await cluster.settle()

    assert [
        ("came", client.sid, "anonymous"),
        ("went", client.sid, "client disconnect", "anonymous"),
    ] == gateway.happened
    assert 1 == gateway.started


async def test_a_gateway_needs_no_hooks(nodes):
    class Bare(Gateway):
        @subscribe("ping")
        def ping(self) -> str:
            return "pong"

    async with nodes(Bare) as cluster:
        client = await cluster.connect()
        assert "pong" == await client.call("ping")
        client.close()
        await cluster.settle()
        assert {} == cluster.nodes[0].server.manager.rooms


@pytest.mark.parametrize(
    ("auth", "code"), [({"refuse": True}, "forbidden"), ({"refuse": "maybe"}, "invalid_body")]
)
async def test_a_connection_hook_may_refuse(nodes, auth, code):
    async with nodes(gateway := Doorway()) as cluster:
        with pytest.raises(Refused) as refused:
            await cluster.connect(auth=auth)
        await cluster.settle()

        assert code == refused.value.code
        assert {} == cluster.nodes[0].server.manager.rooms
        assert [] == gateway.happened


async def test_a_connection_hook_that_fails_refuses_without_telling(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        async with cluster.expects(ValueError):
            with pytest.raises(Refused) as refused:
                await cluster.connect(auth={"fail": True})

        assert "internal" == refused.value.code
        assert "secret" not in str(refused.value)
        assert [] == gateway.happened


@pytest.mark.parametrize(
    ("event", "body", "ack"),
    [
        pytest.param("sync", ["hi"], "HI", id="a handler that is no coroutine"),
        pytest.param("nothing", [], None, id="no answer"),
        pytest.param("several", [], ("a", 1, {"xValue": 2, "yValue": 0}), id="a tuple is several arguments"),
        pytest.param("struct", [{"xValue": 1, "yValue": 2}], {"xValue": 2, "yValue": 1}, id="a struct"),
        pytest.param("key", [{"roomId": "ab", "times": 2}], "abab", id="keys"),
        pytest.param("binary", [b"\x00\x01\xff"], {"reversed": b"\xff\x01\x00"}, id="binary"),
    ],
)
async def test_what_a_handler_returns_is_the_ack(nodes, event, body, ack):
    async with nodes(Doorway()) as cluster:
        client = await cluster.connect()

        assert ack == await client.call(event, *body)


async def test_an_emit_may_carry_several_arguments_and_structs(nodes):
    async with nodes(Doorway()) as cluster:
        client, other = await cluster.connect(), await cluster.connect()
        await client.call("shout", {"xValue": 1})

        for each in (client, other):
            assert ({"xValue": 1, "yValue": 0}, "loud") == await each.next("shouted")


@pytest.mark.parametrize("body", [[], [{}], ["den"], [{"roomId": 1}], [{"roomId": "\ud800"}]], ids=repr)
async def test_a_handler_never_runs_on_a_bad_body(nodes, body):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()

        with pytest.raises(Refused, match="invalid_body"):
            await client.call("key", *body)
        assert "key" not in gateway.happened


async def test_an_error_of_a_handler_reaches_the_client(nodes):
    async with nodes(Doorway()) as cluster:
        client = await cluster.connect()

        with pytest.raises(Refused) as refused:
            await client.call("refuse")
    assert {"code": "forbidden", "message": "Not this.", "retryable": False} == refused.value.data


async def test_an_error_may_have_a_code_of_the_applications_own(nodes):
    class Sold(ClientError):
        code = "sold"
        default_message = "It is sold."

    class Shop(Gateway):
        @subscribe("buy")
        async def buy(self) -> None:
            raise Sold

    async with nodes(Shop()) as cluster:
        client = await cluster.connect()

        with pytest.raises(Refused) as refused:
            await client.call("buy")
    assert {"code": "sold", "message": "It is sold.", "retryable": False} == refused.value.data


async def test_an_unexpected_exception_is_internal_and_logged_without_telling(nodes):
    async with nodes(Doorway()) as cluster:
        client = await cluster.connect()
        with pytest.raises(HandlerFailed) as failed:
            await client.call("fail")
        assert "handler failed" == failed.value.said
        assert {"event_name": "fail", "namespace": "/", "sid": client.sid} == failed.value.facts

        async with cluster.expects(ValueError):
            with pytest.raises(Refused, match="internal") as refused:
                await client.call("fail")
        assert "secret" not in str(refused.value)
        assert "SYNC WORKS STILL" == await client.call("sync", "sync works still")


async def test_an_unknown_event_is_not_found_and_its_name_not_repeated_at_length(nodes):
    async with nodes(Doorway()) as cluster:
        client = await cluster.connect()
        with pytest.raises(Refused, match="not_found"):
            await client.call("connection")

        with pytest.raises(Refused) as refused:
            await client.call("x" * 10_000)
        assert len(refused.value.message) < 100


async def test_the_events_of_one_connection_are_handled_in_order(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        for number in range(3):
            client.emit("hold", number)
        client.emit("nothing")
        await cluster.settle()
        assert [("hold begins", 0)] == gateway.happened[1:]
        gateway.go_on.set()
        await cluster.settle()

    expected = [(step, number) for number in range(3) for step in ("hold begins", "hold ends")]
    assert [*expected, "nothing"] == gateway.happened[1:8]


async def test_the_events_of_one_connection_may_be_handled_at_the_same_time_if_the_gateway_says_so(nodes):
    async with nodes(gateway := Doorway(concurrent=True)) as cluster:
        client = await cluster.connect()
        for number in range(3):
            client.emit("hold", number)
        assert "X" == await client.call("sync", "x")
        assert [("hold begins", number) for number in range(3)] == gateway.happened[1:]
        gateway.go_on.set()


async def test_another_connection_is_not_held_up(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        held, other = await cluster.connect(), await cluster.connect()
        held.emit("hold", 1)
        await cluster.settle()

        assert "HI" == await other.call("sync", "hi")
        assert ("hold begins", 1) == gateway.happened[-1]
        gateway.go_on.set()
        await cluster.settle()
        assert ("hold ends", 1) == gateway.happened[-1]


async def test_an_ack_does_not_wait_behind_a_handler(nodes):
    """So `call` inside a handler works."""

    class Asking(Doorway):
        @subscribe("ask me")
        async def ask_me(self, socket: Socket) -> list[str]:
            return [await self.server.call("what?", to=socket.id)]

    async with nodes(Asking()) as cluster:
        client = await cluster.connect()
        client.on_call("what?", lambda: "that")

        assert ["that"] == await client.call("ask me")


async def test_events_wait_for_the_handler_that_runs_however_many_they_are(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        waiting = 2 * Limits().max_waiting_events
        tasks = await calls(client, ["hold", 1], *[["sync", "x"]] * waiting)
        gateway.go_on.set()

        assert [1, *["X"] * waiting] == await asyncio.gather(*tasks)


async def test_the_farewell_hook_waits_for_the_handler_that_runs(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        client.emit("hold", 1)
        await cluster.settle()
        client.close()
        await cluster.settle()
        assert [("hold begins", 1)] == gateway.happened[1:]
        gateway.go_on.set()
        await cluster.settle()

        assert [("hold ends", 1), "went"] == [gateway.happened[2], gateway.happened[3][0]]
        assert {} == cluster.nodes[0].server.manager.rooms


async def test_a_handler_may_send_its_own_client_away(nodes):
    async with nodes(gateway := Doorway()) as cluster:
        client = await cluster.connect()
        client.emit("send away")
        client.emit("nothing")
        assert "io server disconnect" == await client.ended()
        await cluster.settle()

        went = ("went", client.sid, "server disconnect", "anonymous")
        assert ["sent away", went] == gateway.happened[1:]
        assert {} == cluster.nodes[0].server.manager.rooms


async def test_events_that_waited_behind_the_farewell_are_not_handled(nodes):
    class Strict(Doorway):
        @subscribe("hold and send away")
        async def hold_and_send_away(self, socket: Socket) -> None:
            await self.go_on.wait()
            await socket.disconnect()

    async with nodes(gateway := Strict()) as cluster:
        client = await cluster.connect()
        client.emit("hold and send away")
        client.emit("nothing")
        await cluster.settle()
        assert 2 == cluster.nodes[0].server.member(client.sid).lane.events
        gateway.go_on.set()
        await client.ended()
        await cluster.settle()

    assert "nothing" not in gateway.happened


async def test_after_a_cancelled_handler_those_that_waited_are_handled_in_order(nodes):
    class Cancelling(Doorway):
        @subscribe("cancelled")
        async def cancelled(self) -> None:
            await self.go_on.wait()
            raise asyncio.CancelledError

    async with nodes(gateway := Cancelling()) as cluster:
        client = await cluster.connect()
        tasks = await calls(client, ["cancelled"], *(["sync", text] for text in "abc"))
        gateway.go_on.set()
        cancelled, *acks = await asyncio.gather(*tasks, return_exceptions=True)

        assert "internal" == cancelled.code
        assert ["A", "B", "C"] == acks
        assert "D" == await client.call("sync", "d")


async def test_what_is_said_during_a_long_connect_hook_arrives_whole(nodes):
    class Chatty(Doorway):
        async def on_connection(self, socket: Socket) -> None:
            for number in range(Limits().max_held_frames + 1):
                await socket.emit("line", number)

    async with nodes(Chatty()) as cluster:
        client = await cluster.connect()
        await cluster.settle()

        assert [*range(Limits().max_held_frames + 1)] == [event.value for event in client.events]


async def test_nothing_of_a_connection_that_ended_has_to_be_found_by_the_garbage_collector(nodes):
    def alive():
        return [found for found in gc.get_objects() if isinstance(found, Member | Lane)]

    async with nodes(Doorway()) as cluster:
        gc.collect()
        before = len(alive())
        gc.disable()
        try:
            client = await cluster.connect()
            assert "X" == await client.call("sync", "x")
            assert len(alive()) > before
            client.close()
            # The connection itself stands in the wheel until its next tick.
            await cluster.advance(60)
            assert before == len(alive())
        finally:
            gc.enable()


class Minutes(Gateway, namespace="/minutes"):
    """A gateway that keeps what it emits."""

    @subscribe("say")
    async def say(self, text: str) -> None:
        await self.emit("said", (text, {"loud": True}), to="den", keeps_history=True)

    @subscribe("note")
    async def note(self, point: Point) -> None:
        keep = Keep(entry=point, room="notes", entries=2, ttl_s=60)
        await self.emit("noted", point, to="den", keeps_history=keep)

    @subscribe("ask")
    async def ask(self, room: str) -> list[Said]:
        return (await self.history(room)).values(Said)


async def test_what_an_emit_keeps_is_read_by_any_node_of_the_namespace(nodes):
    async with nodes(Minutes, count=2) as cluster:
        ann = await cluster.connect(namespace="/minutes")
        bob = await cluster.connect(node=1, namespace="/minutes")
        for text in ("one", "two"):
            await ann.call("say", text)

        told = [(one["event"], one["args"]) for one in await bob.call("ask", "den")]
        assert [("said", ["one", {"loud": True}]), ("said", ["two", {"loud": True}])] == told
        assert [] == await bob.call("ask", "attic")


async def test_an_emit_may_say_what_is_kept_of_it_and_where(nodes):
    async with nodes(Minutes) as cluster:
        ann = await cluster.connect(namespace="/minutes")
        for number in range(3):
            await ann.call("note", {"xValue": number})

        kept = await cluster.nodes[0].get(Minutes).history("notes", limit=5)
        assert [Point(1), Point(2)] == kept.values(Point)
        rest = await cluster.nodes[0].get(Minutes).history("notes", after=kept.entries[0].position)
        assert (([Point(2)], True, False)) == (rest.values(Point), rest.is_joined, rest.has_more)


@pytest.mark.parametrize(
    "target", [{}, {"to": ["den", "attic"]}, {"to": "den", "ignore_queue": True}], ids=str
)
async def test_what_is_no_rooms_is_kept_in_no_history(nodes, target):
    async with nodes(gateway := Minutes()) as cluster:
        await cluster.connect(namespace="/minutes")

        with pytest.raises(ValueError, match="history"):
            await gateway.emit("said", "x", keeps_history=True, **target)


async def test_a_server_that_reads_no_history_says_so(nodes):
    async with nodes(gateway := Minutes()):
        gateway.server.history = None

        with pytest.raises(ConfigurationError, match="history"):
            await gateway.history("den")


async def test_a_gateway_serves_its_own_namespace_alone(nodes):
    async with nodes(gateway := Doorway("/den")) as cluster:
        client = await cluster.connect(namespace="/den")
        assert ("came", client.sid, "anonymous") == gateway.happened[0]

        with pytest.raises(Refused, match="Invalid namespace"):
            await cluster.connect(namespace="/attic")


async def test_a_connection_that_cannot_be_decided_now_is_no_connection(nodes):
    class Dependent(Doorway):
        async def on_connection(self) -> None:
            raise Unavailable

    async with nodes(Dependent()) as cluster:
        with pytest.raises(Disconnected, match="transport close"):
            await cluster.connect()
        await cluster.settle()

        server = cluster.nodes[0].server
        assert ({}, {}) == (server.manager.rooms, server.environ)


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


async def test_a_gateway_has_the_handlers_of_classes_that_are_none(nodes):
    class Shelf:
        @subscribe("buy")
        async def buy(self, number: int) -> str:
            return f"{number} sold"

    class Shop(Shelf, Gateway): ...

    async with nodes(Shop()) as cluster:
        client = await cluster.connect()

        assert "2 sold" == await client.call("buy", 2)
