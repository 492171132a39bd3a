"""Users over all nodes of a gateway: how many sockets they have, who is banned, and who is muted."""

import pytest
from structlog.testing import capture_logs

from roomwire import Gateway, Server, Socket, subscribe
from roomwire.cluster.standings.contract import SOCKET_TTL_S
from roomwire.cluster.standings.standings import REFRESH_S
from roomwire.errors import ConfigurationError
from roomwire.testing import Refused


class Square(Gateway, moderated=True, max_connections_per_user=2):
    @subscribe("say")
    async def say(self, text: str) -> str:
        return text

    @subscribe("count")
    def count(self, number: int) -> int:
        return number

    @subscribe("listen", requires_voice=False)
    async def listen(self) -> str:
        return "heard"

    @subscribe("either", requires_voice=False)
    async def either(self, socket: Socket, is_speech: bool) -> str:
        if is_speech:
            socket.require_voice()
        return "done"


class Quiet(Gateway):
    """A gateway without the part."""


def square(cluster, node=0):
    return cluster.nodes[node].get(Square)


async def refused(cluster, user, **where):
    with pytest.raises(Refused) as found:
        await cluster.connect(user, **where)
    return found.value.code


async def test_a_user_has_as_many_sockets_as_it_may_over_all_nodes(nodes):
    async with nodes(Square, count=2) as cluster:
        first = await cluster.connect("ann")
        await cluster.connect("ann", node=1)
        assert "rate_limited" == await refused(cluster, "ann", node=1)
        await cluster.connect("bob", node=1)

        first.disconnect()
        await cluster.settle()
        await cluster.connect("ann", node=1)


async def test_anonymous_clients_are_nobodys_and_are_not_counted(nodes):
    async with nodes(Square) as cluster:
        guests = [await cluster.connect() for _ in range(3)]

        assert ["hi"] * 3 == [await guest.call("say", "hi") for guest in guests]


async def test_a_socket_that_comes_back_has_its_place_and_its_last_node_does_not_take_it(nodes):
    async with nodes(Square, count=2) as cluster:
        ann = await cluster.connect("ann")
        await cluster.connect("ann")
        ann.cut()
        await ann.back(node=1)
        assert ann.recovered
        await cluster.settle()

        assert "rate_limited" == await refused(cluster, "ann")


async def test_the_sockets_of_a_node_that_died_count_for_a_while(nodes):
    async with nodes(Square, count=2) as cluster:
        for _ in range(2):
            await cluster.connect("ann")
        await cluster.kill(0)
        assert "rate_limited" == await refused(cluster, "ann", node=1)

        await cluster.advance(SOCKET_TTL_S + 1)
        await cluster.connect("ann", node=1)


async def test_a_socket_counts_for_as_long_as_it_is_there(nodes):
    async with nodes(Square, count=2) as cluster:
        for node in (0, 1):
            await cluster.connect("ann", node=node)
        await cluster.advance(3 * SOCKET_TTL_S)

        assert "rate_limited" == await refused(cluster, "ann")


async def test_a_ban_sends_a_user_away_on_all_nodes_and_keeps_it_out_for_its_time(nodes):
    async with nodes(Square, count=2) as cluster:
        anns = [await cluster.connect("ann", node=node) for node in (0, 1)]
        bob = await cluster.connect("bob", node=1)
        assert [] == list(await square(cluster).ban("ann", for_s=3_600, by="root"))
        for ann in anns:
            assert "io server disconnect" == await ann.ended()
            assert "forbidden" == (await ann.next("exception"))["code"]
        assert "hi" == await bob.call("say", "hi")
        assert ["forbidden"] * 2 == [await refused(cluster, "ann", node=node) for node in (0, 1)]

        await cluster.advance(3_601)
        await cluster.connect("ann")


async def test_who_was_away_when_it_was_banned_does_not_come_back(nodes):
    async with nodes(Square) as cluster:
        ann = await cluster.connect("ann")
        ann.close()
        await cluster.settle()
        await square(cluster).ban("ann", for_s=3_600)

        with pytest.raises(Refused, match="forbidden"):
            await ann.back()


async def test_a_ban_can_be_ended(nodes):
    async with nodes(Square) as cluster:
        await square(cluster).ban("ann", for_s=3_600)
        await square(cluster).ban("ann", for_s=0)

        await cluster.connect("ann")


async def test_who_is_muted_may_listen_and_not_speak_on_all_nodes(nodes):
    async with nodes(Square, count=2) as cluster:
        ann = await cluster.connect("ann", node=1)
        bob = await cluster.connect("bob", node=1)
        await square(cluster).mute("ann", for_s=3_600)
        await cluster.settle()
        later = await cluster.connect("ann")
        for muted in (ann, later):
            for event, body in (("say", "hi"), ("count", 1), ("either", True)):
                with pytest.raises(Refused, match="forbidden"):
                    await muted.call(event, body)
            assert "heard" == await muted.call("listen")
            assert "done" == await muted.call("either", False)
        assert ["hi", 1] == [await bob.call("say", "hi"), await bob.call("count", 1)]

        await cluster.advance(3_601)
        assert ["hi", 1] == [await ann.call("say", "hi"), await ann.call("count", 1)]


async def test_what_the_muted_send_is_refused_before_it_is_read_and_before_any_guard(nodes):
    asked = []

    def guard(call):
        asked.append(call.event)
        return True

    class Guarded(Square):
        guards = (guard,)

    async with nodes(Guarded) as cluster:
        ann = await cluster.connect("ann")
        await cluster.nodes[0].get(Guarded).mute("ann", for_s=60)
        with pytest.raises(Refused, match="forbidden"):
            await ann.call("say", {"no": "text"})

    assert ["connect"] == asked


async def test_a_gateway_that_only_bounds_its_users_lets_each_handler_ask_for_a_voice(nodes):
    class Bounded(Gateway, max_connections_per_user=2):
        @subscribe("say")
        async def say(self, text: str) -> str:
            return text

        @subscribe("shout")
        async def shout(self, socket: Socket, text: str) -> str:
            socket.require_voice()
            return text

    async with nodes(Bounded) as cluster:
        ann = await cluster.connect("ann")
        await cluster.nodes[0].get(Bounded).mute("ann", for_s=60)
        assert "hi" == await ann.call("say", "hi")
        with pytest.raises(Refused, match="forbidden"):
            await ann.call("shout", "hi")


async def test_a_mute_can_be_ended(nodes):
    async with nodes(Square) as cluster:
        ann = await cluster.connect("ann")
        await square(cluster).mute("ann", for_s=3_600)
        await square(cluster).mute("ann", for_s=0)

        assert "hi" == await ann.call("say", "hi")


async def test_a_node_that_was_not_told_learns_of_a_ban_before_long(nodes):
    async with nodes(Square, count=2) as cluster:
        ann = await cluster.connect("ann", node=1)
        cluster.nodes[1].server.on_server_side("roomwire.standing", lambda *_: None)
        await square(cluster).ban("ann", for_s=3_600)
        await cluster.advance(REFRESH_S + 1)

        assert "io server disconnect" == ann.disconnected


async def test_a_change_is_audited(nodes):
    async with nodes(Square) as cluster:
        with capture_logs() as logged:
            await square(cluster).mute("ann", for_s=60, by="root")

    (line,) = [line for line in logged if line["event"] == "standing changed"]
    facts = {"audit": True, "caller": "root", "operation": "mute", "user": "ann", "for_s": 60}
    assert facts.items() <= line.items()


async def test_a_gateway_that_does_not_ask_for_standings_bans_nobody(nodes):
    async with nodes(Quiet) as cluster:
        with pytest.raises(ConfigurationError, match="moderated"):
            await cluster.nodes[0].get(Quiet).ban("ann", for_s=60)


async def test_a_server_that_keeps_no_standings_says_so():
    server = Server()
    server.register_namespace(gateway := Square())
    server.standings = None

    with pytest.raises(ConfigurationError, match="open_standings"):
        gateway.standings()
