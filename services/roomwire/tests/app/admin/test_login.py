"""Who is admitted to the admin's namespace."""

import pytest
from argon2 import PasswordHasher

from roomwire.app.admin.login import SESSION_S, InvalidCredentials, Login
from roomwire.errors import ConfigurationError, RateLimited
from roomwire.identity.tokens import User
from roomwire.protocol.sources import Proxies
from roomwire.rooms.handshake import Handshake, everyone

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash("correct horse")
RIGHT = {"username": "ops", "password": "correct horse"}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def login(clock):
    return Login("ops", HASH, clock=clock, wall_clock=clock)


def handshake(auth, namespace="/admin"):
    return Handshake(
        {"asgi.scope": {"client": ("192.0.2.1", 1)}}, auth, proxies=Proxies(), namespace=namespace
    )


async def admitted(login, auth):
    return await login.before(everyone)(handshake(auth))


async def test_name_and_password_admit_an_admin_who_may_nothing_else(login, log_lines):
    user = await admitted(login, RIGHT)

    assert ("admin:ops", "service", {"*": ["admin"]}, 1_000.0 + SESSION_S) == (
        user.id,
        user.kind,
        user.capabilities.claim(),
        user.expires_at,
    )
    (line,) = log_lines()
    assert {
        "event": "admin login",
        "audit": True,
        "code": "ok",
        "address": "192.0.2.1",
    }.items() <= line.items()


@pytest.mark.parametrize(
    "auth",
    [
        None,
        "ops",
        {},
        {"token": "…"},
        RIGHT | {"username": "root"},
        RIGHT | {"username": "OPS"},
        RIGHT | {"password": "correct"},
        RIGHT | {"password": HASH},
        RIGHT | {"password": None},
        RIGHT | {"password": "correct horse" + "x" * 1_024},
        RIGHT | {"username": "\ud800"},
        {"sessionId": ""},
        {"sessionId": "9999999999.x.y"},
        {"sessionId": "9999999999.é"},
    ],
)
async def test_anything_else_is_refused(login, auth, log_lines):
    with pytest.raises(InvalidCredentials):
        await admitted(login, auth)

    (line,) = log_lines()
    assert "unauthenticated" == line["code"]
    assert not {"correct", "root", "username", "password"} & {*str(line).replace("'", " ").split()}


@pytest.mark.parametrize("auth", [RIGHT | {"username": "root"}, RIGHT | {"password": "wrong"}, {}])
async def test_a_refusal_costs_a_hash_whatever_is_wrong(login, auth, monkeypatch):
    checked = []
    monkeypatch.setattr(login, "_matches", lambda password: checked.append(password) or False)

    with pytest.raises(InvalidCredentials):
        await admitted(login, auth)

    assert 1 == len(checked)


async def test_who_fails_again_and_again_is_refused_without_a_hash(login, monkeypatch):
    checked = []
    monkeypatch.setattr(login, "_matches", lambda password: checked.append(password) or False)
    with pytest.raises(InvalidCredentials):
        await admitted(login, {})

    with pytest.raises(RateLimited):
        await admitted(login, RIGHT)
    assert 1 == len(checked)


async def test_a_session_admits_at_every_gateway_with_the_same_settings_until_it_ends(login, clock):
    session = login.new_session(clock.now + SESSION_S)
    other = Login("ops", HASH, clock=clock, wall_clock=clock)

    assert 1_000.0 + SESSION_S == (await admitted(other, {"sessionId": session})).expires_at
    clock.now += SESSION_S
    with pytest.raises(InvalidCredentials):
        await admitted(other, {"sessionId": session})


@pytest.mark.parametrize(
    "other",
    [("ops", CHEAP.hash("correct horse")), ("root", HASH)],
    ids=["another hash", "another name"],
)
def test_a_session_ends_with_another_password_or_name(login, clock, other):
    assert 0.0 == Login(*other, wall_clock=clock).session_of({"sessionId": login.new_session(2_000)})


@pytest.mark.parametrize(
    "change", [lambda text: "3" + text[1:], lambda text: text[:-1], lambda text: text + "0"]
)
def test_a_session_cannot_be_changed(login, change):
    session = login.new_session(2_000)

    assert 2_000.0 == login.session_of({"sessionId": session})
    assert 0.0 == login.session_of({"sessionId": change(session)})


async def test_other_namespaces_are_decided_as_before(login):
    async def others(_):
        return User("ann", "Ann", "account")

    assert "ann" == (await login.before(others)(handshake(RIGHT, "/"))).id


def encoded(kind="argon2id", memory=8, passes=1):
    return f"${kind}$v=19$m={memory},t={passes},p=1${'A' * 22}${'A' * 43}"


@pytest.mark.parametrize(
    ("password_hash", "problem"),
    [
        ("", "no hash of Argon2"),
        ("correct horse", "no hash of Argon2"),
        (encoded("argon2i"), "use Argon2id"),
        (encoded(memory=2**21), "KiB of memory"),
        (encoded(passes=99), "passes"),
    ],
    ids=["empty", "a password", "Argon2i", "memory", "passes"],
)
def test_a_hash_that_is_none_or_costs_too_much_is_refused(password_hash, problem):
    with pytest.raises(ConfigurationError) as refused:
        Login("ops", password_hash)

    assert problem in str(refused.value).replace("is not a hash", "no hash")
    assert not password_hash or password_hash not in str(refused.value)
