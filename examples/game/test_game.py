"""Tests of the game: several nodes in this process, and time that the tests move."""

import asyncio
from typing import Any

import pytest
from arena import TICKS_PER_S, Point, Round
from game import app

from roomwire.testing import Client, Cluster, Nodes, Refused

LONGEST_WALK_S = 3.0
"""From one corner of the arena to the other."""


async def enter(cluster: Cluster, name: str, *, node: int) -> Client:
    """Return a client that is in the meadow."""
    client = await cluster.connect(user=name, node=node)
    await client.call("join", "meadow", name)
    return client


async def go(cluster: Cluster, client: Client, point: Point) -> None:
    """Let a client's player walk to a point and arrive there."""
    await client.call("go", *point)
    await cluster.advance(LONGEST_WALK_S)


async def collect(cluster: Cluster, client: Client) -> None:
    """Let a client's player collect the star."""
    current = await client.call("join", "meadow", client.name, as_type=Round)
    await go(cluster, client, current.star)
    await client.call("collect", current.number)
    await cluster.settle()


def values(client: Client, event: str, *, after: int = 0) -> list[Any]:
    """Return the arguments of the events of a name that a client has received, after its first events."""
    return [received.value for received in client.events[after:] if received.name == event]


def shown(client: Client, *, after: int = 0) -> list[str]:
    """Return the players that a client was shown, one for each position."""
    return [
        position["name"] for positions in values(client, "positions", after=after) for position in positions
    ]


@pytest.mark.asyncio
async def test_twenty_times_a_second_each_client_receives_where_the_players_of_all_nodes_are(
    nodes: Nodes,
) -> None:
    async with nodes(app, count=2) as cluster:
        clients = [await enter(cluster, name, node=node) for node, name in enumerate(["Ann", "Ben"])]
        # Halfway between two ticks, so that none is at the end of the time that is counted.
        await cluster.advance(0.5 / TICKS_PER_S)
        before = [len(client.events) for client in clients]
        await cluster.advance(1)

        for client, after in zip(clients, before, strict=True):
            assert sorted(shown(client, after=after)) == ["Ann"] * 20 + ["Ben"] * 20


@pytest.mark.asyncio
async def test_a_client_that_returns_receives_the_scores_that_it_missed_and_no_old_positions(
    nodes: Nodes,
) -> None:
    async with nodes(app, count=2) as cluster:
        ann, ben = await enter(cluster, "Ann", node=0), await enter(cluster, "Ben", node=1)
        ann.cut()
        away = len(ann.events)
        await collect(cluster, ben)
        await collect(cluster, ben)
        await ann.back(node=1)
        await cluster.settle()

        assert ann.recovered
        assert [one["scores"] for one in values(ann, "round", after=away)] == [{"Ben": 1}, {"Ben": 2}]
        assert shown(ann, after=away) == []
        assert values(ben, "left") == []
        await cluster.advance(1 / TICKS_PER_S)
        assert sorted(shown(ann, after=away)) == ["Ann", "Ben"]


@pytest.mark.asyncio
async def test_a_player_of_a_node_that_dies_walks_on_at_another_one(nodes: Nodes) -> None:
    async with nodes(app, count=2) as cluster:
        ann, ben = await enter(cluster, "Ann", node=0), await enter(cluster, "Ben", node=1)
        await collect(cluster, ann)
        await ann.call("go", 1, 1)
        await cluster.kill(0)
        alone = len(ben.events)
        await collect(cluster, ben)
        assert set(shown(ben, after=alone)) == {"Ben"}

        await ann.back(node=1)
        await cluster.advance(LONGEST_WALK_S)
        assert ann.recovered
        assert [one["scores"] for one in values(ann, "round")] == [{"Ann": 1}, {"Ben": 1, "Ann": 1}]
        assert {"id": ann.sid, "name": "Ann", "at": [1, 1]} in values(ben, "positions")[-1]
        assert values(ben, "left") == []


@pytest.mark.asyncio
async def test_of_two_players_at_a_star_one_collects_it(nodes: Nodes) -> None:
    async with nodes(app, count=2) as cluster:
        ann, ben = await enter(cluster, "Ann", node=0), await enter(cluster, "Ben", node=1)
        for client in (ann, ben):
            await go(cluster, client, Round().star)
        await asyncio.gather(*[client.call("collect", 1) for client in (ann, ben)])
        await cluster.settle()

        (seen,) = values(ann, "round")
        assert values(ben, "round") == [seen]
        assert list(seen["scores"].values()) == [1]
        assert await ben.call("join", "meadow", "Ben") == seen


@pytest.mark.asyncio
async def test_a_star_is_collected_by_a_player_that_is_there(nodes: Nodes) -> None:
    async with nodes(app) as cluster:
        ann = await enter(cluster, "Ann", node=0)
        await ann.call("collect", 1)
        await go(cluster, ann, Round().star)
        await ann.call("collect", 2)
        assert values(ann, "round") == []

        await ann.call("collect", 1)
        assert (await ann.next("round"))["by"] == "Ann"


@pytest.mark.asyncio
async def test_an_arena_is_told_of_those_that_come_and_go_and_no_other_is(nodes: Nodes) -> None:
    async with nodes(app, count=2) as cluster:
        ann, ben = await enter(cluster, "Ann", node=0), await cluster.connect(node=1)
        await ben.call("join", "desert", "Ben")
        cem = await enter(cluster, "Cem", node=1)
        cem.disconnect()
        await cluster.advance(1)

        assert values(ann, "joined") == ["Ann", "Cem"]
        assert values(ann, "left") == ["Cem"]
        assert values(ben, "joined") == ["Ben"]
        assert set(shown(ben)) == {"Ben"}


@pytest.mark.asyncio
async def test_what_is_no_arena_no_name_and_no_point_is_refused(nodes: Nodes) -> None:
    async with nodes(app) as cluster:
        ann = await cluster.connect()
        with pytest.raises(Refused, match="forbidden"):
            await ann.call("go", 0, 0)
        for event, *arguments in [("join", "nowhere", "Ann"), ("join", "meadow", ""), ("go", 2, 0)]:
            with pytest.raises(Refused) as refused:
                await ann.call(event, *arguments)
            assert refused.value.code == "invalid_body"
