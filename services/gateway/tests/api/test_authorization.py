"""Who may do what: every call, by everybody."""

import time

import pytest
from backends import ADMIN, ROOM, token

from roomwire.identity.capabilities import load_policy

CALLS = {
    "publish to a room": ("POST", "/publish", {"messages": [{"room": ROOM, "event": "x"}]}),
    "publish to a user": ("POST", "/publish", {"messages": [{"user": "account:1", "event": "x"}]}),
    "publish to everybody": ("POST", "/publish", {"messages": [{"everyone": True, "event": "x"}]}),
    "rooms": ("GET", "/rooms", None),
    "presence": ("GET", f"/presence?room={ROOM}", None),
    "history": ("GET", f"/history?room={ROOM}", None),
    "disconnect": ("POST", "/disconnect", {"user": "nobody"}),
    "ban": ("POST", "/ban", {"user": "nobody", "for_s": 1}),
    "mute": ("POST", "/mute", {"user": "nobody", "for_s": 1}),
    "move": ("POST", "/move", {"room": ROOM, "to": "acme:hall"}),
}
ALL = {*CALLS}
OF_A_ROOM = {"publish to a room", "presence", "history"}
SHOP = "s" * 40
# Who, by what they bring (text of 40: a key; text: a role's token; a mapping: what the token says), and what is allowed;
# None: nobody is known by it.
CALLERS = [
    pytest.param(None, None, id="no token"),
    pytest.param("x" * 40, None, id="an unknown key"),
    pytest.param(ADMIN[:-1], None, id="a part of a key"),
    pytest.param("guest", {"presence", "history"}, id="guest"),
    pytest.param("user", {"presence", "history"}, id="user"),
    pytest.param("admin", ALL, id="admin"),
    pytest.param({"other:*": ["publish", "history", "presence"]}, set(), id="another tenant's user"),
    pytest.param({}, set(), id="nothing claimed"),
    pytest.param({"*": ["rooms"]}, {"rooms"}, id="who may list rooms"),
    pytest.param({"*": ["broadcast", "publish"]}, set(), id="a person who may speak to everybody"),
    pytest.param(
        {"*": ["broadcast", "emit"]},
        {"publish to everybody"},
        id="who may speak to everybody as a backend does",
    ),
    pytest.param({"acme:*": ["publish", "emit"]}, {"publish to a room"}, id="who may emit in a room"),
    pytest.param({"*": ["publish"], "other:*": ["emit"]}, set(), id="who may emit in another room"),
    pytest.param({"*": ["emit"]}, set(), id="who may emit and not speak"),
    pytest.param({"acme:*": ["admin", "broadcast", "rooms"]}, set(), id="all rooms' actions under a pattern"),
    pytest.param({"user:*": ["publish"]}, set(), id="a pattern like a user's room"),
    pytest.param(SHOP, OF_A_ROOM, id="a service's key"),
    pytest.param(ADMIN, ALL, id="an admin's key"),
]


async def outcomes(system, bearer):
    found = {}
    for call, (method, path, body) in CALLS.items():
        response = await system.call(method, path, bearer=bearer, json=body)
        found[call] = (response.status_code, response.json().get("error", {}).get("code", "ok"))
    return found


@pytest.mark.parametrize(("who", "allowed"), CALLERS)
async def test_a_call_is_allowed_by_a_pattern_or_forbidden(start, tmp_path, who, allowed):
    system = await start(gateways=1)
    policy = load_policy(tmp_path / "policy.toml")
    if isinstance(who, dict):
        who = token(who)
    elif who in policy.roles:
        who = token(policy.of_role(who).claim())
    refused = (401, "unauthenticated") if allowed is None else (403, "forbidden")

    expected = {call: (200, "ok") if call in (allowed or ()) else refused for call in CALLS}
    assert expected == await outcomes(system, who)


@pytest.mark.parametrize("how", ["expired", "revoked", "of another issuer", "of another scheme"])
async def test_a_token_that_does_not_hold_is_nobodys(start, how):
    system = await start(gateways=1)
    bearer = token({"*": ["admin"]}, session="s1", lifetime_s=-61 if how == "expired" else 60)
    if how == "revoked":
        revoked = system.gateways[0].app._revoked
        revoked.add("session", "s1", at=time.time(), until=time.time() + 60)
    elif how == "of another issuer":
        bearer = bearer[:-8] + "AAAAAAAA"
    if how == "of another scheme":
        response = await system.call(
            "GET", "/rooms", bearer=None, headers={"authorization": f"Basic {bearer}"}
        )
        assert 401 == response.status_code
    else:
        assert {(401, "unauthenticated")} == {*(await outcomes(system, bearer)).values()}


async def test_where_tokens_are_not_looked_at_keys_alone_are_taken(start):
    system = await start(gateways=1, auth_mode="off")

    assert 401 == (await system.call("GET", "/rooms", bearer=token({"*": ["rooms"]}))).status_code
    assert 200 == (await system.call("GET", "/rooms")).status_code
