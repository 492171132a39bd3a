"""The client of the testing kit: what it sends, takes, and says."""

import asyncio

import pytest
from team_board import Board, Card

from roomwire import User
from roomwire.identity.capabilities import Capabilities
from roomwire.testing import Disconnected, HandlerFailed, NothingCame, Refused

CARD = {"id": "1", "column": "done"}
TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])


@TRANSPORTS
async def test_an_event_has_its_ack_and_goes_to_a_client_of_another_node(nodes, transport):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0, transport=transport)
        bob = await cluster.connect("bob", node=1, transport=transport)

        assert CARD == await ann.call("move", CARD)
        assert CARD == await bob.next("moved")


async def test_structs_go_and_come_as_what_they_are(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        card = Card("1", "done")

        assert card == await ann.call("move", card, as_type=Card)
        assert card == await ann.next("moved", as_type=Card)


@TRANSPORTS
async def test_binary_goes_and_comes_as_attachments(nodes, transport):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect(transport=transport)
        bob = await cluster.connect(node=1, transport=transport)

        assert b"\x00gnp" == await ann.call("draw", b"png\x00")
        assert {"picture": b"png\x00"} == await bob.next("drawn")


async def test_next_takes_the_first_of_its_name_and_leaves_the_others(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        for number in "12":
            ann.emit("move", {"id": number, "column": "done"})

        assert ["1", "2"] == [(await ann.next("moved"))["id"] for _ in range(2)]
        assert ["welcome('account')"] == [str(event) for event in ann.untaken]
        assert ["welcome", "moved", "moved"] == [event.name for event in ann.events]


async def test_an_event_that_never_comes_fails_at_once_and_says_what_came(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("move", CARD)

        with pytest.raises(NothingCame) as failed:
            await ann.next("mooved")
        said = str(failed.value)

    assert "ann waits for the event 'mooved', and nothing more can happen." in said
    assert "  moved({'id': '1', 'column': 'done'})" in said
    assert "A timer is due in" in said


async def test_who_waits_after_its_end_is_told_of_that(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.cut()

        with pytest.raises(NothingCame, match="It is not connected any more: transport close"):
            await ann.next("moved")


async def test_an_ack_that_time_would_bring_is_not_waited_for_but_named(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        with pytest.raises(NothingCame, match=r"the ack of 'later'(.|\n)*due in 1\.5 s"):
            await ann.call("later", 1.5)


async def test_what_comes_later_comes_when_its_time_has_passed(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("later", 1.5)
        await cluster.advance(1.4)
        assert ["welcome"] == [event.name for event in ann.events]

        await cluster.advance(0.2)
        assert "now" == await ann.next("late")


async def test_a_refused_connection_is_an_exception_with_the_errors_data(nodes):
    async with nodes(Board) as cluster:
        with pytest.raises(Refused) as refused:
            await cluster.connect("ann", auth={"refuse": True})

    error = refused.value
    assert ("forbidden", "Not on this board.", False) == (error.code, error.message, error.retryable)
    assert {"code": "forbidden", "message": "Not on this board.", "retryable": False} == error.data


async def test_an_error_in_an_ack_is_an_exception(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        with pytest.raises(Refused, match="the event 'only_admins' is refused, forbidden"):
            await ann.call("only_admins")


async def test_without_an_ack_an_error_is_the_event_exception(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("only_admins")

        assert "forbidden" == (await ann.next("exception"))["code"]


async def test_a_namespace_that_is_not_served_is_refused(nodes):
    async with nodes(Board) as cluster:
        with pytest.raises(Refused):
            await cluster.connect("ann", namespace="/nowhere")


async def test_a_client_answers_what_the_server_asks(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.on_call("question", lambda text: f"{text} Yes.")

        assert "Sure? Yes." == await ann.call("ask", "Sure?")


async def test_an_answer_may_be_async_binary_and_several_values(nodes):
    async def answer(text):
        await asyncio.sleep(0)
        return text, b"\x01"

    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.on_call("question", answer)

        assert ("Sure?", b"\x01") == await ann.call("ask", "Sure?")


async def test_an_answer_that_raises_fails_the_test(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.on_call("question", lambda text: 1 / 0)

        with pytest.raises(HandlerFailed, match="the answer of ann to 'question' failed"):
            await ann.call("ask", "Sure?")


@TRANSPORTS
async def test_who_says_goodbye_has_no_session_any_more(nodes, transport):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann", transport=transport)
        ann.disconnect()
        await cluster.settle()
        assert ("went", "ann", "client disconnect") in cluster.nodes[0].get(Board).happened
        with pytest.raises(Disconnected, match="ann is not connected: io client disconnect"):
            ann.emit("move", CARD)

        await ann.back()
        assert not ann.recovered


@TRANSPORTS
async def test_who_is_sent_away_knows_why(nodes, transport):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann", transport=transport)
        ann.emit("leave")

        assert "io server disconnect" == await ann.ended()


@TRANSPORTS
async def test_the_server_is_told_of_a_page_that_is_closed_and_keeps_its_session(nodes, transport):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann", transport=transport)
        ann.close()
        await cluster.settle()
        assert "went" in {event[0] for event in cluster.nodes[0].get(Board).happened}

        await ann.back()
        assert ann.recovered


@TRANSPORTS
async def test_the_server_is_not_told_of_a_cut_before_a_ping_is_left_unanswered(nodes, transport):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann", transport=transport)
        board = cluster.nodes[0].get(Board)
        ann.cut()
        assert "transport close" == ann.disconnected
        await cluster.advance(44)
        assert [("came", "ann")] == board.happened

        await cluster.advance(2)
        assert ("went", "ann", "ping timeout") == board.happened[-1]


@TRANSPORTS
async def test_who_comes_back_gets_what_it_missed_in_order(nodes, transport):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", transport=transport)
        bob = await cluster.connect("bob", node=1, transport=transport)
        await bob.call("move", CARD)
        ann.cut()
        for number in "23":
            await bob.call("move", {"id": number, "column": "done"})
        before = ann.sid
        await ann.back(node=1)

        assert (True, before) == (ann.recovered, ann.sid)
        assert ["1", "2", "3"] == [(await ann.next("moved"))["id"] for _ in range(3)]


async def test_a_client_that_knows_no_recovery_begins_anew(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann", recovery=False)
        ann.cut()
        await ann.back()

        assert not ann.recovered


async def test_who_is_connected_cannot_connect(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        with pytest.raises(RuntimeError, match="ann is connected: cut or close it first"):
            await ann.back()


async def test_a_client_comes_back_with_another_token_and_keeps_it(nodes):
    def ann(*actions):
        return User("ann", "Ann", "account", capabilities=Capabilities.of({"*": actions}))

    def permissions(node):
        (connection,) = node.server.eio.sockets.values()
        return connection.members[0].user.capabilities

    async with nodes(Board, count=2) as cluster:
        client = await cluster.connect(ann("join", "publish"), node=0)
        for node, token in ((1, cluster.token(ann("join"))), (0, None)):
            client.cut()
            await client.back(node=node, token=token)

            assert client.recovered
            assert ann("join").capabilities == permissions(cluster.nodes[node])


async def test_a_token_of_somebody_else_brings_no_session_back(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.cut()
        await ann.back(token=cluster.token("eve"))

        assert not ann.recovered
