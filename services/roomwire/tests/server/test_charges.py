"""What is charged for an event: its handler's price, the bytes of its answer, and more where the handler says so."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from roomwire import Ack, Gateway, Reply, Socket, subscribe
from roomwire.limits.client import Limits
from roomwire.limits.costs import ANSWER_BYTES, CONNECT
from roomwire.testing import Refused

RATE = 64.0
"""A power of two, so that no time is rounded."""
DEAR = 40
LARGE = 30


def text_of(cost: int) -> str:
    return "x" * (cost * ANSWER_BYTES)


class Desk(Gateway):
    """Its handlers cost more than ordinary events, each in another way."""

    @subscribe("ask")
    async def ask(self) -> str:
        return "answer"

    @subscribe("report", cost=DEAR)
    async def report(self, number: int = 0) -> int:
        return number

    @subscribe("plain report", cost=DEAR)
    def plain_report(self, ack: Ack) -> None:
        ack("sent")

    @subscribe("large")
    def large(self) -> str:
        return text_of(LARGE)

    @subscribe("large binary")
    async def large_binary(self) -> bytes:
        return text_of(LARGE).encode()

    @subscribe("large reply")
    async def large_reply(self) -> Reply:
        return Reply("large", text_of(LARGE))

    @subscribe("gated")
    async def gated(self, cost: int) -> str:
        # The events that have arrived by now wait.
        gate = asyncio.Event()
        asyncio.get_running_loop().call_soon(gate.set)
        await gate.wait()
        return text_of(cost)

    @subscribe("counted")
    async def counted(self, socket: Socket, cost: int) -> None:
        socket.charge(cost)

    @subscribe("stream")
    async def stream(self) -> AsyncIterator[str]:
        for _ in range(10):
            yield text_of(20)


COSTS = [
    ("ask", (), 1),
    ("report", (7,), DEAR),
    ("report", (), DEAR),
    ("plain report", (), DEAR),
    ("large", (), 1 + LARGE),
    ("large binary", (), 1 + LARGE),
    ("large reply", (), 1 + LARGE),
    ("counted", (24,), 25),
    ("counted", (0,), 1),
]


async def left(client) -> int:
    """Return how many ordinary events the client may still send at this moment."""
    for number in range(int(RATE) + 1):
        try:
            await client.call("ask")
        except Refused:
            return number
    raise AssertionError("there is no limit")


@pytest.mark.parametrize(("event", "body", "cost"), COSTS, ids=str)
@pytest.mark.parametrize("whose", ["max_events_per_s", "max_events_per_user_per_s"])
async def test_an_event_is_charged_what_it_costs(nodes, event, body, cost, whose):
    async with nodes(Desk, limits=Limits(**{whose: RATE})) as cluster:
        ann = await cluster.connect("ann")
        await ann.call(event, *body)

        assert RATE - cost == await left(ann)


async def test_what_it_costs_delays_later_events_and_no_more(nodes):
    async with nodes(Desk, limits=Limits(max_events_per_s=RATE)) as cluster:
        ann = await cluster.connect("ann")
        for _ in range(2):
            await ann.call("report")
        with pytest.raises(Refused, match="rate_limited"):
            await ann.call("ask")

        await cluster.advance((2 * DEAR - RATE) / RATE + 0.02)
        assert "answer" == await ann.call("ask")


async def outcomes(client, *events: tuple[object, ...]) -> list[str]:
    """Send events at once; return how each was answered."""
    answers = await asyncio.gather(*(client.call(*event) for event in events), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Refused):
            raise answer
    return ["refused" if isinstance(answer, Refused) else "answered" for answer in answers]


@pytest.mark.parametrize(
    ("events", "answered"),
    [
        # Each costs 31 of 64.
        ([("gated", LARGE)] * int(RATE), 3),
        ([("gated", 0)] * int(RATE), 64),
        # A price is charged on arrival.
        ([("gated", 0), ("report",), ("report",)], 3),
        ([("gated", LARGE), ("report",), ("report",)], 2),
    ],
    ids=["large answers", "ordinary", "prices", "a large answer before prices"],
)
async def test_what_the_events_before_a_waiting_one_have_cost_counts_for_it_as_well(nodes, events, answered):
    async with nodes(Desk, limits=Limits(max_events_per_s=RATE)) as cluster:
        ann = await cluster.connect("ann")

        said = await outcomes(ann, *events)
        assert ["answered"] * answered + ["refused"] * (len(events) - answered) == said


async def test_a_stream_of_large_replies_is_slower_and_leaves_room_for_other_events(nodes):
    async with nodes(Desk, limits=Limits(max_events_per_s=RATE)) as cluster:
        ann, began = await cluster.connect("ann"), cluster.now()
        ann.emit("stream")
        await ann.next("stream")
        for _ in range(8):
            await ann.call("ask")
            await cluster.advance(0.3)
            await ann.next("stream")

        # Nine of them have come, of which half a second's worth may come at once.
        assert cluster.now() - began >= 9 * 20 / RATE - 0.5


async def test_connecting_again_and_again_is_charged_beyond_the_number_of_namespaces(nodes):
    limits = Limits(max_events_per_s=RATE, max_namespaces=3)
    async with nodes(Desk, limits=limits) as cluster:
        ann = await cluster.connect("ann")
        (connection,) = cluster.nodes[0].server.eio.sockets.values()
        for times in range(4):
            # The testing kit's client connects once.
            ann._wire.say(["40"])
            await cluster.advance(0)

            paid = max(0, times + 2 - limits.max_namespaces) * CONNECT
            assert paid / RATE == max(0, connection.rates[0].until - asyncio.get_running_loop().time())


async def test_a_client_that_connects_too_often_is_not_read_for_a_while_instead_of_refused(nodes):
    async with nodes(Desk, limits=Limits(max_events_per_s=RATE, max_namespaces=1)) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("counted", int(2 * RATE))
        ann._wire.say(["40"])
        await cluster.advance(0.9)
        (connection,) = cluster.nodes[0].server.eio.sockets.values()
        assert () == connection.members

        await cluster.advance(0.2)
        (member,) = connection.members
        assert "anonymous" == member.user.kind
