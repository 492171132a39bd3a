"""Tokens of another identity provider: a real one in a process, a gateway in another, and the official client."""

import contextlib
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from clients import js_clients
from jwts import jwts_in
from service_process import running

PROVIDER = Path(__file__).with_name("identity_provider.py")
POLICY = """
[roles.guest]
[roles.user]
"hall" = ["join"]
[roles."/chat/speakers"]
"acme:*" = ["join", "publish"]
[roles.readers]
"acme:*" = ["history", "presence"]
"""
ROOM = "acme:den"
EVENTS = {
    "joinRoom": {"roomId": ROOM, "userName": "Ann"},
    "chatMessage": {"roomId": ROOM, "userName": "Ann", "message": "hello"},
    "history": {"roomId": ROOM},
    "presence": {"roomId": ROOM},
    "rooms": {},
}
# As Keycloak nests them.
CLAIMS = {"aud": "chat-api", "sub": "f:1:ann", "oid": "7", "preferred_username": "ann", "azp": "page"}


class Provider:
    """The provider's process; `token` has one signed."""

    def __init__(self, url):
        self.url = url
        self.issuer = f"{url}/"

    async def token(self, *, alg="RS256", typ="JWT", **changes):
        claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(self.url, json={"alg": alg, "typ": typ, "claims": claims})
        return answer.text


@pytest.fixture(scope="module")
def provider():
    command = [sys.executable, str(PROVIDER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Provider(process.stdout.readline().strip())
        process.stdin.close()


@pytest.fixture
def settings(provider, tmp_path):
    (tmp_path / "policy.toml").write_text(POLICY)
    return {
        "redis_url": "memory://",
        "page": "false",
        "policy_file": tmp_path / "policy.toml",
        "auth_discovery_url": f"{provider.url}/.well-known/openid-configuration",
        "auth_issuer": provider.issuer,
        "auth_audience": "chat-api",
        "auth_algorithms": "RS256,ES256",
        "auth_token_types": "JWT",
        "auth_claim_user": "oid",
        "auth_claim_name": "preferred_username",
        "auth_claim_roles": "/realm_access/roles",
        "claimless_role": "none",
    }


@contextlib.asynccontextmanager
async def gateway_and_clients(tmp_path, settings):
    async with running("gateway", tmp_path / "log", **settings) as gateway, js_clients() as clients:
        yield gateway, clients, f"http://{gateway.address}"


@pytest.mark.parametrize("source", ["auth_discovery_url", "auth_jwks_url"])
async def test_tokens_of_another_provider_let_in_and_allow_what_the_policy_says_of_their_roles(
    provider, settings, tmp_path, source
):
    if source == "auth_jwks_url":
        del settings["auth_discovery_url"]
        settings["auth_jwks_url"] = f"{provider.url}/keys"
    people = {
        "speakers": (["/chat/speakers"], {"joinRoom", "chatMessage"}),
        "readers": ("readers offline_access", {"history", "presence"}),
        "both": (["/chat/speakers", "readers"], {"joinRoom", "chatMessage", "history", "presence"}),
        "others": (["offline_access"], set()),
        "without": (None, set()),
    }
    async with gateway_and_clients(tmp_path, settings) as (gateway, clients, url):
        for alg in ("RS256", "ES256"):
            for who, (roles, allowed) in people.items():
                access = {} if roles is None else {"realm_access": {"roles": roles}}
                # What a token of ours would say is not believed of another's.
                token = await provider.token(alg=alg, cap={"*": ["rooms", "admin"]}, **access)
                client = await clients.connect(url, auth={"token": token}, transports=["websocket"])
                answers = {event: await client.emit(event, body) for event, body in EVENTS.items()}
                await client.close()

                codes = {
                    event: answer.get("error", {}).get("code") if isinstance(answer, dict) else None
                    for event, answer in answers.items()
                }
                assert {event: None if event in allowed else "forbidden" for event in EVENTS} == codes, who
        assert 1 <= await gateway.metric("roomwire_jwks_keys_refused_total", reason="malformed")
        assert [] == jwts_in(gateway.log)


REFUSED = [
    pytest.param({"alg": "PS256"}, id="an algorithm that is not set"),
    pytest.param({"typ": "at+jwt"}, id="a type that is not set"),
    pytest.param({"aud": "page"}, id="an ID token: its audience is the client"),
    pytest.param({"iss": "https://id.example.org/"}, id="another issuer"),
    pytest.param({"oid": None}, id="nobody"),
    pytest.param({"exp": 1_000}, id="expired"),
]


async def test_what_does_not_hold_by_the_settings_is_refused(provider, settings, tmp_path):
    async with gateway_and_clients(tmp_path, settings) as (_, clients, url):
        for row in REFUSED:
            token = await provider.token(**row.values[0])
            client = await clients.open(url, auth={"token": token}, transports=["websocket"])
            _, data = await client.wait_for("connect_error")
            assert "unauthenticated" == data["code"], row.id


OUT_OF_ORDER = [
    pytest.param({"auth_issuer": "https://id.example.org/"}, id="metadata of another issuer"),
    pytest.param({"auth_discovery_url": "{url}/nowhere"}, id="no metadata"),
]


@pytest.mark.parametrize("changes", OUT_OF_ORDER)
async def test_a_provider_that_cannot_be_believed_lets_nobody_in_for_the_moment(
    provider, settings, tmp_path, changes
):
    changed = {name: value.format(url=provider.url) for name, value in changes.items()}
    async with gateway_and_clients(tmp_path, settings | changed) as (gateway, clients, url):
        client = await clients.open(
            url, auth={"token": await provider.token()}, transports=["websocket"], reconnection=False
        )
        # It is not refused, as then it would not come back: the transport ends.
        await client.wait_for("disconnect", "transport close")

        assert "connect" not in {happening for happening, _ in client.happenings}
        assert "jwks fetch failed" in gateway.log
