"""The dependencies of this process, and why one of them does not work at the moment.

Owns the closed set of reasons (`Cause`), and says each change of state once: a log line, a series of
`roomwire_dependency_down`, and a field of `/readyz`. Whoever talks to a dependency reports here what came of it. Nothing here
retries, and nothing secret is shown: errors do not quote passwords, and the log masks what looks like one.
"""

import asyncio
import enum
import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import httpx
import redis.exceptions
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from roomwire.errors import ConfigurationError, RoomwireError
from roomwire.logs import get_logger

QUIET_S: Final = 10.0
"""Least time between two log lines about one dependency that say the same, in seconds: one that comes and goes fills no log."""
REMIND_S: Final = 300.0
"""After how many seconds a dependency that is still down is logged again."""
_MAX_DETAIL_CHARS: Final = 300
_NONE: Final = "none"

_log = get_logger(__name__)


class Cause(enum.StrEnum):
    """Why a dependency does not serve: a closed set, the same in the log, in metrics and in `/readyz`."""

    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    LOST = "lost"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, not a password
    NOT_ALLOWED = "not_allowed"
    FULL = "full"
    NOT_SAVED = "not_saved"
    NOT_PRIMARY = "not_primary"
    BUSY = "busy"
    MISCONFIGURED = "misconfigured"
    WRONG_ANSWER = "wrong_answer"
    NAME_TAKEN = "name_taken"
    CLOCK_SKEW = "clock_skew"
    LATE = "late"
    OTHER = "other"


REFUSES_WRITES: Final = frozenset({Cause.FULL, Cause.NOT_SAVED, Cause.NOT_PRIMARY})
"""Why a Redis that answers takes nothing."""

_REDIS_CODES: Final[Mapping[str, Cause]] = {
    "WRONGPASS": Cause.WRONG_PASSWORD,
    "NOAUTH": Cause.WRONG_PASSWORD,
    # As Redis answers AUTH where no password is set, and redis-py says it without its code.
    "AUTH called without any password": Cause.WRONG_PASSWORD,
    "<password> called without any password": Cause.WRONG_PASSWORD,
    "invalid username-password pair": Cause.WRONG_PASSWORD,
    "NOPERM": Cause.NOT_ALLOWED,
    "OOM": Cause.FULL,
    "MISCONF": Cause.NOT_SAVED,
    "READONLY": Cause.NOT_PRIMARY,
    "MASTERDOWN": Cause.NOT_PRIMARY,
    "NOREPLICAS": Cause.NOT_PRIMARY,
    "MOVED": Cause.NOT_PRIMARY,
    "ASK": Cause.NOT_PRIMARY,
    "CLUSTERDOWN": Cause.NOT_PRIMARY,
    "LOADING": Cause.BUSY,
    "BUSY": Cause.BUSY,
    "TRYAGAIN": Cause.BUSY,
    "no answer in time": Cause.TIMEOUT,
}
_CODE: Final = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, _REDIS_CODES)) + r")(?!\w)")
# Of a name with several addresses asyncio raises what each said, as one text.
_MARKS: Final[Mapping[str, Cause]] = {
    "[Errno 111]": Cause.REFUSED,
    "Connection refused": Cause.REFUSED,
    "[Errno 101]": Cause.UNREACHABLE,
    "[Errno 113]": Cause.UNREACHABLE,
    "Network is unreachable": Cause.UNREACHABLE,
    "No route to host": Cause.UNREACHABLE,
}
_KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Cause], ...]] = (
    (ConfigurationError, Cause.MISCONFIGURED),
    (socket.gaierror, Cause.UNKNOWN_NAME),
    (ssl.SSLError, Cause.TLS),
    (ConnectionRefusedError, Cause.REFUSED),
    (redis.exceptions.AuthenticationError, Cause.WRONG_PASSWORD),
    (redis.exceptions.NoPermissionError, Cause.NOT_ALLOWED),
    (redis.exceptions.OutOfMemoryError, Cause.FULL),
    (redis.exceptions.ReadOnlyError, Cause.NOT_PRIMARY),
    (redis.exceptions.BusyLoadingError, Cause.BUSY),
)
# The code that Redis answered, by which people look for help; redis-py leaves it out of its texts.
_LEFT_OUT: Final = (
    (redis.exceptions.AuthenticationError, "WRONGPASS"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.OutOfMemoryError, "OOM"),
    (redis.exceptions.ReadOnlyError, "READONLY"),
    (redis.exceptions.BusyLoadingError, "LOADING"),
)
_VAGUE_KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Cause], ...]] = (
    ((TimeoutError, redis.exceptions.TimeoutError, httpx.TimeoutException), Cause.TIMEOUT),
    ((ConnectionError, EOFError, redis.exceptions.ConnectionError, httpx.NetworkError), Cause.LOST),
    ((ValueError, RecursionError, httpx.ProtocolError, httpx.InvalidURL), Cause.WRONG_ANSWER),
)


def cause_of(error: BaseException) -> Cause:
    """Return why something failed: what is most telling in an error and in the errors that it came from."""
    for one in _chain(error):
        if (cause := _told_by(one)) is not None:
            return cause
    for kind, cause in _VAGUE_KINDS:
        if any(isinstance(one, kind) for one in _chain(error)):
            return cause
    return Cause.OTHER


def _told_by(error: BaseException) -> Cause | None:
    """Return what one error says by itself, if that is more than that it failed."""
    said = getattr(error, "cause", None)
    if isinstance(said, Cause):
        return said
    for kind, cause in _KINDS:
        if isinstance(error, kind):
            return cause
    # What Redis says, and what we say of our own links; the text of an HTTP error is a stranger's.
    if isinstance(error, httpx.HTTPError | ValueError):
        return None
    text = str(error)
    if found := _CODE.search(text):
        return _REDIS_CODES[found[0]]
    marks = _MARKS if isinstance(error, OSError) else {}
    return next((cause for mark, cause in marks.items() if mark in text), None)


def detail_of(error: BaseException) -> str:
    """Return what an error says, and what the errors say that it came from, in one short line."""
    said: list[str] = []
    for one in _chain(error):
        text = " ".join((str(one) or type(one).__name__).split())
        code = next((code for kind, code in _LEFT_OUT if isinstance(one, kind)), "")
        if code and "HELLO must be called" in text:
            code = "NOAUTH"
        text = f"{code} {text}" if code and code not in text else text
        if not any(text in earlier for earlier in said):
            said.append(text)
    return ": ".join(said)[:_MAX_DETAIL_CHARS]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            # One connection was tried to several addresses of a name.
            current = current.exceptions[0]
        else:
            # Our `from None` says that what was behind it is not to be shown; httpcore's hides why it could not connect.
            is_hidden = current.__suppress_context__ and isinstance(current, RoomwireError)
            behind = None if is_hidden else current.__context__
            current = current.__cause__ or behind
        if isinstance(current, asyncio.CancelledError):
            # How a timeout takes effect.
            return


class Dependency:
    """One thing that this process depends on.

    Made by `Dependencies.add`.

    Args:
        name: What it is called in the log, in metrics and in `/readyz`.
        where: Its address, without secrets. Default: it has none.
        clears_after_s: How long nothing may have failed before a success counts; for what fails now and then while it is
            broken. Default: 0.
        forgets_after_s: After how long a failure lapses that was not repeated; for what is only used when somebody asks, so that
            nothing tells of its recovery. Default: never.
        clock: Monotonic seconds.

    Attributes:
        name: See above.
        cause: Why it does not serve; None: it does, as far as is known.

    """

    def __init__(
        self,
        name: str,
        *,
        where: str = "",
        clears_after_s: float = 0.0,
        forgets_after_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.where = where
        self.cause: Cause | None = None
        self._clears_after_s = clears_after_s
        self._forgets_after_s = forgets_after_s
        self._clock = clock
        self._began_at = self._failed_at = self._told_at = float("-inf")
        # The reasons that were logged since it went down: one that alternates with another is not news.
        self._told: set[Cause] = set()

    def failed(self, error: BaseException) -> Cause:
        """Note that it did not serve, and log why unless that was said lately; returns why."""
        return self.is_down(cause_of(error), detail_of(error))

    def is_down(self, cause: Cause, detail: str) -> Cause:
        """Note that it does not serve, as `failed`, for a reason that is no exception."""
        now = self._failed_at = self._clock()
        if self.cause is None:
            self._began_at = now
        self.cause = cause
        is_new = cause not in self._told and (bool(self._told) or now - self._told_at >= QUIET_S)
        if is_new or now - self._told_at >= REMIND_S:
            self._told.add(cause)
            self._told_at = now
            about = {"where": self.where} if self.where else {}
            _log.warning("dependency down", dependency=self.name, cause=cause.value, detail=detail, **about)
        return cause

    def works(self) -> None:
        """Note that it served: costs next to nothing while it does."""
        if self.cause is None and not self._told:
            return
        now = self._clock()
        if now - self._failed_at >= self._clears_after_s:
            self._is_up(now)

    def lapse(self) -> None:
        """Take it for well again if nothing was heard of it for as long as it is remembered: called by whoever shows it."""
        now = self._clock()
        if self.cause is not None and now - self._failed_at >= self._forgets_after_s:
            self._is_up(now, detail=f"it did not fail again for {self._forgets_after_s:g} s")

    def _is_up(self, now: float, **about: str) -> None:
        self.cause = None
        if self._told:
            self._told.clear()
            self._told_at = now
            _log.info("dependency up", dependency=self.name, down_s=round(now - self._began_at, 3), **about)


class Dependencies(Collector):
    """All dependencies of a process, exported as `roomwire_dependency_down{dependency, cause}`.

    Args:
        registry: The service's own.
        clock: Monotonic seconds.

    """

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._all: dict[str, Dependency] = {}
        self._clock = clock
        registry.register(self)

    def add(
        self,
        name: str,
        *,
        where: str = "",
        clears_after_s: float = 0.0,
        forgets_after_s: float = math.inf,
    ) -> Dependency:
        """Return the dependency of a name: a new one, unless there is one."""
        if name not in self._all:
            self._all[name] = Dependency(
                name,
                where=where,
                clears_after_s=clears_after_s,
                forgets_after_s=forgets_after_s,
                clock=self._clock,
            )
        return self._all[name]

    def causes(self) -> Mapping[str, str]:
        """Return why those that do not serve do not, by their names."""
        return {one.name: one.cause.value for one in self._now() if one.cause is not None}

    def _now(self) -> Iterator[Dependency]:
        for one in self._all.values():
            one.lapse()
            yield one

    def collect(self) -> Iterator[Metric]:
        """Yield the state of each; called by prometheus-client."""
        family = GaugeMetricFamily(
            "roomwire_dependency_down",
            "1 while a dependency does not serve, with the cause; 0, with the cause none, while it does.",
            labels=["dependency", "cause"],
        )
        for one in self._now():
            family.add_metric(
                [one.name, one.cause.value if one.cause else _NONE], float(one.cause is not None)
            )
        yield family
