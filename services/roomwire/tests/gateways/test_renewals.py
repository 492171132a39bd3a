"""The part of a gateway that renews tokens, in an application that is not the chat."""

from datetime import UTC, datetime

import pytest

from roomwire import Gateway, Socket, User
from roomwire.gateways.renewals import RefreshToken, Renewal
from roomwire.testing import Refused


class Board(Gateway, renewal_event="renew", moderated=True): ...


class Overriding(Board):
    async def renew_token(self, socket: Socket, token: str) -> Renewal:
        renewal = await super().renew_token(socket, token)
        await socket.emit("renewed", socket.user.name)
        return renewal


class Plain(Gateway):
    """A gateway without the part."""


def ann(cluster, *, left_s, name="Ann", id_="ann"):
    return User(id=id_, name=name, kind="account", expires_at=cluster.now() + left_s)


async def test_a_client_that_renewed_its_token_stays_connected_and_another_does_not(nodes):
    async with nodes(Board) as cluster:
        renewed = await cluster.connect(ann(cluster, left_s=60))
        other = await cluster.connect(ann(cluster, left_s=60))
        later = ann(cluster, left_s=600)
        answer = await renewed.call("renew", {"token": cluster.token(later)})
        await cluster.advance(120)

        assert datetime.fromtimestamp(later.expires_at, UTC) == datetime.fromisoformat(answer["expiresAt"])
        assert None is renewed.disconnected
        assert "io server disconnect" == other.disconnected


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"left_s": 600, "id_": "bob"}, "forbidden", id="another user's"),
        pytest.param({"left_s": 30}, "forbidden", id="expires sooner"),
        pytest.param({"left_s": -30}, "unauthenticated", id="expired"),
    ],
)
async def test_a_token_that_does_not_renew_is_refused_by_the_codes_of_the_chat(nodes, claims, code):
    async with nodes(Board) as cluster:
        client = await cluster.connect(ann(cluster, left_s=60))
        with pytest.raises(Refused, match=code):
            await client.call("renew", {"token": cluster.token(ann(cluster, **claims))})


async def test_a_muted_user_may_renew_its_token(nodes):
    async with nodes(Board) as cluster:
        client = await cluster.connect(ann(cluster, left_s=60))
        await cluster.nodes[0].get(Board).mute("ann", for_s=60)

        assert await client.call("renew", {"token": cluster.token(ann(cluster, left_s=600))})


async def test_a_gateway_acts_on_a_renewal_by_overriding_it(nodes):
    async with nodes(Overriding) as cluster:
        client = await cluster.connect(ann(cluster, left_s=60))
        await client.call("renew", {"token": cluster.token(ann(cluster, left_s=600, name="Anna"))})

        assert "Anna" == await client.next("renewed")


def test_the_event_is_one_of_those_that_a_gateway_subscribes_to():
    assert ["renew"] == Board.subscriptions()
    assert [] == Plain.subscriptions()


def test_a_token_does_not_show_in_the_representation_of_a_body():
    assert "secret" not in repr(RefreshToken("secret"))
