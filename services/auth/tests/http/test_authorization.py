"""Who may do what: every endpoint, asked with every kind of token; on a real Redis."""

import time

import msgspec
import pytest

from roomwire.identity.tokens import User
from roomwire_auth.clients.clients import new_secret, secret_digest

ADA = {"username": "ada", "password": "correct horse"}
BOB = {"username": "bob", "password": "battery staple"}
SECRET = new_secret()
TOKENS = ("none", "guest", "user", "other", "expired", "revoked", "service")

# Who asks, in the order of TOKENS, about ada's account and her other session: with her password, her ids and tokens.
MATRIX = {
    "POST /auth/register": (201, 201, 201, 201, 201, 201, 201),
    "POST /auth/login": (200, 200, 200, 200, 200, 200, 200),
    "POST /auth/guest": (200, 200, 200, 200, 200, 200, 200),
    "POST /auth/refresh": (200, 200, 200, 200, 200, 200, 200),
    "POST /auth/logout": (204, 204, 204, 204, 204, 204, 204),
    "POST /auth/token": (200, 200, 200, 200, 200, 200, 200),
    "GET /auth/.well-known/jwks.json": (200, 200, 200, 200, 200, 200, 200),
    "POST /auth/password": (401, 403, 204, 403, 401, 401, 403),
    "POST /auth/delete-account": (401, 403, 204, 403, 401, 401, 403),
    "GET /auth/sessions": (401, 200, 200, 200, 401, 401, 403),
    "DELETE /auth/sessions/{id}": (401, 404, 204, 404, 401, 401, 403),
    "POST /auth/logout-everywhere": (401, 204, 204, 204, 401, 401, 403),
}
CODES = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}
ROWS = [
    pytest.param(endpoint, token, status, id=f"{endpoint} with {token}")
    for endpoint, statuses in MATRIX.items()
    for token, status in zip(TOKENS, statuses, strict=True)
]
HARMLESS = {"POST /auth/register", "POST /auth/login", "POST /auth/guest", "GET /auth/sessions"}


@pytest.fixture
def settings(settings, tmp_path):
    file = tmp_path / "clients.toml"
    file.write_text(f'[clients.reports]\nsecret_sha256 = ["{secret_digest(SECRET)}"]\n')
    return settings.model_copy(update={"clients_file": file})


class World:
    """Ada with two sessions, Bob, and tokens of all kinds."""

    def __init__(self, client, signing_key, verify):
        self.client = client
        self._signing_key = signing_key
        self._verify = verify

    async def begin(self):
        self.ada = await self._ask("register", ADA)
        self.other_session = await self._ask("login", ADA)
        self.other_id = (await self._verify(self.other_session["access_token"])).session
        return self

    async def _ask(self, route, body=None):
        return (await self.client.post(f"/auth/{route}", json=body)).json()

    async def token(self, kind):
        match kind:
            case "user":
                return self.ada["access_token"]
            case "guest":
                return (await self._ask("guest"))["access_token"]
            case "other":
                return (await self._ask("register", BOB))["access_token"]
            case "expired":
                user = await self._verify(self.ada["access_token"])
                past = time.time() - 1000
                return self._signing_key.sign(
                    user, issuer="roomwire", audience="roomwire", lifetime_s=900, now=past
                )
            case "revoked":
                ended = await self._ask("login", ADA)
                await self.client.post("/auth/logout", json={"refresh_token": ended["refresh_token"]})
                return ended["access_token"]
            case "service":
                form = {"grant_type": "client_credentials", "client_id": "reports", "client_secret": SECRET}
                return (await self.client.post("/auth/token", data=form)).json()["access_token"]

    async def ask(self, endpoint, token):
        method, path = endpoint.split()
        form = {"grant_type": "client_credentials", "client_id": "reports", "client_secret": SECRET}
        options = {
            "/auth/register": {"json": {"username": "carol", "password": "12345678"}},
            "/auth/login": {"json": ADA},
            "/auth/refresh": {"json": {"refresh_token": self.other_session["refresh_token"]}},
            "/auth/logout": {"json": {"refresh_token": self.other_session["refresh_token"]}},
            "/auth/token": {"data": form},
            "/auth/password": {"json": {"current_password": ADA["password"], "new_password": "new horse"}},
            "/auth/delete-account": {"json": {"password": ADA["password"]}},
        }.get(path, {})
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.request(
            method, path.replace("{id}", self.other_id), headers=headers, **options
        )

    async def is_untouched(self):
        """Return whether ada's password and her other session are as they were."""
        refresh = {"refresh_token": self.other_session["refresh_token"]}
        answers = [
            await self.client.post(f"/auth/{route}", json=body)
            for route, body in (("login", ADA), ("refresh", refresh))
        ]
        return [200, 200] == [answer.status_code for answer in answers]


@pytest.fixture
async def world(client, signing_key, verify):
    return await World(client, signing_key, verify).begin()


async def test_the_table_has_every_endpoint(client):
    paths = (await client.get("/auth/openapi.json")).json()["paths"]

    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {*MATRIX}


@pytest.mark.parametrize(("endpoint", "kind", "status"), ROWS)
async def test_an_endpoint_does_what_the_token_allows_and_nothing_else(world, endpoint, kind, status):
    response = await world.ask(endpoint, await world.token(kind))

    assert status == response.status_code
    if status in CODES:
        assert CODES[status] == response.json()["error"]["code"]
    if status == 401:
        assert "Bearer" == response.headers["www-authenticate"]
    if endpoint in HARMLESS or (kind != "user" and MATRIX[endpoint][0] == 401):
        assert await world.is_untouched()


async def test_everybody_is_shown_their_own_sessions_alone(world):
    shown = {
        kind: (await world.ask("GET /auth/sessions", await world.token(kind))).json()["sessions"]
        for kind in ("user", "guest", "other")
    }

    assert {"user": 2, "guest": 1, "other": 1} == {kind: len(sessions) for kind, sessions in shown.items()}
    ids = [session["id"] for sessions in shown.values() for session in sessions]
    assert 4 == len({*ids})


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer x.y.z",
        "Basic {token}",
        "{token}",
        "Bearer {token} x",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {token}=",
        "Bearer " + "x" * 9_000,
    ],
)
async def test_what_is_no_bearers_token_lets_nobody_in(client, world, authorization):
    headers = {"Authorization": authorization.format(token=world.ada["access_token"])}

    response = await client.get("/auth/sessions", headers=headers)

    assert (401, "unauthenticated") == (response.status_code, response.json()["error"]["code"])


async def test_a_refresh_token_is_no_access_token(client, world):
    headers = {"Authorization": f"Bearer {world.ada['refresh_token']}"}

    assert 401 == (await client.get("/auth/sessions", headers=headers)).status_code


FORGED = [
    pytest.param({"issuer": "another"}, {}, id="another issuer"),
    pytest.param({"audience": "another"}, {}, id="another audience"),
    pytest.param({}, {"session": ""}, id="no session"),
    pytest.param({}, {"session": "0" * 32}, id="a session that never was"),
    pytest.param({}, {"id": "account:0"}, id="a user whose session it is not"),
]


@pytest.mark.parametrize(("signed", "said"), FORGED)
async def test_a_token_of_our_own_key_has_to_fit_the_session(
    client, world, verify, signing_key, signed, said
):
    user: User = msgspec.structs.replace(await verify(world.ada["access_token"]), **said)
    signed = {"issuer": "roomwire", "audience": "roomwire", "lifetime_s": 60} | signed
    headers = {"Authorization": f"Bearer {signing_key.sign(user, **signed)}"}

    assert 401 == (await client.get("/auth/sessions", headers=headers)).status_code
