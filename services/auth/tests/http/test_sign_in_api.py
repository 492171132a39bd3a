"""The API by its good and bad cases, over HTTP, on a real Redis."""

import asyncio
import time

import jwt
import pytest
from pydantic import SecretStr

from roomwire.errors import Unauthenticated
from roomwire.identity.capabilities import load_policy
from roomwire_auth.errors import UsernameTaken
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.settings import Settings

ADA = {"username": "Ada", "password": "correct horse"}
TOKEN = "x" * 65


@pytest.fixture
async def ada(client):
    return (await client.post("/auth/register", json=ADA)).json()


def error(response):
    return response.status_code, response.json()["error"]["code"]


GRANTS = [
    pytest.param(
        "register", {"username": "bob", "password": "12345678"}, 201, "bob", "account", id="register"
    ),
    pytest.param("login", ADA, 200, "Ada", "account", id="login"),
    pytest.param("login", ADA | {"username": "aDA"}, 200, "Ada", "account", id="login in another case"),
    pytest.param("guest", {"name": " Eve "}, 200, "Eve", "guest", id="guest"),
    pytest.param("guest", {"name": "Ada"}, 200, "Ada", "guest", id="guest of an account's name"),
]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(("route", "body", "status", "name", "kind"), GRANTS)
async def test_who_is_let_in_gets_tokens_that_gateways_accept(
    client, verify, route, body, status, name, kind
):
    response = await client.post(f"/auth/{route}", json=body)

    granted = response.json()
    user = granted["user"]
    assert (status, "no-store") == (response.status_code, response.headers["cache-control"])
    assert ("Bearer", 600) == (granted["token_type"], granted["expires_in"])
    assert (name, kind) == (user["name"], user["kind"])
    verified = await verify(granted["access_token"])
    assert (user["id"], name, kind) == (verified.id, verified.name, verified.kind)
    assert load_policy().of_role("guest" if kind == "guest" else "user") == verified.capabilities


@pytest.mark.parametrize(
    "options", [{}, {"json": {}}, {"json": {"name": None}}], ids=["no body", "empty", "null"]
)
async def test_a_guest_needs_no_name(client, options):
    user = (await client.post("/auth/guest", **options)).json()["user"]

    assert user["name"] == "guest-" + user["id"].removeprefix("guest:")[:6]


async def test_the_tokens_of_another_audience_do_not_hold(open_client, settings, verify):
    other = open_client(settings.model_copy(update={"auth_audience": "another"}))
    granted = (await other.post("/auth/guest")).json()

    with pytest.raises(Unauthenticated):
        await verify(granted["access_token"])


REFUSALS = [
    pytest.param("register", ADA, 409, "invalid_body", id="name taken"),
    pytest.param("register", ADA | {"username": "ADA"}, 409, "invalid_body", id="name taken in another case"),
    pytest.param("register", ADA | {"kind": "admin"}, 422, "invalid_body", id="register: unknown field"),
    pytest.param("login", ADA | {"password": "wrong horse"}, 401, "unauthenticated", id="wrong password"),
    pytest.param("login", ADA | {"username": "bob"}, 401, "unauthenticated", id="unknown name"),
    pytest.param("login", ADA | {"username": "no name!"}, 401, "unauthenticated", id="impossible name"),
    pytest.param("login", {"username": "Ada"}, 422, "invalid_body", id="login: no password"),
    pytest.param("login", ADA | {"password": "x" * 257}, 422, "invalid_body", id="login: long password"),
    pytest.param("guest", {"name": "a\nb"}, 422, "invalid_body", id="guest: control character"),
    pytest.param("guest", {"nick": "ada"}, 422, "invalid_body", id="guest: unknown field"),
    pytest.param("refresh", {"refresh_token": TOKEN}, 401, "unauthenticated", id="unknown refresh token"),
    pytest.param("refresh", {"refresh_token": "x"}, 401, "unauthenticated", id="no refresh token at all"),
    pytest.param("refresh", {"refresh_token": "x" * 257}, 422, "invalid_body", id="refresh: long"),
    pytest.param("refresh", {}, 422, "invalid_body", id="refresh: nothing"),
    pytest.param("logout", {}, 422, "invalid_body", id="logout: nothing"),
    pytest.param(
        "logout", {"refresh_token": TOKEN, "all": True}, 422, "invalid_body", id="logout: unknown field"
    ),
]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(("route", "body", "status", "code"), REFUSALS)
async def test_who_is_refused_is_told_why_by_a_code(client, route, body, status, code):
    response = await client.post(f"/auth/{route}", json=body)

    assert (status, code) == error(response)
    assert {"code", "message", "retryable"} == set(response.json()["error"])


async def test_an_answer_401_names_the_scheme(client):
    response = await client.post("/auth/refresh", json={"refresh_token": TOKEN})

    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("ada")
async def test_a_taken_name_is_told_by_its_field(client):
    response = await client.post("/auth/register", json=ADA)

    assert response.json()["error"] == UsernameTaken().details()
    assert UsernameTaken.default_message.startswith("username: ")


async def test_of_concurrent_registrations_exactly_one_wins(client):
    asked = [client.post("/auth/register", json=ADA) for _ in range(8)]

    statuses = sorted(response.status_code for response in await asyncio.gather(*asked))

    assert statuses == [201] + [409] * 7


async def test_guests_are_forbidden_where_they_are_off(open_client, settings):
    client = open_client(settings.model_copy(update={"guests": False}))

    assert (403, "forbidden") == error(await client.post("/auth/guest"))


async def test_a_refresh_whose_answer_was_lost_can_be_asked_again(client, ada):
    body = {"refresh_token": ada["refresh_token"]}
    lost = await client.post("/auth/refresh", json=body)

    again = await client.post("/auth/refresh", json=body)

    assert [200, 200] == [lost.status_code, again.status_code]
    assert lost.json()["refresh_token"] == again.json()["refresh_token"]


async def test_without_a_grace_a_second_use_of_a_refresh_token_ends_the_session(
    open_client, settings, ada, verify
):
    client = open_client(settings.model_copy(update={"refresh_grace_s": 0}))
    first = {"refresh_token": ada["refresh_token"]}
    refreshed = await client.post("/auth/refresh", json=first)
    second = {"refresh_token": refreshed.json()["refresh_token"]}

    reused = await client.post("/auth/refresh", json=first)
    revoked = await client.post("/auth/refresh", json=second)

    assert (200, "no-store") == (refreshed.status_code, refreshed.headers["cache-control"])
    assert ada["user"]["id"] == (await verify(refreshed.json()["access_token"])).id
    assert [(401, "unauthenticated")] * 2 == [error(reused), error(revoked)]
    assert reused.json() == revoked.json()


async def test_concurrent_refreshes_with_one_token_all_get_the_one_next_token(client, ada):
    body = {"refresh_token": ada["refresh_token"]}

    answers = await asyncio.gather(*(client.post("/auth/refresh", json=body) for _ in range(8)))

    assert [200] * 8 == [answer.status_code for answer in answers]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert client.metric("roomwire_auth_refresh_repeats_total") == 7


async def test_a_logout_ends_the_session_and_may_be_repeated(client, ada):
    body = {"refresh_token": ada["refresh_token"]}

    answers = [await client.post("/auth/logout", json=body) for _ in range(2)]

    assert [(204, b"")] * 2 == [(answer.status_code, answer.content) for answer in answers]
    assert (401, "unauthenticated") == error(await client.post("/auth/refresh", json=body))


@pytest.mark.parametrize("token", ["", "x", TOKEN, "ä" * 65])
async def test_a_logout_with_what_is_no_token_is_done_already(client, token):
    assert (await client.post("/auth/logout", json={"refresh_token": token})).status_code == 204


async def test_the_keys_may_be_cached_and_hold_nothing_private(client, signing_key):
    response = await client.get("/auth/.well-known/jwks.json")

    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.json() == {"keys": [dict(signing_key.public_jwk())]}
    assert "d" not in response.json()["keys"][0]


STORED = [
    ("register", {"username": "bob", "password": "12345678"}),
    ("login", ADA),
    ("guest", {"name": "Eve"}),
    ("refresh", {"refresh_token": TOKEN}),
    ("logout", {"refresh_token": TOKEN}),
]


async def ask_in_time(client, route, body):
    began = time.perf_counter()
    response = await client.post(f"/auth/{route}", json=body)
    assert time.perf_counter() - began < 2
    return response


@pytest.mark.parametrize(("route", "body"), STORED)
async def test_without_redis_an_answer_is_unavailable(open_client, signing_key, free_port, route, body):
    away = Settings(redis_url=f"redis://127.0.0.1:{free_port}", signing_key=signing_key.to_pem())

    response = await ask_in_time(open_client(away), route, body)

    message = "Accounts are temporarily unavailable: try again."
    expected = {"error": {"code": "unavailable", "message": message, "retryable": True}}
    assert (503, expected) == (response.status_code, response.json())


async def test_a_redis_that_hangs_is_given_up_in_time_and_used_again_afterwards(
    open_client, settings, own_redis
):
    client = open_client(Settings(redis_url=own_redis.url, signing_key=settings.signing_key))
    ada = (await client.post("/auth/register", json=ADA)).json()
    own_redis.pause()
    refused = await asyncio.gather(*(ask_in_time(client, route, body) for route, body in STORED))

    own_redis.resume()

    assert [(503, "unavailable")] * len(STORED) == [error(response) for response in refused]
    again = await client.post("/auth/refresh", json={"refresh_token": ada["refresh_token"]})
    assert again.status_code == 200


async def test_the_schema_describes_every_route_with_its_refusals(client):
    schema = (await client.get("/auth/openapi.json")).json()

    described = {
        path: sorted(next(iter(methods.values()))["responses"]) for path, methods in schema["paths"].items()
    }
    assert described == {
        "/auth/register": ["201", "409", "413", "422", "429", "500", "503"],
        "/auth/login": ["200", "401", "413", "422", "429", "500", "503"],
        "/auth/guest": ["200", "403", "413", "422", "429", "500", "503"],
        "/auth/refresh": ["200", "401", "403", "413", "422", "429", "500", "503"],
        "/auth/logout": ["204", "413", "422", "500", "503"],
        "/auth/password": ["204", "401", "403", "413", "422", "429", "500", "503"],
        "/auth/delete-account": ["204", "401", "403", "413", "422", "429", "500", "503"],
        "/auth/sessions": ["200", "401", "403", "413", "422", "500", "503"],
        "/auth/sessions/{id}": ["204", "401", "403", "404", "413", "422", "500", "503"],
        "/auth/logout-everywhere": ["204", "401", "403", "413", "422", "500", "503"],
        "/auth/token": ["200", "400", "401", "413", "429", "500", "503"],
        "/auth/.well-known/jwks.json": ["200"],
    }
    assert "HTTPValidationError" not in schema["components"]["schemas"]


async def test_the_schema_says_who_has_to_show_what(client):
    schema = (await client.get("/auth/openapi.json")).json()

    schemes = schema["components"]["securitySchemes"]
    assert {"accessToken": "bearer", "client": "basic"} == {
        name: scheme["scheme"] for name, scheme in schemes.items()
    }
    shown = {
        path: [name for one in next(iter(methods.values())).get("security", []) for name in one]
        for path, methods in schema["paths"].items()
    }
    of_people = ("password", "delete-account", "sessions", "sessions/{id}", "logout-everywhere")
    assert {f"/auth/{route}": ["accessToken"] for route in of_people} | {"/auth/token": ["client"]} == {
        path: names for path, names in shown.items() if names
    }
    (content_type,) = schema["paths"]["/auth/token"]["post"]["requestBody"]["content"]
    assert "application/x-www-form-urlencoded" == content_type


async def test_no_secret_is_logged(client, log_events):
    ada = (await client.post("/auth/register", json=ADA)).json()
    body = {"refresh_token": ada["refresh_token"]}
    for route, sent in (("login", ADA), ("login", ADA | {"password": "wrong horse"}), ("refresh", body)) * 2:
        await client.post(f"/auth/{route}", json=sent)
    await client.post("/auth/logout", json=body)

    secrets = [ADA["password"], "wrong horse", ada["access_token"], ada["refresh_token"]]
    assert len(log_events) > 0
    assert [] == [secret for secret in secrets if secret in repr(log_events)]


async def test_a_next_key_is_published_and_does_not_sign_yet(open_client, settings, signing_key):
    ring = Keyring([(0, signing_key)]).rotated(time.time(), lead_s=900)
    client = open_client(settings.model_copy(update={"signing_key": SecretStr(ring.dump())}))

    published = (await client.get("/auth/.well-known/jwks.json")).json()["keys"]
    granted = (await client.post("/auth/guest")).json()

    assert [key.kid for key in ring.published(time.time())] == [key["kid"] for key in published]
    assert signing_key.kid == jwt.get_unverified_header(granted["access_token"])["kid"]
    assert 2 == len(published)


async def test_keys_are_taken_from_the_file_that_they_were_read_from(
    open_client, redis_url, signing_key, tmp_path, monkeypatch
):
    file = tmp_path / "keys"
    file.write_text(signing_key.to_pem())
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY_FILE", str(file))
    monkeypatch.setattr("roomwire_auth.reread.REREAD_S", 0.0)
    client = open_client(Settings(redis_url=redis_url))

    file.write_text(Keyring([(0, signing_key)]).rotated(time.time(), lead_s=900).dump())

    assert 2 == len((await client.get("/auth/.well-known/jwks.json")).json()["keys"])


def proxied(address):
    """Say, as a proxy does, whose request it is."""
    return {"x-forwarded-for": address}


WAYS_IN = [
    pytest.param("register", ADA, "max_registrations_per_address", 409, id="register"),
    pytest.param("login", ADA | {"password": "wrong horse"}, "max_login_failures", 401, id="login"),
    pytest.param("guest", {}, "max_guests_per_address", 200, id="guest"),
    pytest.param("refresh", {"refresh_token": TOKEN}, "max_refresh_failures_per_address", 401, id="refresh"),
]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(("route", "body", "limit", "status"), WAYS_IN)
async def test_who_tries_too_often_is_told_when_to_come_again(
    open_client, settings, route, body, limit, status
):
    update = {limit: 1, "trusted_proxies": ["127.0.0.1"], "throttle_window_s": 60}
    client = open_client(settings.model_copy(update=update))
    first = await client.post(f"/auth/{route}", json=body, headers=proxied("198.51.100.1"))

    refused = await client.post(f"/auth/{route}", json=body, headers=proxied("198.51.100.1"))
    elsewhere = await client.post(f"/auth/{route}", json=body, headers=proxied("198.51.100.2"))

    assert [status, 429, status] == [first.status_code, refused.status_code, elsewhere.status_code]
    assert "rate_limited" == refused.json()["error"]["code"]
    assert refused.json()["error"]["retryable"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_what_a_stranger_says_of_its_address_does_not_count(open_client, settings):
    client = open_client(settings.model_copy(update={"max_guests_per_address": 1}))

    answers = [await client.post("/auth/guest", headers=proxied(f"198.51.100.{last}")) for last in (1, 2)]

    assert [200, 429] == [answer.status_code for answer in answers]


async def test_throttling_can_be_switched_off(open_client, settings):
    client = open_client(settings.model_copy(update={"max_guests_per_address": 1, "throttle": False}))

    answers = [await client.post("/auth/guest") for _ in range(3)]

    assert [200] * 3 == [answer.status_code for answer in answers]


@pytest.mark.parametrize("route", ["register", "login", "guest", "refresh"])
async def test_the_schema_says_that_one_may_have_to_wait(client, route):
    responses = (await client.get("/auth/openapi.json")).json()["paths"][f"/auth/{route}"]["post"][
        "responses"
    ]

    assert {"Retry-After"} == set(responses["429"]["headers"])
