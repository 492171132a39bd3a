"""Who may do what: every event, by everybody."""

import json
import time

import pytest
from live import Client, served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from roomwire.errors import Unauthenticated
from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.capabilities import Capabilities, load_policy
from roomwire.identity.tokens import SigningKey, User
from roomwire_gateway.chat import ChatGateway

KEY = SigningKey.generate()
ROOM = "acme:den"
EVENTS = {
    "message": "hello",
    "joinRoom": {"roomId": ROOM, "userName": "Ann"},
    "leaveRoom": {"roomId": ROOM},
    "chatMessage": {"roomId": ROOM, "userName": "Ann", "message": "hello"},
    "typing": {"roomId": ROOM, "userName": "Ann"},
    "history": {"roomId": ROOM},
    "presence": {"roomId": ROOM},
    "rooms": {},
    # Last, as it may change what is allowed.
    "refreshToken": None,
}
POLICY = """
[roles.guest]
"acme:*" = ["join", "history", "presence"]
[roles.user]
"acme:*" = ["join", "publish", "history", "presence"]
[roles.visitor]
"*" = ["presence", "rooms"]
[roles.admin]
"*" = ["join", "publish", "history", "presence", "rooms", "broadcast", "admin"]
"""
READ = {"joinRoom", "history", "presence"}
SPEAK = {"chatMessage", "typing"}
ALL = frozenset(EVENTS)
# Whoever is in may leave and, with a token, renew it.
IN = {"leaveRoom", "refreshToken"}
TENANT = {"other:*": ["join", "publish", "history", "presence"]}
# Who, by what claim (None: no token; text: a role; a mapping: what the token says), and what is allowed.
PEOPLE = [
    pytest.param(None, {"leaveRoom", "presence", "rooms"}, id="anonymous"),
    pytest.param("guest", IN | READ, id="guest"),
    pytest.param("user", IN | READ | SPEAK, id="user"),
    pytest.param("admin", ALL, id="admin"),
    pytest.param(TENANT, IN, id="another tenant's user"),
    pytest.param({}, IN, id="nothing claimed"),
    pytest.param({ROOM: ["join"]}, IN | {"joinRoom"}, id="one room, to enter"),
    pytest.param({ROOM: ["publish"]}, IN | SPEAK, id="one room, to speak"),
    pytest.param({ROOM: ["history"]}, IN | {"history"}, id="one room, to read"),
    pytest.param({"acme:de": ["join", "publish"]}, IN, id="a room whose name begins alike"),
    pytest.param({"ACME:*": ["join", "publish"]}, IN, id="the tenant in other letters"),
    pytest.param({"acme:*": ["rooms", "broadcast", "admin"]}, IN, id="what is for all rooms, in some"),
]


@pytest.fixture
async def jwks():
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:
        yield f"http://{address}/jwks.json"


@pytest.fixture
def policy_file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def token(claim, *, lifetime_s=60, **facts):
    user = User(id="account:1", name="Ann", kind="account", capabilities=Capabilities.of(claim), **facts)
    return KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=lifetime_s)


async def outcomes_of(client, claim):
    """Emit every event; returns what came of each: `ok`, or the error's code."""
    outcomes = {}
    for event, body in EVENTS.items():
        answer = await client.emit(event, body or {"token": token(claim or {})})
        error = answer.get("error") if isinstance(answer, dict) else None
        outcomes[event] = error["code"] if error else "ok"
    return outcomes


def test_every_event_of_the_chat_is_asked_about():
    assert ALL == ChatGateway()._handlers.keys()


@pytest.mark.parametrize(("who", "allowed"), PEOPLE)
async def test_an_event_is_allowed_by_a_pattern_or_forbidden(gateway, jwks, policy_file, who, allowed):
    running = await gateway(
        auth_mode="optional", auth_jwks_url=jwks, policy_file=policy_file, anonymous_role="visitor"
    )
    claim = load_policy(policy_file).of_role(who).claim() if isinstance(who, str) else who
    auth = None if claim is None else {"token": token(claim)}
    async with Client.connected(running.address, auth) as client:
        outcomes = await outcomes_of(client, claim)

    assert {event: "ok" if event in allowed else "forbidden" for event in EVENTS} == outcomes
    assert len(EVENTS) - len(allowed) == running.metric("events_total", outcome="forbidden")


async def test_a_backend_comes_in_by_its_token_and_may_do_what_its_role_may(gateway, jwks):
    running = await gateway(auth_mode="required", auth_jwks_url=jwks)
    backend = User("client:reports", "reports", "service", load_policy().of_role("service"))
    given = KEY.sign(backend, issuer="roomwire", audience="roomwire", lifetime_s=60)
    async with Client.connected(running.address, {"token": given}) as client:
        said = await client.emit("chatMessage", EVENTS["chatMessage"])
        joined = await client.emit("joinRoom", EVENTS["joinRoom"])

    assert ("Message sent to room", "forbidden") == (said, joined["error"]["code"])


async def test_who_speaks_under_the_name_of_another_is_shown_as_the_user_that_it_is(gateway, jwks):
    running = await gateway(auth_mode="optional", auth_jwks_url=jwks)
    eve = KEY.sign(
        User("guest:2", "Eve", "guest", Capabilities.of(EVERYTHING)),
        issuer="roomwire",
        audience="roomwire",
        lifetime_s=60,
    )
    as_ann = {"roomId": ROOM, "userName": "Ann"}
    wants = {"structured": True}
    async with (
        Client.connected(running.address, wants | {"token": token(EVERYTHING)}) as bob,
        Client.connected(running.address, {"token": eve}) as impostor,
        Client.connected(running.address) as nobody,
    ):
        await bob.emit("joinRoom", as_ann | {"userName": "Bob"})
        await bob.event("roomMessage")
        await bob.event("presence")
        for client in (impostor, nobody):
            await client.emit("joinRoom", as_ann)
            await client.send("typing", as_ann)
            await client.emit("chatMessage", as_ann | {"message": "it is me"})
        await impostor.emit("message", "to all")
        told = [(await bob.event("roomMessage"))[1] for _ in range(4)]
        told += [(await bob.event("message"))[1]]
        told += [(await bob.event("presence"))[0]["joined"] for _ in range(2)]
        told += [(await bob.event("typing"))[0] for _ in range(2)]
        told += (await bob.emit("history", {"roomId": ROOM}))["messages"]
        told += (await bob.emit("presence", {"roomId": ROOM}))["members"]

    assert {"Ann", "Bob", impostor.sid} == {one["user"] for one in told}
    senders = [(one["user"], one.get("sender")) for one in told if one["user"] != "Bob"]
    hers, of_nobody = {"id": "guest:2", "kind": "guest"}, None
    assert 7 == sum(sender == hers for _, sender in senders), senders
    assert 6 == sum(sender is of_nobody for _, sender in senders), senders
    assert [{"id": "account:1", "kind": "account"}] == [one["sender"] for one in told if one["user"] == "Bob"]


EVERYTHING = {"*": ["join", "publish", "history", "presence", "rooms", "broadcast", "admin"]}
LOCKED_OUT = [
    pytest.param(lambda: token(EVERYTHING, lifetime_s=-LEEWAY_S - 1), id="expired"),
    pytest.param(lambda: token(EVERYTHING, session="s1"), id="revoked, the session"),
    pytest.param(lambda: token(EVERYTHING)[:-4] + "AAAA", id="forged"),
]


@pytest.mark.parametrize("make", LOCKED_OUT)
async def test_who_brings_a_token_that_does_not_hold_gets_to_no_event_whatever_it_would_allow(
    gateway, jwks, make
):
    running = await gateway(auth_mode="optional", auth_jwks_url=jwks)
    running.app._revoked.add("session", "s1", at=time.time(), until=time.time() + 60)
    async with Client.open(running.address) as client:
        refusal = await client.connect({"token": make()})
        assert "unauthenticated" == refusal["data"]["code"]
        for event, body in EVENTS.items():
            await client.ask(event, body or {"token": token(EVERYTHING)})
        # Who connects after all is answered what it asks from then on, and nothing else.
        client.frames.clear()
        assert "sid" in await client.connect({"token": token(EVERYTHING)})
        await client.emit("presence", {"roomId": ROOM})
        assert 1 == sum(frame.startswith("43") for frame in client.frames)

    assert 1 == running.metric("events_total", outcome="ok")


@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_who_is_locked_out_while_connected_gets_to_no_event_any_more(gateway, jwks, how):
    running = await gateway(auth_mode="required", auth_jwks_url=jwks)
    # A token is good for the leeway after it expires: this one for three seconds.
    left_s = 600 if how == "revoked" else 3 - LEEWAY_S
    async with Client.connected(
        running.address, {"token": token(EVERYTHING, lifetime_s=left_s, session="s1")}
    ) as client:
        if how == "revoked":
            running.app._revoked.add("session", "s1", at=time.time(), until=time.time() + 60)
            running.app.server.send_away_all(running.app._revoked.holds, Unauthenticated())
        (reason,) = await client.event("exception")
        await client.frame(lambda text: text == "41")
        for event, body in EVENTS.items():
            await client.ask(event, body or {"token": token(EVERYTHING)})
        await client.send_frame("40" + json.dumps({"token": token(EVERYTHING)}))
        await client.frame(lambda text: text.startswith("40{") and client.sid not in text)
        assert not [frame for frame in client.frames if frame.startswith("43")]

    assert "unauthenticated" == reason["code"]
    assert 0 == running.metric("events_total", outcome="ok")


@pytest.mark.parametrize(
    ("role", "outcome"),
    [("none", "forbidden"), ("guest", None)],
    ids=["nothing by default", "the role that is set"],
)
async def test_a_token_without_the_claim_has_the_role_that_is_set(gateway, jwks, monkeypatch, role, outcome):
    running = await gateway(auth_mode="required", auth_jwks_url=jwks, claimless_role=role)
    # As another issuer signs it.
    monkeypatch.setattr(Capabilities, "claim", lambda _: None)
    async with Client.connected(running.address, {"token": token({})}) as client:
        answer = await client.emit("presence", {"roomId": ROOM})

    assert outcome == answer.get("error", {}).get("code")


async def test_a_client_that_comes_back_with_less_has_left_the_rooms_it_may_not_enter(gateway, jwks):
    running = await gateway(auth_mode="required", auth_jwks_url=jwks)
    more, less = token({"*": ["join", "presence"]}), token({"hall": ["join"], "*": ["presence"]})
    headers = {"User-Agent": "Mozilla/5.0"}
    async with Client.open(running.address, headers=headers) as client:
        opening = await client.connect({"token": more})
        for room in ("hall", ROOM):
            await client.emit("joinRoom", {"roomId": room, "userName": "Ann"})
    async with Client.open(running.address, headers=headers) as client:
        again = await client.connect({"token": less, "pid": opening["pid"]})
        counts = [(await client.emit("presence", {"roomId": room}))["count"] for room in ("hall", ROOM)]

        assert opening["sid"] == again["sid"]
        assert [1, 0] == counts
        rooms = running.app.server.rooms(again["sid"])
        assert {"text:hall"} == {room for room in rooms if room.startswith("text:")}
