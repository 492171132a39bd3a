"""What a revocation takes away, and that every reader hears of it."""

import asyncio
import time

import pytest
import redis
from waiting import PATIENCE_S, until

from roomwire.errors import Unavailable
from roomwire.identity.revocations import RevocationReader, Revoked, revocations_key
from roomwire.identity.tokens import User
from roomwire.redis.topology import connect

KEY = revocations_key("rw")


def user(*, id_="account:1", session="s1", issued_at=100.0):
    return User(id=id_, name="Ann", kind="account", session=session, issued_at=issued_at)


@pytest.mark.parametrize(
    ("kind", "id_", "of", "expected"),
    [
        pytest.param("session", "s1", user(), True, id="its session"),
        pytest.param("session", "s1", user(issued_at=200.0), True, id="its session, whenever it was issued"),
        pytest.param("session", "s2", user(), False, id="another session"),
        pytest.param("session", "", user(session=""), False, id="a token of no session"),
        pytest.param("session", "account:1", user(), False, id="a session named as the user"),
        pytest.param("user", "account:1", user(), True, id="its user"),
        pytest.param("user", "account:1", user(session=""), True, id="its user, of no session"),
        pytest.param("user", "account:1", user(issued_at=150.0), True, id="in the same second"),
        pytest.param("user", "account:1", user(issued_at=151.0), False, id="its user, issued later"),
        pytest.param("user", "account:2", user(), False, id="another user"),
        pytest.param("user", "s1", user(), False, id="a user named as the session"),
    ],
)
def test_a_revocation_is_of_a_session_or_of_what_a_user_had_until_then(kind, id_, of, expected):
    revoked = Revoked()
    revoked.add(kind, id_, at=150.0, until=900.0)

    assert expected == revoked.holds(of)


def test_a_revocation_is_forgotten_when_no_token_can_outlive_it():
    revoked = Revoked()
    revoked.add("session", "s1", at=150.0, until=900.0)
    revoked.forget_before(900.0)
    assert revoked.holds(user())

    revoked.forget_before(900.1)
    assert not revoked.holds(user())
    assert 0 == len(revoked)


def test_beyond_the_bound_no_revoked_token_comes_in_again_and_newer_ones_do():
    revoked = Revoked(max_entries=2)
    assert [True, True, False] == [
        revoked.add("session", f"s{n}", at=100.0 + n, until=900.0) for n in (1, 2, 3)
    ]

    assert [True, True, True] == [revoked.holds(user(session=f"s{n}")) for n in (1, 2, 3)]
    # A token that is as old may be the discarded one's; whoever holds it refreshes it.
    assert [True, False] == [revoked.holds(user(session="s4", issued_at=at)) for at in (101.0, 102.0)]
    backend = User(id="client:1", name="b", kind="service", issued_at=50.0)
    assert not revoked.holds(backend)


class Listener:
    """A reader, what it knows and how often it had that applied."""

    def __init__(self, url, interval_s=0.02):
        self.revoked = Revoked()
        self.applied = 0
        self.reader = RevocationReader(
            connect(url, key=KEY, timeout_s=0.3),
            prefix="rw",
            revoked=self.revoked,
            apply=self.apply,
            interval_s=interval_s,
            timeout_s=0.3,
        )

    def apply(self):
        self.applied += 1


@pytest.fixture
async def listen():
    listeners = []

    def open_(url):
        listeners.append(Listener(url))
        return listeners[-1]

    yield open_
    for listener in listeners:
        await listener.reader.close()


def revoke(url, session, for_s=600):
    with redis.Redis.from_url(url) as client:
        client.xadd(KEY, {"session": session, "for_s": for_s})


async def test_every_reader_hears_of_what_is_revoked_before_and_after_it_began(redis_url, listen):
    listeners = [listen(redis_url), listen(redis_url)]
    revoke(redis_url, "before")
    for listener in listeners:
        await listener.reader.start()
        assert listener.revoked.holds(user(session="before"))
    revoke(redis_url, "after")

    for listener in listeners:
        await until(lambda listener=listener: listener.revoked.holds(user(session="after")))
        await until(lambda listener=listener: listener.applied)


async def test_more_than_a_page_is_read_at_once(redis_url, listen):
    with redis.Redis.from_url(redis_url) as client, client.pipeline() as pipe:
        for n in range(2_500):
            pipe.xadd(KEY, {"session": f"s{n}", "for_s": 600})
        pipe.execute()
    listener = listen(redis_url)
    await listener.reader.start()

    assert 2_500 == len(listener.revoked)


async def test_what_no_token_can_outlive_is_not_kept(redis_url, listen):
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(KEY, {"session": "old", "for_s": 60}, id=f"{int((time.time() - 61) * 1000)}-0")
    listener = listen(redis_url)
    await listener.reader.start()

    assert 0 == len(listener.revoked)


@pytest.mark.parametrize(
    "entry", [{"session": "s1", "for_s": "long"}, {"session": b"\xff", "for_s": 60}, {"x": 1}]
)
async def test_an_entry_that_is_none_of_ours_holds_up_no_other(redis_url, listen, entry):
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(KEY, entry)
    revoke(redis_url, "after")
    listener = listen(redis_url)
    await listener.reader.start()

    assert [False, True] == [listener.revoked.holds(user(session=name)) for name in ("s1", "after")]


async def test_while_redis_is_away_what_was_heard_holds_and_the_rest_is_read_when_it_is_back(
    own_redis, listen
):
    revoke(own_redis.url, "before")
    listener = listen(own_redis.url)
    await listener.reader.start()
    own_redis.kill()
    await until(lambda: listener.reader._is_away)
    assert listener.revoked.holds(user(session="before"))

    own_redis.start()
    revoke(own_redis.url, "after")
    await until(lambda: listener.revoked.holds(user(session="after")))
    assert listener.revoked.holds(user(session="before"))


async def test_a_reader_does_not_begin_without_redis(listen, free_port):
    with pytest.raises(Unavailable):
        await listen(f"redis://127.0.0.1:{free_port}").reader.start()


async def test_a_reader_goes_on_after_what_it_calls_has_failed(redis_url, listen):
    listener = listen(redis_url)
    await listener.reader.start()
    failed = asyncio.Event()

    def fail():
        failed.set()
        raise RuntimeError("a defect")

    listener.reader._apply = fail
    revoke(redis_url, "first")
    await failed.wait()
    listener.reader._apply = listener.apply
    revoke(redis_url, "second")
    await until(lambda: listener.revoked.holds(user(session="second")) and listener.applied)


async def test_a_reader_ends_whatever_turn_of_the_loop_it_is_closed_in(redis_url):
    """Python 3.11's `asyncio.wait_for`, by which redis-py sends, swallows a cancellation that comes as the sending ends."""
    for turn in range(40):
        listener = Listener(redis_url, interval_s=0)
        await listener.reader.start()
        for _ in range(turn):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            await listener.reader.close()


async def test_very_many_revocations_are_all_read_and_the_first_one_stays(redis_url):
    listener = Listener(redis_url)
    append = "for n = 0, 104999 do redis.call('XADD', KEYS[1], '*', 'session', 's' .. n, 'for_s', 900) end"
    with redis.Redis.from_url(redis_url) as store:
        store.eval(append, 1, KEY)
    listener.reader._timeout_s = PATIENCE_S
    await listener.reader.start()

    assert 105_000 == len(listener.revoked)
    assert listener.revoked.holds(user(session="s0", issued_at=time.time() + 1_000))
    await listener.reader.close()
