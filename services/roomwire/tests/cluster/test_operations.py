"""Operations over all nodes: on two servers that share a log in memory, on Valkey and on Redis, and on one that dies."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import pytest
import socketio
from live import Client
from serving import served
from waiting import until

from roomwire import Server
from roomwire.cluster import answers, node_events, questions
from roomwire.cluster.peers import PeerRequest
from roomwire.errors import TooLarge
from roomwire.log.config import LogConfig
from roomwire.log.contract import NodeAway
from roomwire.log.memory.hub import MemoryHub
from roomwire.log.memory.log import MemoryLog
from roomwire.log.opening import open_log
from roomwire.log.sessions import new_node_id
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.payloads import event_payload

SHORT_S = 0.5
RECOVERY = {"recovery": True}
TESTS = Path(__file__).parents[1]


class Node:
    """A server, where it is, and what it was told."""

    def __init__(self, name, url, hub):
        metrics = Metrics()
        if url == "memory://":
            log = MemoryLog(node=new_node_id(name), hub=hub, metrics=metrics)
        else:
            log = open_log(url, node=name, metrics=metrics)
        self.server = Server(log=log, node_name=name, metrics=metrics, recovery=True)
        self.id = log.node
        self.server.on("connect", lambda *_: None)


class Nodes:
    """Two nodes of one log, and clients on them."""

    def __init__(self, url, stack):
        self.url = url
        self._hub = MemoryHub(LogConfig(), is_eager=True)
        self._stack = stack

    async def start(self, name):
        node = Node(name, self.url, self._hub)
        self._stack.push_async_callback(node.server.close)
        await node.server.start()
        place = await self._stack.enter_async_context(served(socketio.ASGIApp(node.server)))
        node.address = place.address
        return node

    async def client(self, address, *, server=None, room=None, auth=None, **handshake):
        client = await self._stack.enter_async_context(Client.connected(address, auth, **handshake))
        if room is not None:
            await server.enter_room(client.sid, room)
        return client


@pytest.fixture
async def nodes(backplane_url):
    async with contextlib.AsyncExitStack() as stack:
        nodes = Nodes(backplane_url, stack)
        nodes.one, nodes.two = await nodes.start("n1"), await nodes.start("n2")
        yield nodes


@pytest.fixture(params=["redis_url", "redis_7_url"], ids=["valkey", "redis"])
async def doomed(request):
    """A node beside one whose process can die: nodes, and the address of that one."""
    url = request.getfixturevalue(request.param)
    async with contextlib.AsyncExitStack() as stack:
        nodes = Nodes(url, stack)
        nodes.one = await nodes.start("n1")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.fixtures.doomed",
            url,
            cwd=TESTS.parent,
            env={"PYTHONPATH": ":".join([*sys.path, str(TESTS)])},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            line = ""
            while not line.startswith("at "):
                line = (await process.stdout.readline()).decode()
                assert line, "it ended before it could be reached"
            nodes.address = line.split()[1]
            yield nodes
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def asked(client, event):
    """Wait until a client is asked something; returns the ack's id and the event's arguments."""
    frame = await client.frame(lambda text: text.startswith("42") and f'["{event}"' in text)
    id_, _, body = frame[2:].partition("[")
    return id_, json.loads(f"[{body}")[1:]


async def answer(client, event, *args):
    id_, got = await asked(client, event)
    await client.send_frame(f"43{id_}{json.dumps(args)}")
    return got


def sids(found):
    return {socket.sid for socket in found.sockets}


# -- fetch_sockets


async def test_the_clients_of_all_nodes_are_found_with_what_is_known_about_them(nodes):
    one, two = nodes.one, nodes.two
    page = f"http://{one.address}"
    a = await nodes.client(one.address, server=one.server, room="red", headers={"Origin": page})
    b = await nodes.client(two.address, server=two.server, room="red")
    c = await nodes.client(two.address, server=two.server, room=7)
    await one.server.save_session(a.sid, {"seat": [1, b"2"]})
    await two.server.save_session(b.sid, {"unfit": object()})

    everybody = await two.server.fetch_sockets()
    assert {a.sid, b.sid, c.sid} == sids(everybody)
    assert everybody.is_complete
    assert [] == everybody.missing
    found = {socket.sid: socket for socket in everybody.sockets}
    assert (one.id, two.id, two.id) == tuple(found[client.sid].node for client in (a, b, c))
    assert (("red",), ("red",), (7,)) == tuple(found[client.sid].rooms for client in (a, b, c))
    assert {"seat": [1, b"2"]} == found[a.sid].data
    assert found[b.sid].data is None
    assert (page, "127.0.0.1") == (found[a.sid].origin, found[a.sid].address)
    assert one.server.member(a.sid).user == found[a.sid].user

    assert {a.sid, b.sid} == sids(await one.server.fetch_sockets("red"))
    assert {c.sid} == sids(await one.server.fetch_sockets(7))
    assert {c.sid} == sids(await one.server.fetch_sockets(c.sid))
    assert {a.sid, b.sid, c.sid} == sids(await one.server.fetch_sockets(["red", 7]))
    assert set() == sids(await one.server.fetch_sockets(namespace="/nowhere"))


async def test_what_a_client_proves_itself_by_stays_on_its_node(nodes):
    headers = {"Authorization": "Bearer s3cret", "Cookie": "token=s3cret"}
    await nodes.client(nodes.two.address, headers=headers, query="&token=s3cret")
    (found,) = (await nodes.one.server.fetch_sockets()).sockets
    assert "s3cret" not in repr(found)


async def test_who_is_left_out_by_a_bound_is_counted(nodes, monkeypatch):
    for node in (nodes.one, nodes.one, nodes.two):
        await nodes.client(node.address)
    found = await nodes.one.server.fetch_sockets(limit=2)
    assert (2, 3, False) == (len(found.sockets), found.total, found.is_complete)

    monkeypatch.setattr(answers, "MAX_BODY_BYTES", 100)
    found = await nodes.one.server.fetch_sockets()
    assert (0, 3, False) == (len(found.sockets), found.total, found.is_complete)


async def test_a_client_that_cannot_be_described_hides_no_other(nodes):
    half = "\ud83d"
    a = await nodes.client(nodes.two.address, server=nodes.two.server, room=half)
    b = await nodes.client(nodes.two.address)
    found = await nodes.one.server.fetch_sockets()
    assert {a.sid, b.sid} == sids(found)
    assert {(), (ascii(half),)} == {socket.rooms for socket in found.sockets}


async def test_a_node_that_died_is_named_and_nothing_hangs(doomed):
    server = doomed.one.server
    await doomed.client(doomed.address)
    client = await doomed.client(doomed.one.address)
    assert 2 == (await server.fetch_sockets()).total

    told = await server.server_side_emit_with_ack("die", timeout_s=SHORT_S)
    assert ({}, ["doomed"]) == (told.answers, [node.partition(".")[0] for node in told.missing])
    found = await server.fetch_sockets()
    assert ({client.sid}, False) == (sids(found), found.is_complete)
    assert told.missing == found.missing


# -- presence


def present(found):
    return {one.sid: (one.node.partition(".")[0], one.is_connected) for one in found.present}


async def test_who_is_in_a_room_is_told_with_its_node_its_user_and_its_data(nodes):
    one, two = nodes.one, nodes.two
    a = await nodes.client(one.address, server=one.server, room="red")
    b = await nodes.client(two.address, server=two.server, room="red")
    await two.server.enter_room(b.sid, 7)
    await nodes.client(two.address)
    await two.server.save_session(b.sid, {"seat": 1})

    red = await one.server.presence("red")
    assert {a.sid: ("n1", True), b.sid: ("n2", True)} == present(red)
    assert (2, [], True) == (red.total, red.missing, red.is_complete)
    found = {each.sid: each for each in red.present}
    for client, node in ((a, one), (b, two)):
        user = node.server.member(client.sid).user
        each = found[client.sid]
        assert ("", user.name, "anonymous") == (each.user_id, each.user_name, each.user_kind)
    assert (None, {"seat": 1}) == (found[a.sid].data, found[b.sid].data)
    assert present(red) == present(await two.server.presence(["red", 7]))
    assert 2 == (await two.server.presence(["red", 7])).total
    assert {b.sid: ("n2", True)} == present(await one.server.presence(7))
    bounded = await one.server.presence("red", limit=1)
    assert (1, 2, False) == (len(bounded.present), bounded.total, bounded.is_complete)


async def test_who_may_come_back_is_away_and_who_left_is_not_there(nodes):
    one, two = nodes.one, nodes.two
    lost, left, gone = [
        await nodes.client(two.address, server=two.server, room="red", auth=RECOVERY) for _ in range(3)
    ]
    await two.server.leave_room(left.sid, "red")
    await gone.send_frame("41")
    await lost.close()
    await until(lambda: not two.server.manager.members("/", "red"))

    async def only_the_lost_one_is_left():
        return {lost.sid: ("n2", False)} == present(await one.server.presence("red"))

    await until(only_the_lost_one_is_left)
    assert {lost.sid: ("n2", False)} == present(await two.server.presence("red"))


async def test_the_clients_of_a_node_that_died_are_away_until_they_come_back(doomed):
    server = doomed.one.server
    there = await doomed.client(doomed.address, auth=RECOVERY)
    here = await doomed.client(doomed.one.address, server=server, room="red")
    await server.enter_room(there.sid, "red")
    assert {there.sid: ("doomed", True), here.sid: ("n1", True)} == present(await server.presence("red"))

    told = await server.server_side_emit_with_ack("die", timeout_s=SHORT_S)
    after = await server.presence("red")
    assert {there.sid: ("doomed", False), here.sid: ("n1", True)} == present(after)
    assert (told.missing, 2) == (after.missing, after.total)

    back = await doomed.client(doomed.one.address, auth=RECOVERY | {"pid": there.pid})
    assert back.sid == there.sid
    assert {there.sid: ("n1", True), here.sid: ("n1", True)} == present(await server.presence("red"))


@pytest.mark.parametrize("by", ["room", "sid"])
async def test_a_kick_ends_the_sessions_of_who_is_away(doomed, by):
    server = doomed.one.server
    there = await doomed.client(doomed.address, auth=RECOVERY)
    await server.enter_room(there.sid, "red")
    await server.server_side_emit_with_ack("die", timeout_s=SHORT_S)
    gone = await server.disconnect_sockets("red" if by == "room" else there.sid)
    assert (1, 0) == (gone.done, gone.failed)

    assert {} == present(await server.presence("red"))
    back = await doomed.client(doomed.one.address, auth=RECOVERY | {"pid": there.pid})
    assert back.sid != there.sid


@pytest.mark.parametrize("room", [None, [], "a client's own"])
async def test_presence_is_of_rooms(nodes, room):
    client = await nodes.client(nodes.one.address)
    with pytest.raises(ValueError, match="room"):
        await nodes.one.server.presence(client.sid if room == "a client's own" else room)


@pytest.mark.parametrize("limit", [0, 10_001])
async def test_presence_has_bounds(limit):
    with pytest.raises(ValueError, match="limit"):
        await Server().presence("red", limit=limit)


# -- emit_with_ack


async def test_the_acks_of_a_room_are_collected_over_all_nodes(nodes):
    a = await nodes.client(nodes.one.address, server=nodes.one.server, room="red")
    b = await nodes.client(nodes.two.address, server=nodes.two.server, room="red")
    c = await nodes.client(nodes.two.address, server=nodes.two.server, room="red")
    outside = await nodes.client(nodes.two.address)
    asking = asyncio.create_task(nodes.one.server.emit_with_ack("vote", ("x", 1), to="red", timeout_s=60))
    assert ["x", 1] == await answer(a, "vote", "yes")
    await answer(b, "vote", "no", 2)
    await answer(c, "vote")

    acks = await asking
    assert {a.sid: "yes", b.sid: ("no", 2), c.sid: None} == acks.answers
    assert (3, 3, 0, [], False) == (
        acks.expected,
        acks.received,
        acks.dropped,
        acks.missing,
        acks.is_timed_out,
    )
    assert [] == outside.events


async def test_who_does_not_answer_is_counted_when_the_time_is_up_and_nothing_waits_for_it_any_more(nodes):
    a = await nodes.client(nodes.one.address)
    b = await nodes.client(nodes.two.address)
    asking = asyncio.create_task(nodes.one.server.emit_with_ack("vote", timeout_s=SHORT_S))
    await asked(a, "vote")
    await answer(b, "vote", 1)

    acks = await asking
    assert ({b.sid: 1}, 2, 1, True) == (acks.answers, acks.expected, acks.received, acks.is_timed_out)
    assert [0] == list(nodes.one.server.manager.callbacks[a.sid])


async def test_an_answer_that_cannot_be_passed_on_is_counted_and_spoils_no_other(nodes, monkeypatch):
    monkeypatch.setattr(answers, "MAX_BODY_BYTES", 200)
    clients = [await nodes.client(nodes.two.address) for _ in range(4)]
    asking = asyncio.create_task(nodes.one.server.emit_with_ack("vote", timeout_s=60))
    for client, value in zip(clients, ["fits", 2**70, "\ud83d", "x" * 300], strict=True):
        await answer(client, "vote", value)
    acks = await asking
    assert {clients[0].sid: "fits"} == acks.answers
    assert (4, 4, 3) == (acks.expected, acks.received, acks.dropped)


async def test_a_node_that_dies_while_its_clients_are_asked_is_named(doomed):
    there = await doomed.client(doomed.address)
    here = await doomed.client(doomed.one.address)
    asking = asyncio.create_task(doomed.one.server.emit_with_ack("vote", timeout_s=SHORT_S))
    await answer(here, "vote", "yes")
    await asked(there, "vote")
    await there.send("die")

    acks = await asking
    assert {here.sid: "yes"} == acks.answers
    assert ["doomed"] == [node.partition(".")[0] for node in acks.missing]
    assert (1, 1, False) == (acks.expected, acks.received, acks.is_timed_out)


# -- server_side_emit


async def test_other_nodes_hear_what_is_emitted_to_them_and_this_one_does_not(nodes):
    heard = []
    for node in (nodes.one, nodes.two):
        node.server.on_server_side("news", lambda *args, node=node: heard.append((node.id, args)))
    told = await nodes.one.server.server_side_emit("news", 1, {"b": b"\0"})
    assert ({nodes.two.id: None}, []) == (told.answers, told.missing)
    await until(lambda: heard)
    assert [(nodes.two.id, (1, {"b": b"\0"}))] == heard


async def test_handlers_answer_and_those_that_fail_or_are_missing_or_too_slow_are_named(nodes):
    server, other = nodes.one.server, nodes.two.server

    @other.on_server_side("sum", namespace="/den")
    async def add(*numbers):
        return sum(numbers)

    other.on_server_side("fail", lambda: 1 / 0)
    other.on_server_side("sleep", asyncio.Event().wait)
    told = await server.server_side_emit_with_ack("sum", 1, 2, namespace="/den")
    assert ({nodes.two.id: 3}, []) == (told.answers, told.missing)
    for event in ("sum", "fail", "sleep"):
        told = await server.server_side_emit_with_ack(event, timeout_s=SHORT_S)
        assert ({}, [nodes.two.id]) == (told.answers, told.missing)


async def test_handlers_that_nobody_waits_for_are_bounded(nodes, monkeypatch):
    monkeypatch.setattr(node_events, "MAX_HANDLING", 1)
    free = asyncio.Event()
    nodes.two.server.on_server_side("wait", free.wait)
    assert [] == (await nodes.one.server.server_side_emit("wait")).missing
    assert [nodes.two.id] == (await nodes.one.server.server_side_emit("wait")).missing
    free.set()
    await until(lambda: nodes.two.server._node_events._handling == 0)
    assert [] == (await nodes.one.server.server_side_emit("wait")).missing


# -- rooms


@pytest.mark.parametrize("room", ["blue", 7, 2.5, "\0int 7"])
async def test_rooms_of_every_name_are_entered_left_and_closed_from_afar(nodes, room):
    server, there = nodes.one.server, nodes.two.server
    client = await nodes.client(nodes.two.address)
    await server.enter_room(client.sid, room)
    assert [client.sid, room] == there.rooms(client.sid)
    await server.leave_room(client.sid, room)
    assert [client.sid] == there.rooms(client.sid)
    await server.enter_room(client.sid, room)
    await server.close_room(room)
    assert [client.sid] == there.rooms(client.sid)


async def test_a_room_that_another_node_could_not_know_is_refused(nodes):
    client = await nodes.client(nodes.two.address)
    server, room = nodes.one.server, object()
    for operation in (
        server.enter_room(client.sid, room),
        server.close_room(room),
        server.fetch_sockets(room),
    ):
        with pytest.raises(ValueError, match=r"plain value|malformed"):
            await operation


async def test_members_of_a_room_join_another_and_leave_it_on_all_nodes(nodes):
    a = await nodes.client(nodes.one.address, server=nodes.one.server, room="red")
    b = await nodes.client(nodes.two.address, server=nodes.two.server, room="red")
    await nodes.client(nodes.two.address)
    joined = await nodes.one.server.sockets_join("red", 7)
    assert (2, 0, []) == (joined.done, joined.failed, joined.missing)
    assert {a.sid, b.sid} == sids(await nodes.two.server.fetch_sockets(7))
    await nodes.one.server.emit("n", 1, to=7)
    assert [[1], [1]] == [await client.event("n") for client in (a, b)]

    left = await nodes.two.server.sockets_leave(7, "red")
    assert 2 == left.done
    assert set() == sids(await nodes.one.server.fetch_sockets("red"))


async def test_somebodys_own_room_is_joined_by_nobody(nodes):
    a = await nodes.client(nodes.one.address)
    with pytest.raises(ValueError, match="sid room"):
        await nodes.two.server.sockets_join(None, a.sid)


async def test_a_client_for_which_it_cannot_be_done_is_counted_and_holds_up_no_other(nodes):
    a = await nodes.client(nodes.two.address)
    b = await nodes.client(nodes.two.address)
    # In its session it has left and entered the room as often as it may.
    for _ in range(LogConfig().max_intervals):
        await nodes.two.server.enter_room(a.sid, "red")
        await nodes.two.server.leave_room(a.sid, "red")
    joined = await nodes.one.server.sockets_join(None, "red")
    assert (1, 1) == (joined.done, joined.failed)
    assert {b.sid} == sids(await nodes.one.server.fetch_sockets("red"))


async def test_what_the_time_does_not_suffice_for_is_not_begun(nodes):
    for _ in range(2):
        await nodes.client(nodes.two.address)
    joined = await nodes.one.server.sockets_join(None, "red", timeout_s=1e-9)
    assert (0, 2) == (joined.done, joined.failed)


async def test_members_of_a_room_are_disconnected_on_all_nodes(nodes):
    a = await nodes.client(nodes.one.address, server=nodes.one.server, room="red")
    b = await nodes.client(nodes.two.address, server=nodes.two.server, room="red")
    c = await nodes.client(nodes.two.address)
    gone = await nodes.one.server.disconnect_sockets("red")
    assert (2, 0, []) == (gone.done, gone.failed, gone.missing)
    for client in (a, b):
        await client.frame(lambda text: text == "41")
    assert {c.sid} == sids(await nodes.one.server.fetch_sockets())


async def test_a_node_that_is_gone_is_named_by_what_changes_rooms(doomed):
    server = doomed.one.server
    client = await doomed.client(doomed.one.address, server=server, room="red")
    died = await server.server_side_emit_with_ack("die", timeout_s=SHORT_S)
    joined = await server.sockets_join("red", "blue")
    assert (1, died.missing) == (joined.done, joined.missing)
    with pytest.raises(NodeAway):
        await server.close_room("red")
    assert [client.sid, "blue"] == server.rooms(client.sid)


# -- what is refused


@pytest.mark.parametrize("timeout_s", [0, -1, 301, float("nan")])
async def test_a_timeout_that_is_none_is_refused(timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        await Server().fetch_sockets(timeout_s=timeout_s)


async def test_what_is_too_large_for_other_nodes_is_refused():
    with pytest.raises(TooLarge):
        await Server().server_side_emit("news", "x" * questions.MAX_BODY_BYTES)
    with pytest.raises(TooLarge):
        await Server().emit_with_ack("news", "x" * questions.MAX_BODY_BYTES)


async def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="limit"):
        await Server().fetch_sockets(limit=0)


async def test_no_room_at_all_is_not_everybody():
    with pytest.raises(ValueError, match="no room"):
        await Server().disconnect_sockets([])


async def test_what_nobody_here_does_is_refused_and_not_answered_with_nothing(nodes):
    peers = nodes.two.server._parts.peers
    with pytest.raises(NodeAway):
        await peers.ask(nodes.one.id, PeerRequest("of a later version", "/", ""))


async def test_an_ack_that_cannot_travel_is_refused_at_once(nodes):
    client = await nodes.client(nodes.one.address)
    request = PeerRequest("call", "/", client.sid, payload=event_payload(["ask"]))
    asking = asyncio.create_task(nodes.two.server._parts.peers.ask(nodes.one.id, request, timeout_s=60))
    id_, _ = await asked(client, "ask")
    await client.send_frame(f"43{id_}[{10**30}]")
    with pytest.raises(NodeAway):
        async with asyncio.timeout(10):
            await asking


async def test_what_a_node_emits_to_a_client_of_another_node_arrives_before_what_it_asks_that_node_to_do(
    nodes,
):
    for emit in ({"to": "den"}, {}, None):
        client = await nodes.client(nodes.two.address, server=nodes.two.server, room="den")
        client.frames.clear()
        answered = asyncio.Event()
        target = {"to": client.sid} if emit is None else emit
        emitting = asyncio.create_task(nodes.one.server.emit("a", **target))
        await asyncio.sleep(0)
        await nodes.one.server.emit("b", to=client.sid, callback=answered.set)
        await nodes.one.server.emit("c", **target)
        id_, _ = await asked(client, "b")
        await client.send_frame(f"43{id_}[]")
        await answered.wait()
        await nodes.one.server.leave_room(client.sid, "den")
        await nodes.one.server.emit("d", to="den")
        await nodes.one.server.disconnect(client.sid)
        await client.frame(lambda frame: frame == "41")
        await emitting

        names = [
            frame if "[" not in frame else json.loads(frame[frame.index("[") :])[0] for frame in client.frames
        ]
        assert ["a", "b", "c", "41"] == names
