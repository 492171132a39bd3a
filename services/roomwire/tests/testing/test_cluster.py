"""The testing kit's cluster: who comes in, nodes that die, what handlers raise, and a time that is the test's own."""

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
import pytest
from team_board import Board
from waiting import time_passes, time_passes_blocking

from roomwire import App, Gateway, Server, Socket, User, subscribe
from roomwire.errors import Forbidden
from roomwire.history.contract import Said
from roomwire.limits.client import Limits
from roomwire.log.memory.primary import MemoryPrimary
from roomwire.testing import HandlerFailed, NothingCame, NothingFailed, Refused

CARD = {"id": "1", "column": "done"}


def went(board):
    return [event for event in board.happened if event[0] == "went"]


# Who comes in.


async def test_without_a_token_a_client_is_a_guest(nodes):
    async with nodes(Board) as cluster:
        guest = await cluster.connect()

        assert "anonymous" == await guest.next("welcome")


async def test_where_a_token_is_required_a_guest_is_refused(nodes):
    async with nodes(Board, auth_mode="required") as cluster:
        ann = await cluster.connect("ann")
        assert "account" == await ann.next("welcome")

        with pytest.raises(Refused) as refused:
            await cluster.connect()
    assert "unauthenticated" == refused.value.code


async def test_a_token_of_others_is_refused(nodes):
    async with nodes(Board) as cluster:
        with pytest.raises(Refused, match="unauthenticated"):
            await cluster.connect(auth={"token": "forged"})


async def test_a_user_is_sent_away_when_its_token_expires(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect(User("ann", "Ann", "account", expires_at=cluster.now() + 90))
        await cluster.advance(89)
        assert ann.disconnected is None

        await cluster.advance(2)
        assert "io server disconnect" == ann.disconnected
        assert "unauthenticated" == (await ann.next("exception"))["code"]


async def test_what_an_app_decides_about_guests_stands(nodes):
    async def members_only(handshake):
        if handshake.token is None:
            raise Forbidden("Members only.")
        return User.anonymous()

    async with nodes(App(Board, authenticate=members_only)) as cluster:
        ann = await cluster.connect("ann")
        assert "account" == await ann.next("welcome")

        with pytest.raises(Refused, match="Members only"):
            await cluster.connect()


async def test_the_times_of_a_history_are_the_tests_time(nodes):
    class Diary(Gateway):
        @subscribe("write")
        async def write(self, text: str) -> None:
            await self.emit("written", text, to="diary", keeps_history=True)

        @subscribe("read")
        async def read(self) -> list[datetime]:
            return [said.at for said in (await self.history("diary")).values(Said)]

    async with nodes(Diary) as cluster:
        ann = await cluster.connect("ann")
        began = cluster.now()
        await ann.call("write", "today")
        await cluster.advance(1_000)
        await ann.call("write", "tomorrow")

        first, second = [datetime.fromisoformat(at).timestamp() for at in await ann.call("read")]
        assert pytest.approx(began, abs=0.001) == first
        assert pytest.approx(began + 1_000, abs=0.001) == second


# Nodes.


async def test_clients_of_a_killed_node_go_on_on_another_without_a_loss(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob = await cluster.connect("bob", node=1)
        await cluster.kill(0)
        assert "transport close" == ann.disconnected
        await bob.call("move", CARD)
        await ann.back(node=1)

        assert ann.recovered
        assert CARD == await ann.next("moved")
        assert not cluster.nodes[0].is_alive


async def test_nothing_of_a_killed_node_goes_on_until_the_end_where_it_is_cancelled(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        board = cluster.nodes[0].get(Board)
        ann.emit("wait")
        await cluster.settle()
        await cluster.kill(0)
        board.gate.set()
        # Pings, timeouts and the ends of sessions are due meanwhile.
        await cluster.advance(1_000)
        assert [("came", "ann")] == board.happened

    assert [("came", "ann"), "let go"] == board.happened


async def test_what_a_node_was_about_to_say_is_lost_with_it(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob = await cluster.connect("bob", node=1)
        ann.emit("move", CARD)
        await cluster.kill(0)

        with pytest.raises(NothingCame):
            await bob.next("moved")


async def test_what_a_killed_node_had_published_is_not_lost(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob = await cluster.connect("bob", node=1)
        await ann.call("move", CARD)
        await cluster.kill(0)

        assert CARD == await bob.next("moved")


async def test_a_node_is_restarted_and_takes_clients_back(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        await cluster.kill(0)
        await cluster.restart(0)
        await ann.back()

        assert ann.recovered
        assert CARD == await ann.call("move", CARD)


async def test_a_client_cannot_go_to_a_node_that_is_dead(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        await cluster.kill(0)

        with pytest.raises(ValueError, match="node-0 is not alive: choose the node that ann connects to"):
            await ann.back()


async def test_a_node_that_is_stopped_parts_from_its_clients_who_go_on_elsewhere(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        board = cluster.nodes[0].get(Board)
        await cluster.stop(0)
        assert "transport close" == ann.disconnected
        assert 1 == len(went(board))

        await ann.back(node=1)
        assert ann.recovered


async def test_a_message_that_a_recovery_leaves_out_is_noticed(nodes, monkeypatch):
    """The rule left out: a recovery reads all that its client missed."""
    page = MemoryPrimary.page

    def without_the_last(primary, *args):
        found = page(primary, *args)
        return found._replace(entries=found.entries[:-1])

    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob = await cluster.connect("bob", node=1)
        ann.cut()
        await bob.call("move", CARD)
        monkeypatch.setattr(MemoryPrimary, "page", without_the_last)
        await ann.back(node=1)

        assert ann.recovered
        with pytest.raises(NothingCame):
            await ann.next("moved")


# The application.


class Counts(list):
    """What a lifespan provides."""


class Counting(Gateway):
    """Counts in what it was given."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self.counts = counts

    @subscribe("count")
    def count(self) -> int:
        self.counts.append("one")
        return len(self.counts)


async def test_each_node_has_a_lifespan_of_its_own(nodes):
    told = []

    @asynccontextmanager
    async def lifespan(app):
        told.append("begun")
        app.provide(Counts, Counts())
        yield
        told.append("ended")

    async with nodes(App(Counting, lifespan=lifespan), count=2) as cluster:
        for node in (0, 1):
            client = await cluster.connect(node=node)
            assert 1 == await client.call("count")
        assert ["begun", "begun"] == told
        assert ["one"] == cluster.nodes[1].get(Counts)
    assert ["begun", "begun", "ended", "ended"] == told


async def test_functions_of_a_server_are_an_application(nodes):
    server = Server(recovery=True)

    @server.event
    async def connect(sid, environ, auth):
        await server.enter_room(sid, "den")

    @server.event
    async def say(sid, text):
        await server.emit("said", text, to="den")
        return len(text)

    async with nodes(App(server=server)) as cluster:
        ann = await cluster.connect("ann")

        assert 2 == await ann.call("say", "hi")
        assert "hi" == await ann.next("said")


async def test_what_serves_one_node_only_is_not_given_several(nodes):
    with pytest.raises(ValueError, match="can serve one node only"):
        nodes(Board(), count=2)


async def test_what_is_no_application_is_refused(nodes):
    with pytest.raises(ValueError, match="one App, or gateways"):
        nodes()


async def test_http_of_the_application_is_reached_at_each_node(nodes):
    async def hello(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async with (
        nodes(App(Board, http=hello)) as cluster,
        httpx.AsyncClient(transport=httpx.ASGITransport(cluster.nodes[0].asgi)) as http,
    ):
        answer = await http.get("http://board.example/page")

    assert "hello" == answer.text


# What handlers raise.


async def test_an_exception_of_a_handler_fails_the_call_with_its_cause(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        with pytest.raises(HandlerFailed, match=r"event_name='divide'(.|\n)*ZeroDivisionError") as failed:
            await ann.call("divide", 0)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


async def test_an_exception_that_no_call_has_waited_for_fails_the_test_at_its_end(nodes):
    async def body():
        async with nodes(Board) as cluster:
            ann = await cluster.connect("ann")
            ann.emit("divide", 0)

    with pytest.raises(HandlerFailed):
        await body()


async def test_an_expected_exception_fails_nothing_and_the_client_sees_internal(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        async with cluster.expects(ZeroDivisionError) as raised:
            with pytest.raises(Refused, match="internal"):
                await ann.call("divide", 0)
        assert ["division by zero"] == [str(error) for error in raised]


async def test_an_expected_exception_that_does_not_come_fails_the_test(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")

        with pytest.raises(NothingFailed, match="no handler raised ZeroDivisionError"):
            async with cluster.expects(ZeroDivisionError):
                await ann.call("divide", 1)


# Time.


async def test_clients_answer_pings_and_stay_for_an_hour_that_takes_no_time(nodes):
    async with nodes(Board, count=2) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob = await cluster.connect("bob", node=1, transport="polling")
        began_at = cluster.now()
        await cluster.advance(3_600)

        assert [None, None] == [ann.disconnected, bob.disconnected]
        assert 3_600 == pytest.approx(cluster.now() - began_at)


@pytest.mark.parametrize(("away_s", "recovered"), [(100, True), (200, False)])
async def test_a_session_waits_for_its_client_as_long_as_in_production(nodes, away_s, recovered):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.cut()
        await cluster.advance(away_s)
        await ann.back()

        assert recovered == ann.recovered


async def test_rates_are_kept_in_the_tests_time(nodes):
    async with nodes(Board, limits=Limits(max_events_per_s=2.0)) as cluster:
        ann = await cluster.connect("ann")
        for _ in range(2):
            await ann.call("move", CARD)
        with pytest.raises(Refused, match="rate_limited"):
            await ann.call("move", CARD)

        await cluster.advance(1)
        await ann.call("move", CARD)


class Waits:
    """The waits of a loop for what comes from outside."""

    def __init__(self, loop, monkeypatch):
        self.count = 0
        self._wait = loop._gate.wait
        monkeypatch.setattr(loop._gate, "wait", self)

    def __call__(self, timeout_s):
        self.count += 1
        return self._wait(timeout_s)


@pytest.fixture
def idle_connection():
    """Yield a socket to which nothing comes: one of a database's pool, say."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


async def test_an_idle_connection_of_others_does_not_hold_up_time(nodes, idle_connection, monkeypatch):
    loop = asyncio.get_running_loop()
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        loop.add_reader(idle_connection, lambda: None)
        waits = Waits(loop, monkeypatch)
        # Each ping would be a wait.
        await cluster.advance(3_600)
        loop.remove_reader(idle_connection)

        assert ann.disconnected is None
        assert 1 <= waits.count < 10


async def test_time_waits_for_a_handler_that_waits_for_a_thread(nodes):
    class Slow(Gateway):
        done = False

        @subscribe("look up")
        async def look_up(self) -> None:
            await asyncio.to_thread(time_passes_blocking, 0.1)
            type(self).done = True

    async with nodes(Slow) as cluster:
        ann = await cluster.connect("ann")
        ann.emit("look up")
        await cluster.settle()

        assert Slow.done


async def test_a_sleep_of_the_tests_own_lets_time_pass_as_well(nodes):
    async with nodes(Board) as cluster:
        ann = await cluster.connect("ann")
        ann.cut()
        await time_passes(46)

        assert 1 == len(went(cluster.nodes[0].get(Board)))


# Events for some, and for now.


class Arena(Gateway):
    """A game: where players are is volatile, and those who are muted hear no cheers."""

    async def on_connection(self, socket: Socket):
        await socket.join("arena")

    @subscribe("mute")
    async def mute_me(self, socket: Socket):
        await socket.join("muted")

    @subscribe("move")
    async def move(self, socket: Socket, x: int):
        await self.emit("position", x, to="arena", skip_sid=socket.id, volatile=True)

    @subscribe("cheer")
    async def cheer(self, text: str):
        await self.emit("cheered", text, to="arena", except_rooms=["muted"])


async def test_a_volatile_event_reaches_who_is_connected_to_any_node_and_is_not_recovered(nodes):
    async with nodes(Arena, count=2) as cluster:
        ann, bob = await cluster.connect("ann", node=0), await cluster.connect("bob", node=1)
        eve = await cluster.connect("eve", node=1)
        await ann.call("move", 1)
        assert 1 == await bob.next("position")
        eve.cut()
        await ann.call("move", 2)
        await ann.call("cheer", "well done")
        await eve.back(node=0)
        await ann.call("move", 3)

        assert [2, 3] == [await bob.next("position"), await bob.next("position")]
        assert eve.recovered
        assert "well done" == await eve.next("cheered")
        assert [1, 3] == [await eve.next("position"), await eve.next("position")]
        with pytest.raises(NothingCame):
            await ann.next("position")


async def test_members_of_an_excepted_room_do_not_receive_an_event_when_it_is_said_or_when_they_recover(
    nodes,
):
    async with nodes(Arena, count=2) as cluster:
        ann, bob = await cluster.connect("ann", node=0), await cluster.connect("bob", node=1)
        await bob.call("mute")
        await ann.call("cheer", "one")
        bob.cut()
        await ann.call("cheer", "two")
        await bob.back(node=0)

        assert bob.recovered
        assert ["one", "two"] == [await ann.next("cheered"), await ann.next("cheered")]
        with pytest.raises(NothingCame):
            await bob.next("cheered")
