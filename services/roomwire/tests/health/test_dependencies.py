"""What a process depends on: why it does not serve, said once."""

import asyncio
import socket
import ssl

import httpx
import pytest
import redis.exceptions
from prometheus_client import CollectorRegistry

from roomwire.errors import ConfigurationError, Unavailable
from roomwire.health.dependencies import (
    QUIET_S,
    REMIND_S,
    Cause,
    Dependencies,
    Dependency,
    cause_of,
    detail_of,
)
from roomwire.redis.link import LinkLost, ReplyError


def of(error, *, source=None, during=None):
    """Return an error that was raised because of another, or while another was handled."""
    error.__cause__, error.__context__, error.__suppress_context__ = source, during, source is not None
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(-2, "Name or service not known"), Cause.UNKNOWN_NAME),
        (ConnectionRefusedError(111, "Connect call failed"), Cause.REFUSED),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] …"),
            Cause.REFUSED,
        ),
        (OSError(113, "No route to host"), Cause.UNREACHABLE),
        (TimeoutError(), Cause.TIMEOUT),
        (LinkLost("log link: no answer in time"), Cause.TIMEOUT),
        (LinkLost("closed by the server"), Cause.LOST),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), Cause.TLS),
        (ReplyError("WRONGPASS invalid username-password pair or user is disabled."), Cause.WRONG_PASSWORD),
        (ReplyError("NOAUTH Authentication required."), Cause.WRONG_PASSWORD),
        (ReplyError("ERR AUTH <password> called without any password configured"), Cause.WRONG_PASSWORD),
        (redis.exceptions.AuthenticationError("invalid username-password pair"), Cause.WRONG_PASSWORD),
        (ReplyError("NOPERM User gateway has no permissions to run the 'info' command"), Cause.NOT_ALLOWED),
        (redis.exceptions.NoPermissionError("this user has no permissions"), Cause.NOT_ALLOWED),
        (ReplyError("OOM command not allowed when used memory > 'maxmemory'."), Cause.FULL),
        (redis.exceptions.OutOfMemoryError("command not allowed"), Cause.FULL),
        (ReplyError("MISCONF Redis is configured to save RDB snapshots"), Cause.NOT_SAVED),
        (LinkLost("READONLY You can't write against a read only replica."), Cause.NOT_PRIMARY),
        (ReplyError("LOADING Redis is loading the dataset in memory"), Cause.BUSY),
        (ConfigurationError("Redis has the maxmemory-policy allkeys-lru"), Cause.MISCONFIGURED),
        (ValueError("status 503"), Cause.WRONG_ANSWER),
        (ValueError("the text OOM in an answer of a stranger"), Cause.WRONG_ANSWER),
        (httpx.ReadTimeout("slow"), Cause.TIMEOUT),
        (
            of(httpx.ConnectError("x"), during=socket.gaierror(-2, "Name or service not known")),
            Cause.UNKNOWN_NAME,
        ),
        (of(httpx.ConnectError("x"), source=ssl.SSLError(1, "x")), Cause.TLS),
        (of(Unavailable("no."), source=of(OSError("y"), source=ConnectionRefusedError())), Cause.REFUSED),
        (Unavailable("The session is being confirmed: try again."), Cause.OTHER),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_failure_has_a_cause_of_a_closed_set(error, cause):
    assert cause == cause_of(error)


async def test_a_name_that_nobody_knows_is_told_from_a_server_that_refuses(free_port):
    for host, cause in (("redis.invalid", Cause.UNKNOWN_NAME), ("localhost", Cause.REFUSED)):
        with pytest.raises(OSError) as raised:  # noqa: PT011 - which it is, is the question
            await asyncio.open_connection(host, free_port)
        assert cause == cause_of(raised.value)


def test_a_detail_says_each_thing_once_in_one_short_line():
    inner = ConnectionRefusedError("Connect call\nfailed")

    assert "not reached: Connect call failed" == detail_of(of(Unavailable("not reached"), source=inner))
    assert "a Connect call failed b" == detail_of(of(OSError("a Connect call failed b"), source=inner))
    assert "TimeoutError" == detail_of(TimeoutError())
    assert len(detail_of(OSError("x" * 5_000))) < 1_000


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def events(log_events):
    return [(line["event"], line.get("cause", "")) for line in log_events]


def test_why_a_dependency_is_down_is_said_once_for_each_reason_until_it_is_up_again(log_events):
    clock = Clock()
    one = Dependency("redis", where="redis:6379", clock=clock)
    for error in (ConnectionRefusedError(), TimeoutError(), ConnectionRefusedError(), TimeoutError()):
        one.failed(error)
        clock.now += 0.5
    one.works()
    one.works()

    assert [("dependency down", "refused"), ("dependency down", "timeout"), ("dependency up", "")] == events(
        log_events
    )
    assert {"dependency": "redis", "where": "redis:6379"}.items() <= log_events[0].items()
    assert 2.0 == log_events[-1]["down_s"]


def test_a_dependency_that_comes_and_goes_fills_no_log(log_events):
    clock = Clock()
    one = Dependency("redis", clock=clock)
    for _ in range(100):
        one.failed(ConnectionRefusedError())
        one.works()
        clock.now += QUIET_S / 100

    assert 4 >= len(log_events)
    assert one.cause is None


def test_a_dependency_that_stays_down_is_said_again_from_time_to_time(log_events):
    clock = Clock()
    one = Dependency("redis", clock=clock)
    for _ in range(int(2 * REMIND_S) + 1):
        one.failed(ConnectionRefusedError())
        clock.now += 1

    assert 3 == len(log_events)


def test_what_fails_now_and_then_while_it_is_broken_stays_down_for_a_while():
    clock = Clock()
    one = Dependency("redis_writes", clears_after_s=10, clock=clock)
    one.failed(ReplyError("OOM"))
    one.works()
    while_broken = one.cause
    clock.now += 10
    one.works()

    assert (Cause.FULL, None) == (while_broken, one.cause)


def test_a_failure_that_nothing_repeats_lapses_and_the_log_says_so(log_events):
    clock = Clock()
    registry = CollectorRegistry()
    every = Dependencies(registry, clock=clock)
    relay = every.add("relay", clears_after_s=10, forgets_after_s=60)

    def down():
        return registry.get_sample_value("roomwire_dependency_down", {"dependency": "relay", "cause": "lost"})

    relay.failed(EOFError())
    clock.now += 59
    remembered = (down(), every.causes())
    clock.now += 1

    assert (1, {"relay": "lost"}) == remembered
    assert (None, {}) == (down(), every.causes())
    assert [("dependency down", "lost"), ("dependency up", "")] == events(log_events)
    assert (60.0, "it did not fail again for 60 s") == (log_events[-1]["down_s"], log_events[-1]["detail"])
    relay.failed(EOFError())
    assert {"relay": "lost"} == every.causes()


def test_an_outage_that_is_noticed_again_and_again_does_not_lapse():
    clock = Clock()
    every = Dependencies(CollectorRegistry(), clock=clock)
    relay, redis_ = every.add("relay", forgets_after_s=60), every.add("redis")
    redis_.failed(ConnectionRefusedError())
    for _ in range(10):
        relay.failed(TimeoutError())
        clock.now += 50

    assert {"relay": "timeout", "redis": "refused"} == every.causes()


def test_the_state_of_each_dependency_is_exported_with_its_cause():
    registry = CollectorRegistry()
    every = Dependencies(registry)
    redis_, keys = every.add("redis"), every.add("keys")
    redis_.failed(TimeoutError())

    def value(**labels):
        return registry.get_sample_value("roomwire_dependency_down", labels)

    assert (1, 0) == (
        value(dependency="redis", cause="timeout"),
        value(dependency="keys", cause="none"),
    )
    assert {"redis": "timeout"} == every.causes()
    redis_.works()
    assert (None, 0) == (
        value(dependency="redis", cause="timeout"),
        value(dependency="redis", cause="none"),
    )
    assert every.add("keys") is keys
