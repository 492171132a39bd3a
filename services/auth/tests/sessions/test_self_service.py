"""What people do about their account and their sessions, over HTTP and as gateways hear of it, on a real Redis."""

import asyncio
from datetime import UTC, datetime

import pytest

from roomwire.errors import Forbidden, Unauthenticated, Unavailable
from roomwire.identity.jwks import JwksClient
from roomwire.identity.revocations import RevocationReader, Revoked
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.accounts.passwords import open_passwords
from roomwire_auth.accounts.throttle import Throttle
from roomwire_auth.sessions.self_service import SelfService
from roomwire_auth.sessions.sessions import Sessions
from roomwire_auth.settings import Settings

ADA = {"username": "ada", "password": "correct horse"}
NEW = "new horse battery"
CHANGE = {"current_password": ADA["password"], "new_password": NEW}
HERE = "198.51.100.1"


class Person:
    """Somebody who is signed in."""

    def __init__(self, client, granted):
        self.client = client
        self.access_token = granted["access_token"]
        self.refresh_token = granted["refresh_token"]
        self.id = granted["user"]["id"]

    def ask(self, method, route, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.access_token}"} | headers
        return self.client.request(method, f"/auth/{route}", json=body, headers=headers)

    async def refresh(self):
        return (
            await self.client.post("/auth/refresh", json={"refresh_token": self.refresh_token})
        ).status_code


@pytest.fixture
def sign_in(client):
    async def sign_in(route="login", body=ADA):
        response = await client.post(f"/auth/{route}", json=body)
        return Person(client, response.json())

    return sign_in


@pytest.fixture
async def ada(sign_in):
    return await sign_in("register")


class Gateway:
    """What a gateway knows: the published keys, and what was revoked."""

    def __init__(self, client, store):
        self._store = store
        self._keys = JwksClient("http://auth/auth/.well-known/jwks.json", transport=client._transport)

    async def admits(self, token):
        """Return whether it takes a token, all that was revoked until now considered."""
        revoked = Revoked()
        reader = RevocationReader(self._store.client, prefix="rw", revoked=revoked, apply=lambda: None)
        await reader._read()
        verifier = Verifier(self._keys, issuer="roomwire", audience="roomwire", is_revoked=revoked.holds)
        try:
            await verifier.verify(token)
        except Unauthenticated:
            return False
        return True

    async def close(self):
        await self._keys.close()


@pytest.fixture
async def gateway(client, store):
    gateway = Gateway(client, store)
    yield gateway
    await gateway.close()


async def test_sessions_are_listed_with_their_times_and_the_present_one_and_no_secret(ada, sign_in):
    began = datetime.now(UTC).replace(microsecond=0)
    other = await sign_in()
    await sign_in("guest", {})

    response = await other.ask("GET", "sessions")

    sessions = response.json()["sessions"]
    assert (200, "no-store") == (response.status_code, response.headers["cache-control"])
    assert {"id", "created_at", "last_used_at", "is_present"} == {key for one in sessions for key in one}
    assert [False, True] == sorted(one["is_present"] for one in sessions)
    (present,) = [one for one in sessions if one["is_present"]]
    times = [datetime.fromisoformat(present[name]) for name in ("created_at", "last_used_at")]
    assert all(began <= time <= datetime.now(UTC) for time in times)
    secrets = [other.access_token, other.refresh_token, ada.access_token, ada.refresh_token]
    assert not any(secret in response.text or secret[:22] in response.text for secret in secrets)


async def test_a_session_is_ended_from_another_and_gateways_hear_of_it(ada, sign_in, gateway):
    other = await sign_in()
    (listed,) = [
        one for one in (await ada.ask("GET", "sessions")).json()["sessions"] if not one["is_present"]
    ]

    answers = [(await ada.ask("DELETE", f"sessions/{listed['id']}")).status_code for _ in range(2)]

    assert [204, 404] == answers
    assert 401 == await other.refresh()
    assert [False, True] == [await gateway.admits(one.access_token) for one in (other, ada)]
    assert 401 == (await other.ask("GET", "sessions")).status_code
    assert 200 == await ada.refresh()


async def test_who_ends_the_present_session_is_out(ada):
    (present,) = (await ada.ask("GET", "sessions")).json()["sessions"]

    assert 204 == (await ada.ask("DELETE", f"sessions/{present['id']}")).status_code

    assert [401, 401] == [(await ada.ask("GET", "sessions")).status_code, await ada.refresh()]


async def test_who_logs_out_everywhere_is_out_everywhere_and_can_come_in_again_at_once(ada, sign_in, gateway):
    others = [await sign_in(), await sign_in()]
    guest = await sign_in("guest", {})

    assert 204 == (await ada.ask("POST", "logout-everywhere")).status_code

    for person in (ada, *others):
        assert 401 == await person.refresh()
        assert not await gateway.admits(person.access_token)
    again = await sign_in()
    assert await gateway.admits(again.access_token)
    assert [True, 200] == [await gateway.admits(guest.access_token), await guest.refresh()]
    assert [200, 200] == [(await again.ask("GET", "sessions")).status_code, await again.refresh()]


async def test_who_comes_in_again_is_taken_where_the_clock_that_dates_tokens_is_behind(
    ada, sign_in, gateway, monkeypatch
):
    await ada.ask("POST", "logout-everywhere")
    now = datetime.now(UTC).timestamp()
    monkeypatch.setattr("roomwire_auth.keys.access_tokens.time.time", lambda: now - 30)

    again = await sign_in()

    assert await gateway.admits(again.access_token)
    refreshed = await again.client.post("/auth/refresh", json={"refresh_token": again.refresh_token})
    assert await gateway.admits(refreshed.json()["access_token"])


async def test_another_password_lets_in_the_old_one_does_not_and_only_who_changed_it_stays(
    ada, sign_in, gateway
):
    other = await sign_in()

    assert 204 == (await ada.ask("POST", "password", CHANGE)).status_code

    client = ada.client
    logins = [
        await client.post("/auth/login", json=ADA | {"password": one}) for one in (ADA["password"], NEW)
    ]
    assert [401, 200] == [login.status_code for login in logins]
    assert [401, 200] == [await other.refresh(), await ada.refresh()]
    assert [False, True] == [await gateway.admits(one.access_token) for one in (other, ada)]
    assert ada.id == logins[1].json()["user"]["id"]


REFUSED = [
    pytest.param("password", CHANGE | {"current_password": "wrong horse"}, 403, id="wrong current password"),
    pytest.param("password", CHANGE | {"new_password": "short"}, 422, id="short new password"),
    pytest.param("password", CHANGE | {"new_password": "x" * 257}, 422, id="long new password"),
    pytest.param("password", {"new_password": NEW}, 422, id="no current password"),
    pytest.param("password", CHANGE | {"all": True}, 422, id="unknown field"),
    pytest.param("delete-account", {"password": "wrong horse"}, 403, id="wrong password"),
    pytest.param("delete-account", {}, 422, id="no password"),
    pytest.param("delete-account", None, 422, id="no body"),
]


@pytest.mark.parametrize(("route", "body", "status"), REFUSED)
async def test_what_is_refused_changes_nothing(ada, sign_in, route, body, status):
    other = await sign_in()

    assert status == (await ada.ask("POST", route, body)).status_code

    assert [200, 200] == [await other.refresh(), await ada.refresh()]
    assert "access_token" in (await ada.client.post("/auth/login", json=ADA)).json()


async def test_an_account_that_is_deleted_has_no_name_no_session_and_no_token(ada, sign_in, gateway, store):
    other = await sign_in()

    response = await ada.ask("POST", "delete-account", {"password": ADA["password"]})

    assert (204, b"") == (response.status_code, response.content)
    for person in (ada, other):
        assert 401 == await person.refresh()
        assert not await gateway.admits(person.access_token)
    assert 401 == (await ada.client.post("/auth/login", json=ADA)).status_code
    entries = [fields for _, fields in await store.client.xrange(store.revocations)]
    assert ada.id.encode() in [fields.get(b"user") for fields in entries]
    following = await sign_in("register")
    assert following.id != ada.id
    assert await gateway.admits(following.access_token)


@pytest.mark.parametrize(
    ("route", "body"), [("password", CHANGE), ("delete-account", {"password": ADA["password"]})]
)
async def test_wrong_passwords_count_as_those_of_logins_do(open_client, settings, route, body):
    limited = {"max_login_failures": 2, "trusted_proxies": ["127.0.0.1"]}
    client = open_client(settings.model_copy(update=limited))
    ada = Person(client, (await client.post("/auth/register", json=ADA)).json())
    wrong = {**body, next(name for name in body if name != "new_password"): "wrong horse"}
    here, there = {"x-forwarded-for": HERE}, {"x-forwarded-for": "203.0.113.9"}
    failed = [(await ada.ask("POST", route, wrong, **here)).status_code for _ in range(2)]

    refused = await ada.ask("POST", route, body, **here)
    login = await client.post("/auth/login", json=ADA, headers=here)
    elsewhere = await ada.ask("POST", route, body, **there)

    assert [403, 403, 429, 429, 204] == [
        *failed,
        refused.status_code,
        login.status_code,
        elsewhere.status_code,
    ]
    assert int(refused.headers["retry-after"]) >= 1


async def test_of_changes_at_once_with_one_password_exactly_one_is_made(ada):
    asked = [ada.ask("POST", "password", CHANGE | {"new_password": f"password {n}"}) for n in range(5)]

    statuses = sorted(response.status_code for response in await asyncio.gather(*asked))

    assert [204, 403, 403, 403, 403] == statuses


@pytest.fixture
async def passwords(metrics):
    passwords = open_passwords(time_cost=1, memory_kib=64, parallelism=1, threads=1, queue=9, metrics=metrics)
    yield passwords
    await passwords.close()


@pytest.fixture
def desk(store, metrics, passwords):
    return SelfService(
        accounts=Accounts(store),
        passwords=passwords,
        sessions=Sessions(store, account_ttl_s=1000, guest_ttl_s=100),
        throttle=Throttle(store, limits=None, metrics=metrics),
    )


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_an_account_that_is_another_by_now_costs_a_check_and_is_refused(
    desk, store, metrics, passwords, name
):
    await Accounts(store).add("ada", await passwords.hash(ADA["password"]))
    before = metrics.registry.get_sample_value("roomwire_auth_password_seconds_count")

    with pytest.raises(Forbidden):
        await desk.delete_account(User("account:gone", name, "account"), ADA["password"], address=HERE)

    assert 1 == metrics.registry.get_sample_value("roomwire_auth_password_seconds_count") - before
    assert await Accounts(store).find("ada") is not None


async def test_a_password_that_found_no_thread_is_no_failure(open_client, settings, monkeypatch):
    client = open_client(settings.model_copy(update={"max_login_failures": 2}))
    ada = Person(client, (await client.post("/auth/register", json=ADA)).json())

    async def busy(*_):
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr("roomwire_auth.accounts.passwords.Passwords.verify", busy)
        for _ in range(5):
            assert 503 == (await ada.ask("POST", "password", CHANGE)).status_code

    assert 204 == (await ada.ask("POST", "password", CHANGE)).status_code


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("GET", "sessions", None),
        ("DELETE", "sessions/" + "0" * 32, None),
        ("POST", "logout-everywhere", None),
        ("POST", "password", CHANGE),
        ("POST", "delete-account", {"password": ADA["password"]}),
    ],
)
async def test_without_redis_nobody_is_told_that_a_session_ended(
    open_client, signing_key, free_port, method, route, body
):
    away = Settings(redis_url=f"redis://127.0.0.1:{free_port}", signing_key=signing_key.to_pem())
    user = User("account:1", "ada", "account", session="0" * 32)
    token = signing_key.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=60)

    response = await open_client(away).request(
        method, f"/auth/{route}", json=body, headers={"Authorization": f"Bearer {token}"}
    )

    assert (503, "unavailable") == (response.status_code, response.json()["error"]["code"])


async def test_pages_of_the_allowed_origins_may_look_after_sessions(open_client, settings):
    page = "https://chat.example.org"
    client = open_client(settings.model_copy(update={"cors_origins": (page,)}))
    wanted = {
        "Origin": page,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "Authorization",
    }

    allowed = await client.options("/auth/sessions/x", headers=wanted)
    refused = await client.options("/auth/sessions/x", headers=wanted | {"Origin": "https://evil.example"})

    assert (200, page) == (allowed.status_code, allowed.headers["access-control-allow-origin"])
    assert "DELETE" in allowed.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in refused.headers
