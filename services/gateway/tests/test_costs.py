"""What the chat's events cost: every event has a price, and what answers or reaches very many is charged more."""

from roomwire.gateways.chain import Around
from roomwire.limits.client import Limits
from roomwire.testing import Refused
from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.costs import COSTS, HISTORY_BYTES
from roomwire_gateway.members import MAX_ROOMS_PER_CONNECTION
from roomwire_gateway.messages import MAX_TEXT_CHARS
from roomwire_gateway.settings import Settings

CROWD = 120
WIDE = "\N{GRINNING FACE}" * MAX_TEXT_CHARS
LIMITS = Limits(
    max_events_per_s=Settings.model_fields["max_events_per_s"].default,
    max_events_per_user_per_s=Settings.model_fields["max_events_per_user_per_s"].default,
)


def in_room(room: str, **body: object) -> dict[str, object]:
    return {"roomId": room, "userName": "Ann"} | body


async def taken(client, event: str, body: object) -> int:
    """Return how many events of a kind are accepted at this moment."""
    for number in range(1_000):
        try:
            await client.call(event, body)
        except Refused:
            return number
    raise AssertionError("there is no limit")


def test_every_event_of_the_chat_has_the_price_of_the_table():
    events = ChatGateway.interface(Around()).events

    assert {*COSTS} <= {*events}
    assert {event: COSTS.get(event, 1) for event in events} == {
        event: handled.cost for event, handled in events.items()
    }


async def test_a_client_that_connects_again_joins_all_its_rooms_at_once(nodes):
    async with nodes(ChatGateway, limits=LIMITS) as cluster:
        ann = await cluster.connect("ann")
        for number in range(MAX_ROOMS_PER_CONNECTION):
            await ann.call("joinRoom", in_room(f"room-{number}"))


async def test_an_answer_of_history_has_a_limit_in_bytes_and_tells_how_to_get_the_rest(nodes):
    async with nodes(ChatGateway, auth_mode="optional") as cluster:
        ann = await cluster.connect("ann")
        for number in range(40):
            await ann.call("chatMessage", in_room("den", message=WIDE, messageId=str(number)))
        ids, asked = [], {"roomId": "den", "limit": 200}
        sizes = []
        while True:
            answer = await ann.call("history", asked)
            ids = [message["id"] for message in answer["messages"]] + ids
            sizes.append(sum(len(message["text"].encode()) for message in answer["messages"]))
            if "before" not in answer:
                break
            asked["before"] = answer["before"]

        assert [str(number) for number in range(40)] == ids
        assert max(sizes) <= HISTORY_BYTES
        assert len(sizes) <= 1 + 40 * len(WIDE.encode()) // (HISTORY_BYTES - 2 * len(WIDE.encode()))


async def test_large_answers_of_history_are_charged_by_their_bytes(nodes):
    async with nodes(ChatGateway, limits=LIMITS) as cluster:
        ann, eve = await cluster.connect("ann"), await cluster.connect("eve")
        for number in range(20):
            await ann.call("chatMessage", in_room("den", message=WIDE, messageId=str(number)))

        # A burst of 100 events: each answer has more than 15 of them.
        assert 2 <= await taken(eve, "history", {"roomId": "den", "limit": 200}) <= 7
        await ann.call("history", {"roomId": "den", "limit": 1})


async def test_an_event_to_a_crowd_is_charged_by_its_members_here(nodes):
    async with nodes(ChatGateway, limits=LIMITS) as cluster:
        members = [await cluster.connect(f"member-{number}") for number in range(2 * CROWD)]
        for member in members:
            await member.call("joinRoom", in_room("den"))

        eve = await cluster.connect("eve")
        assert 34 == await taken(eve, "chatMessage", in_room("den", message="x"))


async def test_the_members_of_a_crowd_are_read_once_for_all_that_ask_within_a_moment(nodes, monkeypatch):
    async with nodes(ChatGateway) as cluster:
        for number in range(CROWD):
            await (await cluster.connect(f"member-{number}")).call("joinRoom", in_room("den"))
        eve, log = await cluster.connect("eve"), cluster.nodes[0].server.log
        present, reads = log.present, []

        async def read(stream, **limits):
            reads.append(stream)
            return await present(stream, **limits)

        monkeypatch.setattr(log, "present", read)
        counts = {(await eve.call("presence", {"roomId": "den"}))["count"] for _ in range(20)}
        assert ({CROWD}, 2) == (counts, len(reads))

        await cluster.advance(1.1)
        await eve.call("presence", {"roomId": "den"})
        assert 4 == len(reads)


async def test_the_members_of_a_room_that_is_no_crowd_are_those_of_this_moment(nodes):
    async with nodes(ChatGateway) as cluster:
        ann, bob = await cluster.connect("ann"), await cluster.connect("bob")
        counts = []
        for client in (ann, bob):
            await client.call("joinRoom", in_room("den"))
            counts.append((await ann.call("presence", {"roomId": "den"}))["count"])

        assert [1, 2] == counts
