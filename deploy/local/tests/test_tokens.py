"""Tokens through the real ingress: issued by auth, checked by the gateways before they let a client in."""

import base64
import time
from datetime import datetime
from typing import Any

import httpx
import jwt
import pytest
from clients import Client
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwts import jwts_in

from roomwire.errors import ClientError, Unauthenticated
from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.errors import InvalidToken, SessionEnded, TokenExpired
from roomwire.identity.tokens import SigningKey, User
from roomwire_local.system import LocalSystem

ANN = User(id="ann", name="Ann", kind="account")
CLAIMS = {"issuer": "roomwire", "audience": "roomwire", "lifetime_s": 60}


def key_of(system: LocalSystem) -> SigningKey:
    return SigningKey.from_pem((system.state / "signing-key.pem").read_text(encoding="utf-8"))


async def guest_token(system: LocalSystem, http: httpx.AsyncClient) -> str:
    answer = await http.post(f"{system.url}/auth/guest", json={"name": "Ann"})
    token: str = answer.json()["access_token"]
    return token


def carry(token: str, way: str, system: LocalSystem) -> tuple[str, dict[str, Any]]:
    """Return the URL and the options of a client that carries a token in one of the three ways."""
    options: dict[str, dict[str, Any]] = {
        "auth payload": {"auth": {"token": token}},
        "header": {"extraHeaders": {"Authorization": f"Bearer {token}"}},
        "query": {"query": {"token": token}},
    }
    return system.url, {**options[way], "reconnection": False}


WAYS = ["auth payload", "header", "query"]
TRANSPORTS = [["polling"], ["websocket"]]


async def refused(client: Client) -> list[Any]:
    """Return the arguments of a client's connect_error."""
    return await client.wait_for("connect_error")


def refusal(error: ClientError) -> list[Any]:
    """Return the arguments of the connect_error for an error: the message and the data."""
    return [error.message, dict(error.details())]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=lambda transports: transports[0])
@pytest.mark.parametrize("way", WAYS)
async def test_a_token_is_accepted_in_each_of_the_three_ways(clients, strict_system, http, way, transports):
    url, options = carry(await guest_token(strict_system, http), way, strict_system)
    client = await clients.connect(url, transports=transports, **options)
    assert "Message received!" == await client.emit("message", "in")


async def test_without_a_token_a_client_is_refused_where_one_is_required(clients, strict_system):
    client = await clients.open(strict_system.url, reconnection=False)
    assert refusal(Unauthenticated()) == await refused(client)
    assert [] == client.events


def expired(system: LocalSystem) -> str:
    return key_of(system).sign(ANN, **CLAIMS, now=time.time() - 3600)


def foreign(_: LocalSystem) -> str:
    return SigningKey.generate().sign(ANN, **CLAIMS)


def of_another_audience(system: LocalSystem) -> str:
    return key_of(system).sign(ANN, **{**CLAIMS, "audience": "another"})


def of_another_issuer(system: LocalSystem) -> str:
    return key_of(system).sign(ANN, **{**CLAIMS, "issuer": "another"})


def signed_with_the_public_key(system: LocalSystem) -> str:
    """The classic confusion: HS256, with the public key as the secret."""
    key = key_of(system)
    x = key.public_jwk()["x"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
    secret = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = {"iss": "roomwire", "aud": "roomwire", "sub": "ann", "name": "Ann", "kind": "account"}
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 60}
    return jwt.encode(claims, secret, algorithm="HS256", headers={"typ": "at+jwt", "kid": key.kid})


def unsigned(system: LocalSystem) -> str:
    token = jwt.encode(
        {"sub": "ann"}, None, algorithm="none", headers={"typ": "at+jwt", "kid": key_of(system).kid}
    )
    return str(token)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (expired, TokenExpired),
        (foreign, InvalidToken),
        (of_another_audience, InvalidToken),
        (of_another_issuer, InvalidToken),
        (signed_with_the_public_key, InvalidToken),
        (unsigned, InvalidToken),
    ],
)
async def test_a_token_that_does_not_hold_is_refused_even_where_none_is_required(
    clients, system, way, make, error
):
    url, options = carry(make(system), way, system)
    client = await clients.open(url, **options)
    assert refusal(error()) == await refused(client)


async def test_an_account_lives_through_register_login_refresh_and_logout(system, http):
    credentials = {"username": f"ann-{time.time_ns()}", "password": "correct horse battery"}
    registered = await http.post(f"{system.url}/auth/register", json=credentials)
    assert 201 == registered.status_code
    logged_in = await http.post(f"{system.url}/auth/login", json=credentials)
    assert registered.json()["user"] == logged_in.json()["user"]
    refresh_token = logged_in.json()["refresh_token"]
    refreshed = await http.post(f"{system.url}/auth/refresh", json={"refresh_token": refresh_token})
    assert 200 == refreshed.status_code
    logout = await http.post(
        f"{system.url}/auth/logout", json={"refresh_token": refreshed.json()["refresh_token"]}
    )
    assert 204 == logout.status_code
    again = await http.post(
        f"{system.url}/auth/refresh", json={"refresh_token": refreshed.json()["refresh_token"]}
    )
    assert "unauthenticated" == again.json()["error"]["code"]


async def test_no_token_is_ever_in_a_log(clients, system, http):
    token = await guest_token(system, http)
    for way in WAYS:
        url, options = carry(token, way, system)
        await (await clients.connect(url, **options)).close()
        url, options = carry(foreign(system), way, system)
        await refused(await clients.open(url, **options))
    # The first system's log covers every token of this module, whatever became of it.
    await http.get(f"{system.url}/", params={"token": token})
    assert "connection refused" in system.log
    assert [] == jwts_in(system.log)
    assert token not in system.log


async def test_the_official_client_stays_by_a_new_token_and_is_sent_away_without(clients, strict_system):
    key = key_of(strict_system)
    # Taken for two seconds more: 60 of its life and the leeway for clocks that differ, less what has passed.
    short = key.sign(ANN, **CLAIMS, now=time.time() - 58 - LEEWAY_S)
    url, options = carry(short, "auth payload", strict_system)
    renewed, other = [await clients.connect(url, **options) for _ in range(2)]

    answer = await renewed.emit("refreshToken", {"token": key.sign(ANN, **CLAIMS)})
    assert datetime.fromisoformat(answer["expiresAt"]).timestamp() > time.time()

    assert ["io server disconnect"] == await other.wait_for("disconnect")
    ((_, reason),) = [event for event in other.events if event[0] == "exception"]
    assert TokenExpired().details() == reason
    assert (await renewed.state())["connected"]


async def test_a_logout_ends_the_official_clients_connection_and_its_token_comes_in_no_more(
    clients, strict_system, http
):
    granted, others = [
        (await http.post(f"{strict_system.url}/auth/guest", json={"name": name})).json()
        for name in ("Ann", "Bob")
    ]
    url, options = carry(granted["access_token"], "auth payload", strict_system)
    gone = await clients.connect(url, **options)
    url, others_options = carry(others["access_token"], "auth payload", strict_system)
    other = await clients.connect(url, **others_options)

    await http.post(f"{strict_system.url}/auth/logout", json={"refresh_token": granted["refresh_token"]})

    assert ["io server disconnect"] == await gone.wait_for("disconnect")
    ((_, reason),) = [event for event in gone.events if event[0] == "exception"]
    assert SessionEnded().details() == reason
    again = await clients.open(url, **options)
    assert refusal(SessionEnded()) == await refused(again)
    assert (await other.state())["connected"]


async def signed_in(system: LocalSystem, http: httpx.AsyncClient, route: str, **credentials: str) -> Any:
    """Return the tokens of an account, as the API grants them."""
    return (await http.post(f"{system.url}/auth/{route}", json=credentials)).json()


@pytest.mark.parametrize(
    ("route", "body", "kept"),
    [
        pytest.param("logout-everywhere", None, False, id="logged out everywhere"),
        pytest.param("delete-account", {"password": "correct horse"}, False, id="account deleted"),
        pytest.param(
            "password",
            {"current_password": "correct horse", "new_password": "new horse"},
            True,
            id="password changed",
        ),
    ],
)
async def test_what_ends_all_sessions_ends_the_official_clients_connections(
    clients, strict_system, http, route, body, kept
):
    ann = {"username": f"ann-{time.time_ns()}", "password": "correct horse"}
    granted = [await signed_in(strict_system, http, one, **ann) for one in ("register", "login")]
    asking, other = [
        await clients.connect(url, **options)
        for url, options in (carry(one["access_token"], "auth payload", strict_system) for one in granted)
    ]

    headers = {"Authorization": f"Bearer {granted[0]['access_token']}"}
    answer = await http.post(f"{strict_system.url}/auth/{route}", json=body, headers=headers)

    assert 204 == answer.status_code
    assert ["io server disconnect"] == await other.wait_for("disconnect")
    if not kept:
        assert ["io server disconnect"] == await asking.wait_for("disconnect")
    assert kept is (await asking.state())["connected"]
    following = {"password": "new horse"} if kept else {}
    again = await signed_in(
        strict_system, http, "register" if route == "delete-account" else "login", **(ann | following)
    )
    url, options = carry(again["access_token"], "auth payload", strict_system)
    assert (await (await clients.connect(url, **options)).state())["connected"]


async def test_a_backend_gets_a_token_by_its_secret_and_comes_in_by_it(
    clients, strict_system, client_secret, http
):
    granted = await http.post(
        f"{strict_system.url}/auth/token",
        data={"grant_type": "client_credentials"},
        auth=("reports", client_secret),
    )

    url, options = carry(granted.json()["access_token"], "auth payload", strict_system)
    backend = await clients.connect(url, **options)
    body = {"roomId": "den", "userName": "reports", "message": "ready"}
    assert "Message sent to room" == await backend.emit("chatMessage", body)
    refused_body = {"roomId": "den", "userName": "reports"}
    assert "forbidden" == (await backend.emit("joinRoom", refused_body))["error"]["code"]
