"""Handlers that are async generators: what their callers receive, how they end, and when they wait."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire import Ack, App, Call, Filter, Gateway, Proceed, Reply, Socket, subscribe
from roomwire.errors import ClientError, ConfigurationError, NotFound, TooLarge
from roomwire.gateways.reply_streams import Unread
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.log.positions import Epoch, Position
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.testing import Refused

PART = "x" * 1_000


class Numbers(dict[str, int]):
    """A database."""


class Teller(Gateway):
    """Tells what it is asked for, a word at a time, as its test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.happened: list[object] = []

    @subscribe("count")
    async def count(self, upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number

    @subscribe("tell")
    async def tell(self) -> AsyncIterator[Reply]:
        try:
            yield Reply("word", "once")
            await self.gate.wait()
            yield Reply("word", "upon", 2)
        finally:
            self.happened.append("the end")

    @subscribe("stop")
    async def stop(self) -> str:
        self.gate.set()
        return "stopped"

    @subscribe("pour")
    async def pour(self) -> AsyncIterator[Reply]:
        number = 0
        while True:
            self.happened.append(number)
            yield Reply("drop", number, PART)
            number += 1

    @subscribe("fail")
    async def fail(self, kind: str) -> AsyncIterator[int]:
        yield 1
        raise {"client": TooLarge("Too much to tell."), "key": KeyError("a"), "other": OSError("away")}[kind]

    @subscribe("own")
    async def own(self, ack: Ack) -> AsyncIterator[str]:
        ack("begun")
        yield "after the ack"


def numbers(client):
    return [event.args[0] for event in client.events if event.name == "drop"]


async def test_each_value_reaches_the_caller_in_order_and_the_ack_comes_last(nodes):
    async with nodes(Teller) as cluster:
        ann, bob = await cluster.connect("ann"), await cluster.connect("bob")

        assert "done" == await ann.call("count", 3)
        assert [("count", (0,)), ("count", (1,)), ("count", (2,))] == ann.events
        assert [] == bob.events


async def test_a_reply_has_an_event_of_its_own_and_later_events_do_not_wait(nodes):
    async with nodes(Teller) as cluster:
        ann = await cluster.connect("ann")
        told = asyncio.ensure_future(ann.call("tell"))
        assert "once" == await ann.next("word")

        assert "stopped" == await ann.call("stop")
        assert ("upon", 2) == await ann.next("word")
        assert "done" == await told


async def test_a_caller_that_recovers_on_another_node_misses_nothing(nodes):
    async with nodes(Teller, count=2) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        await ann.next("word")
        ann.close()
        await cluster.settle()
        cluster.nodes[0].get(Teller).gate.set()
        await cluster.settle()
        await ann.back(node=1)

        assert ann.recovered
        assert ("upon", 2) == await ann.next("word")
        assert ["the end"] == cluster.nodes[0].get(Teller).happened


async def test_what_is_yielded_after_a_recovery_elsewhere_arrives_there(nodes):
    async with nodes(Teller, count=2) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        await ann.next("word")
        ann.cut()
        await ann.back(node=1)
        await cluster.advance(60)
        cluster.nodes[0].get(Teller).gate.set()

        assert ann.recovered
        assert ("upon", 2) == await ann.next("word")


@pytest.mark.parametrize("leave", ["disconnect", "close"])
async def test_it_ends_with_the_session_also_while_it_waits(nodes, leave):
    config = LogConfig.for_pings(25, 20)
    async with nodes(Teller, config=config) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        await ann.next("word")
        happened = cluster.nodes[0].get(Teller).happened
        getattr(ann, leave)()
        await cluster.settle()
        assert [] == happened
        if leave == "close":
            await cluster.advance(config.session_ttl_s / 2)
            assert [] == happened
            await cluster.advance(config.session_ttl_s)
        await cluster.advance(2 * config.heartbeat_s)

        assert ["the end"] == happened


async def test_it_ends_with_the_next_value_if_the_session_has_ended(nodes):
    async with nodes(Teller) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        await ann.next("word")
        teller = cluster.nodes[0].get(Teller)
        ann.disconnect()
        await cluster.settle()
        teller.gate.set()
        await cluster.settle()

        assert ["the end"] == teller.happened


async def test_it_waits_for_a_caller_that_is_away_and_then_goes_on_so_that_the_caller_recovers(nodes):
    limits = RecoveryLimits(max_bytes=40_000)
    async with nodes(Teller, count=2, recovery=limits) as cluster:
        ann = await cluster.connect("ann")
        ann.close()
        await ann.back()
        ann.emit("pour")
        await cluster.settle()
        ann.close()
        await cluster.advance(30)
        waiting = cluster.nodes[0].get(Teller).happened
        before = len(waiting)
        await cluster.advance(30)
        assert before == len(waiting)

        await ann.back(node=1)
        assert ann.recovered
        # It learns with a pong that everything was received.
        await cluster.advance(60)
        assert before < len(waiting)
        got = numbers(ann)
        assert list(range(len(got))) == got
        assert before <= len(got)
        ann.disconnect()
        await cluster.advance(60)


async def test_a_caller_that_reads_is_asked_what_it_has_and_does_not_hold_it_up(nodes):
    async with nodes(Teller, recovery=RecoveryLimits(max_bytes=4_000)) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("pour")
        await cluster.advance(1)

        assert len(numbers(ann)) > 4
        ann.disconnect()
        await cluster.advance(60)


@pytest.mark.parametrize(
    ("kind", "code"), [("client", "too_large"), ("key", "not_found"), ("other", "internal")]
)
async def test_its_error_is_the_ack(nodes, kind, code):
    def missing(error: KeyError, call: Call) -> ClientError:
        return NotFound(f"There is no {error}.")

    async with nodes(App(Teller, filters=[Filter(KeyError, missing)])) as cluster:
        ann = await cluster.connect("ann")
        expected = cluster.expects(OSError) if kind == "other" else contextlib.nullcontext()
        async with expected:
            with pytest.raises(Refused) as refused:
                await ann.call("fail", kind)
        assert code == refused.value.code
        assert 1 == await ann.next("fail")


async def test_an_error_without_an_ack_is_an_exception(nodes):
    async with nodes(Teller) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("fail", "client")

        assert "too_large" == (await ann.next("exception"))["code"]


async def test_it_may_send_the_ack_itself(nodes):
    async with nodes(Teller) as cluster:
        ann = await cluster.connect("ann")

        assert "begun" == await ann.call("own")
        assert "after the ack" == await ann.next("own")


async def test_a_body_or_a_guard_refuses_it_before_it_begins(nodes):
    async def nobody(call: Call) -> bool:
        return call.is_connection

    async with nodes(Teller) as cluster, nodes(App(Teller, guards=[nobody])) as guarded:
        ann, bob = await cluster.connect("ann"), await guarded.connect("bob")

        with pytest.raises(Refused, match="invalid_body"):
            await ann.call("count", "many")
        with pytest.raises(Refused, match="forbidden"):
            await bob.call("count", 3)
        assert [] == [*ann.events, *bob.events]


async def test_what_runs_around_it_runs_around_all_of_it(nodes):
    steps: list[object] = []

    @contextlib.asynccontextmanager
    async def opened(call: Call) -> AsyncIterator[Numbers]:
        steps.append("opened")
        yield Numbers(a=1)
        steps.append("closed")

    async def around(call: Call, proceed: Proceed) -> object:
        steps.append("before")
        result = await proceed()
        steps.append(f"after {result}")
        return "told"

    class Reader(Gateway):
        @subscribe("read", interceptors=[around])
        async def read(self, numbers: Numbers) -> AsyncIterator[int]:
            steps.append("read")
            yield numbers["a"]

    app = App(Reader)
    app.provide_per_call(Numbers, opened)
    async with nodes(app) as cluster:
        ann = await cluster.connect("ann")

        assert "told" == await ann.call("read")
        assert ["opened", "before", "read", "after done", "closed"] == steps


async def test_a_client_has_as_many_of_them_as_events_may_wait(nodes):
    async with nodes(Teller, limits=Limits(max_waiting_events=2)) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        ann.emit("tell")
        await cluster.settle()

        with pytest.raises(Refused, match="rate_limited"):
            await ann.call("tell")


async def test_a_node_that_stops_ends_them_before_its_application_ends(nodes):
    happened: list[object] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield
        happened.extend(["lifespan's end", *app.get(Teller).happened])

    async with nodes(App(Teller, lifespan=lifespan)) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("tell")
        await ann.next("word")
        await cluster.stop(0)

    assert ["lifespan's end", "the end"] == happened


def test_a_hook_cannot_be_one():
    class Wrong(Gateway):
        async def on_connection(self, socket: Socket) -> AsyncIterator[int]:
            yield 1

    with pytest.raises(ConfigurationError, match="on_connection: a hook has no caller"):
        Wrong()


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 50))
def test_the_unread_are_those_after_the_confirmed_position(sizes, confirmed, max_entries, max_bytes):
    epoch = Epoch("1")
    unread = Unread(max_entries=max_entries, max_bytes=max_bytes)
    for position, size in enumerate(sizes, 1):
        unread.add(epoch, Position(position), size)
    unread.confirm(epoch, Position(confirmed))

    left = sizes[confirmed:]
    assert (len(left) >= max_entries or sum(left) >= max_bytes) == unread.is_full
    unread.confirm(Epoch("2"), Position(0))
    assert not unread.is_full
