"""A connection ends with its token, unless it is renewed in place."""

import time
from datetime import UTC, datetime

import pytest
from live import Client, served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until

from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.capabilities import Capabilities
from roomwire.identity.errors import TokenExpired
from roomwire.identity.tokens import SigningKey, User

KEY = SigningKey.generate()
LIFETIME_S = 60
EVERYTHING = {"*": ["join", "publish", "history", "presence"]}


def token(*, left_s=600, id_="account:1", cap=None):
    """Sign a token that is taken for so many seconds more, or one more than that."""
    user = User(id=id_, name="Ann", kind="account", capabilities=Capabilities.of(cap or EVERYTHING))
    lifetime_s = LIFETIME_S + max(left_s, 0)
    now = time.time() + left_s + 1 - lifetime_s - LEEWAY_S
    return KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=lifetime_s, now=now)


@pytest.fixture
async def running(gateway):
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:
        yield await gateway(auth_mode="required", auth_jwks_url=f"http://{address}/jwks.json")


async def test_when_a_token_expires_its_connection_ends_with_a_reason_and_a_renewed_one_stays(running):
    # Both expire in the same instant, so what ends the one has been asked about the other.
    first = token(left_s=1)
    auth = {"token": first}
    async with (
        Client.connected(running.address, auth) as renewed,
        Client.connected(running.address, auth) as other,
    ):
        answer = await renewed.emit("refreshToken", {"token": token(left_s=600)})
        # Not before its time; how late depends on the machine.
        expires_at = running.app.server.member(renewed.sid).user.expires_at
        assert datetime.fromtimestamp(expires_at, UTC) == datetime.fromisoformat(answer["expiresAt"])
        assert expires_at > time.time() + 60

        (reason,) = await other.event("exception")
        await other.frame(lambda text: text == "41")
        assert TokenExpired().details() == reason
        assert 0 == (await renewed.emit("presence", {"roomId": "den"}))["count"]
        assert "41" not in renewed.frames
    await until(lambda: running.metric("disconnects_total", reason="server disconnect"))


async def test_an_ended_session_is_not_recovered(running):
    headers = {"User-Agent": "Mozilla/5.0"}
    async with Client.open(running.address, headers=headers) as client:
        opening = await client.connect({"token": token(left_s=1)})
        await client.frame(lambda text: text == "41")
    async with Client.open(running.address, headers=headers) as client:
        again = await client.connect({"token": token(), "pid": opening["pid"]})

    assert opening["sid"] != again["sid"]


async def test_a_recovery_needs_a_token_that_holds_now(running):
    headers = {"User-Agent": "Mozilla/5.0"}
    async with Client.open(running.address, headers=headers) as client:
        opening = await client.connect({"token": token()})
    for late, code in ((token(left_s=-60), "unauthenticated"), (None, "unauthenticated")):
        async with Client.open(running.address, headers=headers) as client:
            refusal = await client.connect({"pid": opening["pid"]} | ({"token": late} if late else {}))
            assert code == refusal["data"]["code"]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        pytest.param({"id_": "account:2"}, "forbidden", id="somebody else's"),
        pytest.param({"left_s": 60}, "forbidden", id="expires sooner"),
        pytest.param({"left_s": -60}, "unauthenticated", id="expired"),
        pytest.param(None, "unauthenticated", id="garbage"),
    ],
)
async def test_a_token_that_does_not_renew_leaves_the_connection_as_it_was(running, other, code):
    async with Client.connected(running.address, {"token": token(left_s=300)}) as client:
        before = running.app.server.member(client.sid).user
        answer = await client.emit("refreshToken", {"token": "garbage" if other is None else token(**other)})

        assert code == answer["error"]["code"]
        assert before is running.app.server.member(client.sid).user


async def test_a_renewal_brings_other_capabilities_and_parts_from_rooms_beyond_them(running):
    async with Client.connected(running.address, {"token": token()}) as client:
        for room in ("hall", "den"):
            await client.emit("joinRoom", {"roomId": room, "userName": "Ann"})
        less = {"hall": ["join"], "*": ["presence"]}
        await client.emit("refreshToken", {"token": token(left_s=900, cap=less)})

        counts = [(await client.emit("presence", {"roomId": room}))["count"] for room in ("hall", "den")]
        assert [1, 0] == counts
        said = await client.emit("chatMessage", {"roomId": "hall", "userName": "Ann", "message": "hi"})
        assert "forbidden" == said["error"]["code"]


async def test_where_tokens_are_not_looked_at_none_is_renewed(gateway):
    running = await gateway(auth_mode="off")
    async with Client.connected(running.address) as client:
        assert "forbidden" == (await client.emit("refreshToken", {"token": token()}))["error"]["code"]
