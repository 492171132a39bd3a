"""Tests of the board: several nodes in this process, clients that speak the real protocol, a real database."""

from pathlib import Path

import pytest
from board import app
from cards import Card

from roomwire.testing import Nodes, Refused


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD_DATABASE", str(tmp_path / "board.sqlite3"))


@pytest.mark.asyncio
async def test_a_card_that_moves_is_seen_on_every_node(nodes: Nodes) -> None:
    async with nodes(app, count=2) as cluster:
        ann = await cluster.connect(user="ann", node=0)
        ben = await cluster.connect(user="ben", node=1)

        added = await ann.call("add", "Write tests", as_type=Card)
        moved = await ben.call("move", added.id, "doing", as_type=Card)

        assert moved == Card(added.id, "Write tests", "doing", 2)
        for client in (ann, ben):
            assert [await client.next("card", as_type=Card) for _ in range(2)] == [added, moved]


@pytest.mark.asyncio
async def test_the_cards_outlive_all_nodes(nodes: Nodes) -> None:
    async with nodes(app) as cluster:
        ann = await cluster.connect(user="ann")
        added = await ann.call("add", "Write tests")
        await cluster.stop(0)
        await cluster.restart(0)
        ben = await cluster.connect(user="ben")

        assert await ben.call("cards") == [added]


@pytest.mark.asyncio
async def test_a_client_of_a_node_that_dies_misses_no_move(nodes: Nodes) -> None:
    async with nodes(app, count=2) as cluster:
        ann = await cluster.connect(user="ann", node=0)
        ben = await cluster.connect(user="ben", node=1)
        await cluster.kill(0)
        added = await ben.call("add", "Write tests")
        await ann.back(node=1)

        assert ann.recovered
        assert await ann.next("card") == added


@pytest.mark.asyncio
async def test_an_unknown_card_does_not_move(nodes: Nodes) -> None:
    async with nodes(app) as cluster:
        ann = await cluster.connect(user="ann")
        with pytest.raises(Refused, match="not_found"):
            await ann.call("move", "none", "done")


@pytest.mark.asyncio
async def test_a_card_needs_a_title_and_a_stage_that_there_is(nodes: Nodes) -> None:
    async with nodes(app) as cluster:
        ann = await cluster.connect(user="ann")
        for event, *arguments in [("add", ""), ("move", "none", "nowhere")]:
            with pytest.raises(Refused) as refused:
                await ann.call(event, *arguments)
            assert refused.value.code == "invalid_body"
