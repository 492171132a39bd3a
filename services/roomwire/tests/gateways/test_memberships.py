"""The rooms of sockets, as a gateway is told of them: hooks, the presence event, who is present, and rooms of users."""

import pytest

from roomwire import Gateway, Socket, subscribe, user_room
from roomwire.errors import Forbidden
from roomwire.testing import Refused


class Doors(Gateway):
    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> None:
        await socket.join(room)

    @subscribe("leave")
    async def leave(self, socket: Socket, room: str) -> None:
        await socket.leave(room)


class Hall(Doors, user_rooms=True):
    """A gateway that writes down what its hooks are told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = []

    async def on_connection(self, socket: Socket, auth: dict[str, str]) -> None:
        if room := auth.get("room"):
            await socket.join(room)
        if auth.get("refuse"):
            raise Forbidden("Not you.")

    async def on_disconnection(self, socket: Socket) -> None:
        self.told.append(("gone", socket.id))

    async def on_join(self, socket: Socket, room: str) -> None:
        self.told.append(("joined" if not socket.recovered else "is back in", socket.id, room))
        if room == "closed":
            raise Forbidden("Closed.")

    async def on_leave(self, socket: Socket, room: str) -> None:
        self.told.append(("left", socket.id, room))
        if room == "broken":
            raise ValueError("as the test wants it")

    @subscribe("leave and go")
    async def leave_and_go(self, socket: Socket) -> None:
        await socket.disconnect()


class Lobby(Doors, presence_event="present"): ...


def told(cluster, node=0):
    return cluster.nodes[node].get(Hall).told


async def test_joining_and_leaving_is_told_once(nodes):
    async with nodes(Hall) as cluster:
        ann = await cluster.connect("ann")
        for event in ("join", "join", "leave", "leave"):
            await ann.call(event, "den")

        assert [("joined", ann.sid, "den"), ("left", ann.sid, "den")] == told(cluster)


async def test_who_goes_leaves_its_rooms_first(nodes):
    async with nodes(Hall) as cluster:
        ann = await cluster.connect("ann", auth={"room": "hall"})
        await ann.call("join", "den")
        ann.disconnect()
        await cluster.settle()

        expected = [("left", ann.sid, "hall"), ("left", ann.sid, "den"), ("gone", ann.sid)]
        assert expected == told(cluster)[2:]


async def test_who_is_sent_away_by_its_own_event_leaves_its_rooms_once(nodes):
    async with nodes(Hall) as cluster:
        ann = await cluster.connect("ann", auth={"room": "hall"})
        ann.emit("leave and go")
        await cluster.settle()

        assert [("joined", ann.sid, "hall"), ("left", ann.sid, "hall"), ("gone", ann.sid)] == told(cluster)


async def test_who_was_cut_off_left_and_is_back_in_its_rooms_when_it_is_recovered(nodes):
    async with nodes(Hall, count=2) as cluster:
        ann = await cluster.connect("ann", auth={"room": "hall"})
        ann.close()
        await cluster.settle()
        assert [("left", ann.sid, "hall"), ("gone", ann.sid)] == told(cluster)[1:]

        await ann.back(node=1)
        assert ann.recovered
        assert [("is back in", ann.sid, "hall")] == told(cluster, 1)


async def test_nobody_leaves_a_gateway_that_died_and_presence_knows_who_is_away(nodes):
    async with nodes(Hall, count=2) as cluster:
        ann = await cluster.connect("ann", auth={"room": "hall"})
        await cluster.connect("bob", node=1, auth={"room": "hall"})
        hall, first = cluster.nodes[1].get(Hall), told(cluster)
        assert {"ann": 1, "bob": 1} == (await hall.presence("hall")).users
        await cluster.kill(0)
        await cluster.settle()

        assert [("joined", ann.sid, "hall")] == first
        present = await hall.presence("hall")
        assert ({"bob": 1}, 2) == (present.users, present.total)
        assert ["bob"] == [one.user_id for one in present.connected]


async def test_what_the_hook_raises_the_joining_raises_and_the_socket_is_in_the_room(nodes):
    async with nodes(Hall) as cluster:
        ann = await cluster.connect("ann")
        with pytest.raises(Refused, match="Closed"):
            await ann.call("join", "closed")

        assert 1 == (await cluster.nodes[0].get(Hall).presence("closed")).total


async def test_who_is_refused_has_left_what_it_had_joined(nodes):
    async with nodes(Hall) as cluster:
        with pytest.raises(Refused):
            await cluster.connect("ann", auth={"room": "hall", "refuse": "yes"})

        assert [("joined", "hall"), ("left", "hall")] == [(one[0], one[2]) for one in told(cluster)]


async def test_a_hook_that_fails_keeps_no_other_room_from_being_left(nodes):
    async with nodes(Hall) as cluster:
        ann = await cluster.connect("ann", auth={"room": "broken"})
        await ann.call("join", "den")
        async with cluster.expects(ValueError):
            ann.disconnect()
            await cluster.settle()

        assert [("left", "broken"), ("left", "den")] == [(one[0], one[2]) for one in told(cluster)[2:4]]


async def test_a_join_from_another_node_is_told_where_the_socket_is(nodes):
    async with nodes(Hall, count=2) as cluster:
        ann = await cluster.connect("ann", node=1)
        changed = await cluster.nodes[0].server.sockets_join([ann.sid], "den")

        assert (1, [("joined", ann.sid, "den")]) == (changed.done, told(cluster, 1))


async def test_the_members_of_a_room_are_told_who_joins_and_who_leaves(nodes):
    async with nodes(Lobby, count=2) as cluster:
        ann = await cluster.connect("ann")
        bob = await cluster.connect("bob", node=1)
        await ann.call("join", "den")
        await ann.next("present")
        await bob.call("join", "den")

        joined = {"id": bob.sid, "user": "bob", "name": "bob"}
        assert {"room": "den", "joined": joined} == await ann.next("present")
        await bob.call("leave", "den")
        assert {"room": "den", "left": bob.sid} == await ann.next("present")


async def test_a_users_room_reaches_all_its_sockets_and_nobody_elses(nodes):
    async with nodes(Hall, count=2) as cluster:
        anns = [await cluster.connect("ann", node=node) for node in (0, 1)]
        bob, guest = await cluster.connect("bob"), await cluster.connect()
        await cluster.nodes[0].get(Hall).emit("note", "for ann", to=user_room("ann"))
        await cluster.nodes[0].get(Hall).emit("last")

        for ann in anns:
            assert "for ann" == await ann.next("note")
        for other in (bob, guest):
            await other.next("last")
            assert "note" not in [event for event, *_ in other.events]
        assert {"ann": 2} == (await cluster.nodes[0].get(Hall).presence(user_room("ann"))).users
        assert [] == told(cluster)


async def test_a_user_that_comes_back_is_in_its_room(nodes):
    async with nodes(Hall, count=2) as cluster:
        ann = await cluster.connect("ann")
        ann.cut()
        await cluster.nodes[1].get(Hall).emit("note", "missed", to=user_room("ann"))
        await ann.back(node=1)

        assert "missed" == await ann.next("note")


async def test_nobody_can_join_a_users_room(nodes):
    async with nodes(Hall) as cluster:
        bob = await cluster.connect("bob")

        with pytest.raises(Refused, match="forbidden"):
            await bob.call("join", user_room("ann"))


async def test_where_there_are_no_rooms_of_users_a_name_is_any_name(nodes):
    async with nodes(Lobby) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("join", user_room("ann"))

        assert [] == (await cluster.nodes[0].get(Lobby).presence("den")).present
        assert {"ann": 1} == (await cluster.nodes[0].get(Lobby).presence(user_room("ann"))).users
