"""Typing, as the other members of a room receive it: now, or not at all."""

import pytest

from roomwire import Gateway, Socket, subscribe
from roomwire.errors import ConfigurationError
from roomwire.testing import Refused


class Den(Gateway, typing_event="typing", moderated=True):
    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> None:
        await socket.join(room)

    @subscribe("say")
    async def say(self, text: str) -> None:
        await self.emit("said", text, to="den")


class Own(Den):
    @subscribe("typing")
    async def typed(self, socket: Socket, room: str, name: str) -> str:
        await self.tell_typing(socket, room, {"who": name})
        return "told"


class Silent(Gateway):
    """A gateway without the part."""


def typing_of(client):
    return [event for event in client.untaken if event.name == "typing"]


async def member(cluster, user=None, node=0, room="den"):
    client = await cluster.connect(user, node=node)
    await client.call("join", room)
    return client


async def test_the_other_members_on_all_nodes_receive_that_a_user_types(nodes):
    async with nodes(Den, count=2) as cluster:
        ann, bob, guest = [
            await member(cluster, user, node) for user, node in (("ann", 0), ("bob", 1), (None, 0))
        ]
        elsewhere = await member(cluster, "eve", room="attic")
        await ann.call("typing", "den")
        for client in (bob, guest):
            told = await client.next("typing")
            assert ("den", ann.sid, "ann") == (told["room"], told["id"], told["user"])
        await guest.call("typing", "den")
        assert (guest.sid, "") == ((told := await ann.next("typing"))["id"], told["user"])
        await cluster.settle()

        assert [] == typing_of(ann) + typing_of(elsewhere)


async def test_a_client_that_was_away_does_not_learn_who_typed_meanwhile(nodes):
    async with nodes(Den, count=2) as cluster:
        ann, bob, eve = [
            await member(cluster, user, node) for user, node in (("ann", 0), ("bob", 1), ("eve", 1))
        ]
        bob.cut()
        await ann.call("typing", "den")
        assert ann.sid == (await eve.next("typing"))["id"]
        await ann.call("say", "hi")
        await bob.back()

        assert bob.recovered
        assert "hi" == await bob.next("said")
        assert [] == typing_of(bob)


async def test_only_a_member_types_in_a_room(nodes):
    async with nodes(Den) as cluster:
        ann = await member(cluster, "ann", room="attic")
        with pytest.raises(Refused, match="forbidden"):
            await ann.call("typing", "den")


async def test_who_is_muted_does_not_type(nodes):
    async with nodes(Den) as cluster:
        ann = await member(cluster, "ann")
        await cluster.nodes[0].get(Den).mute("ann", for_s=60)
        with pytest.raises(Refused, match="forbidden"):
            await ann.call("typing", "den")


async def test_a_handler_of_the_gateway_takes_the_place_of_the_part_and_says_what_it_wants(nodes):
    async with nodes(Own) as cluster:
        ann, bob = await member(cluster, "ann"), await member(cluster, "bob")
        assert "told" == await ann.call("typing", "den", "Ann")

        assert {"who": "Ann"} == await bob.next("typing")


def test_the_event_is_one_of_those_that_a_gateway_subscribes_to():
    assert "typing" in Den.subscriptions()
    assert "typing" not in Silent.subscriptions()


async def test_a_gateway_without_the_part_tells_of_no_typing(nodes):
    async with nodes(Silent) as cluster:
        ann = await cluster.connect("ann")
        with pytest.raises(Refused, match="not_found"):
            await ann.call("typing", "den")
        gateway = cluster.nodes[0].get(Silent)
        socket = Socket(gateway.server, gateway.server.member(ann.sid, "/"))
        with pytest.raises(ConfigurationError, match="typing_event"):
            await gateway.tell_typing(socket, "den")
