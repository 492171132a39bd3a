"""The chat on two nodes of which one dies, in a time that is the test's own."""

import pytest

from roomwire.app.settings import GatewaySettings
from roomwire_gateway.app import chat
from roomwire_gateway.settings import Settings


@pytest.fixture
async def cluster(nodes):
    settings = Settings(auth_mode="optional", redis_url="memory://", page=False)
    async with nodes(chat(settings), count=2, provide={GatewaySettings: settings}) as cluster:
        yield cluster


async def test_who_was_on_the_node_that_died_has_missed_nothing_and_is_present(cluster):
    ann = await cluster.connect("ann", node=0)
    bob = await cluster.connect("bob", node=1)
    for client in (ann, bob):
        await client.call("joinRoom", {"roomId": "den", "userName": client.name})
    await cluster.kill(0)
    for text in ("one", "two"):
        await bob.call("chatMessage", {"roomId": "den", "userName": "bob", "message": text})
    await cluster.advance(30)
    await ann.back(node=1)

    assert ann.recovered
    said = [await ann.next("roomMessage") for _ in range(4)]
    assert ["[bob in den] one", "[bob in den] two"] == said[-2:]
    assert 2 == (await ann.call("presence", {"roomId": "den"}))["count"]
    history = await ann.call("history", {"roomId": "den"})
    assert ["one", "two"] == [one["text"] for one in history["messages"] if one["kind"] == "message"]


async def test_who_does_not_come_back_is_present_no_more_once_its_session_has_ended(cluster):
    ann = await cluster.connect("ann", node=0)
    bob = await cluster.connect("bob", node=1)
    for client in (ann, bob):
        await client.call("joinRoom", {"roomId": "den", "userName": client.name})
    await cluster.kill(0)
    await cluster.advance(600)

    assert ["bob"] == [one["user"] for one in (await bob.call("presence", {"roomId": "den"}))["members"]]
