"""Who hears what is said to a room: those who are in it at that place in the log, whoever was in it before."""

import random

import pytest
from recovering import Browser, nodes_of

from roomwire.log.streams import namespace_stream
from roomwire.log.targets import stream_of
from roomwire.rooms.member import Member

ROOMS = ("red", "blue", 1, 1.0)


@pytest.fixture
async def node():
    async with nodes_of("memory://") as start:
        node = await start()
        node.server.on("leave", node.server.leave_room)
        yield node


async def test_who_comes_and_goes_between_two_messages_hears_what_is_said_meanwhile_and_nothing_else(node):
    ann, bob = Browser(), Browser()

    async def say(text, *hearers, **target):
        """Say something; the next that each hearer hears is that, so nobody heard anything else before."""
        await node.server.emit("n", text, **target)
        for hearer in hearers:
            assert [text] == await hearer.events(1)

    await ann.connect(node)
    await say(1, ann)
    await bob.connect(node)
    await say(2, ann, bob)
    await ann.ask("join", "red")
    await say(3, ann, to="red")
    await bob.ask("join", "red")
    await say(4, ann, bob, to="red")
    await say(5, ann, to="red", skip_sid=bob.sid)
    await say(6, ann, bob, to="red")
    await ann.ask("leave", "red")
    await say(7, bob, to="red")
    await say(8, ann, bob)
    await ann.ask("join", "red")
    await say(9, ann, bob, to="red")
    await node.server.disconnect(bob.sid)
    await say(10, ann)


async def test_from_its_place_in_the_log_on_a_client_is_meant_though_it_has_not_had_its_verdict(node):
    ann, rooms = Browser(), node.server.manager
    await ann.connect(node)
    await node.server.emit("n", 1)
    assert [namespace_stream("/")] == list(rooms._registry._audiences)

    bob = Member("bob", "/", rooms.member(ann.sid, "/").connection)
    rooms.admit(bob)
    await node.server.emit("n", 2)
    assert len(bob.outlet.outbox) == 1
    rooms.forget(bob)


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_kept_of_who_hears_a_stream_is_always_what_would_be_found(node, seed):
    choice, rooms = random.Random(seed), node.server.manager
    clients, was_kept = [], 0

    def check():
        nonlocal was_kept
        for stream, audience in rooms._registry._audiences.items():
            members = rooms._registry.members_of(stream)
            found = (
                [one.outlet for one in members if one.pid],
                [one.outlet for one in members if not one.pid],
            )
            assert ("/", *found) == audience
            was_kept += 1

    for _ in range(150):
        act = choice.choice(("come", "go", "join", "leave", "say", "say", "say", "say to all"))
        client = choice.choice(clients) if clients else None
        if act == "come" and len(clients) < 4:
            clients.append(Browser())
            await clients[-1].connect(node, {"recovery": choice.random() < 0.7})
        elif act == "go" and client:
            clients.remove(client)
            await node.server.disconnect(client.sid)
        elif act in {"join", "leave"} and client:
            await client.ask(act, choice.choice(ROOMS))
        elif act == "say":
            await node.server.emit("n", 1, to=choice.choice(ROOMS))
        elif act == "say to all":
            await node.server.emit("n", 1)
        check()
    assert was_kept > 10
    assert set(rooms._registry._audiences) <= {
        namespace_stream("/"),
        *(stream_of("/", room) for room in ROOMS),
    }


async def test_rooms_whose_names_are_equal_in_python_are_one_room_until_the_last_has_left(node):
    ann, bob = Browser(), Browser()
    await ann.connect(node)
    await bob.connect(node)
    await ann.ask("join", 1)
    await node.server.emit("n", "first", to=1)
    assert ["first"] == await ann.events(1)
    await bob.ask("join", 1.0)
    await node.server.emit("n", "both", to=1)
    assert ["both"] == await ann.events(1) == await bob.events(1)
    await ann.ask("leave", 1)
    await node.server.emit("n", "one", to=1)
    assert ["one"] == await bob.events(1)
    await node.server.emit("n", "all")
    assert ["all"] == await ann.events(1) == await bob.events(1)
    await bob.ask("leave", 1.0)
    registry = node.server.manager._registry
    assert {("/", None)} == registry.streams.keys()
    assert not registry._older


async def test_a_list_of_receivers_reaches_those_of_its_own_namespace_alone(node):
    here, there = Browser(), Browser()
    node.server.on("connect", lambda *_: None, namespace="/chat")
    await here.connect(node)
    await there.connect(node, namespace="/chat")

    await node.server.emit("n", "x", to=[there.sid, here.sid])
    await node.server.emit("n", "y", namespace="/chat")

    assert ["x"] == await here.events(1)
    assert ["y"] == await there.events(1)
