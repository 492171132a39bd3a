"""The dependencies of this process, and the current cause if one does not work.

This module owns the closed set of causes (`Cause`), and reports each change of state once: as a log line, as a series of
`roomwire_dependency_down`, and as a field of `/readyz`. The users of a dependency report their results here. Nothing here
retries, and no secret is shown: errors do not quote passwords, and the log masks text that looks like one.
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
"""Minimum seconds between two equal log lines about one dependency: one that comes and goes does not fill the log."""
REMIND_S: Final = 300.0
"""The seconds after which a dependency that is still down is logged again."""
_MAX_DETAIL_CHARS: Final = 300
_NONE: Final = "none"

_log = get_logger(__name__)


class Cause(enum.StrEnum):
    """Why a dependency does not work: a closed set, the same in the log, in metrics and in `/readyz`."""

    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    LOST = "lost"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, not a password
    NOT_ALLOWED = "not_allowed"
    FULL = "full"
    NEARLY_FULL = "nearly_full"
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
"""Why a Redis that answers accepts no writes."""

_REDIS_CODES: Final[Mapping[str, Cause]] = {
    "WRONGPASS": Cause.WRONG_PASSWORD,
    "NOAUTH": Cause.WRONG_PASSWORD,
    # Redis' answer to AUTH if it has no password; redis-py drops the error's code.
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
# For a name with several addresses, asyncio raises one error with the texts of all.
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
# The code of Redis' answer, which people search for; redis-py leaves it out of its texts.
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
    """Return the cause of a failure: the most specific one in the error and in the errors behind it."""
    for one in _chain(error):
        if (cause := _told_by(one)) is not None:
            return cause
    for kind, cause in _VAGUE_KINDS:
        if any(isinstance(one, kind) for one in _chain(error)):
            return cause
    return Cause.OTHER


def _told_by(error: BaseException) -> Cause | None:
    """Return the cause that one error names by itself, if it names any."""
    said = getattr(error, "cause", None)
    if isinstance(said, Cause):
        return said
    for kind, cause in _KINDS:
        if isinstance(error, kind):
            return cause
    # The texts of Redis and of our own links are known; the text of an HTTP error comes from a stranger.
    if isinstance(error, httpx.HTTPError | ValueError):
        return None
    text = str(error)
    if found := _CODE.search(text):
        return _REDIS_CODES[found[0]]
    marks = _MARKS if isinstance(error, OSError) else {}
    return next((cause for mark, cause in marks.items() if mark in text), None)


def detail_of(error: BaseException) -> str:
    """Return the text of an error, and of the errors behind it, in one short line."""
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
            # A connection tried several addresses of one name.
            current = current.exceptions[0]
        else:
            # Our own `from None` hides the error behind it on purpose; httpcore's hides why it could not connect.
            is_hidden = current.__suppress_context__ and isinstance(current, RoomwireError)
            behind = None if is_hidden else current.__context__
            current = current.__cause__ or behind
        if isinstance(current, asyncio.CancelledError):
            # The way in which a timeout takes effect.
            return


class Dependency:
    """One dependency of this process.

    Made by `Dependencies.add`.

    Args:
        name: Its name in the log, in metrics and in `/readyz`.
        where: Its address, without secrets. Default: none.
        clears_after_s: A success counts only after so many seconds without a failure; for dependencies that fail only now and then
            while they are broken. Default: 0.
        forgets_after_s: A failure lapses after so many seconds without another; for dependencies that are used only on request, so
            that their recovery is not noticed. Default: never.
        clock: Monotonic seconds.

    Attributes:
        name: See above.
        cause: Why it does not work; None if it works, as far as is known.

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
        # The causes that were logged since it went down: one that alternates with another is not logged again.
        self._told: set[Cause] = set()

    def failed(self, error: BaseException) -> Cause:
        """Note that it did not work, and log the cause unless that was logged recently; return the cause."""
        return self.is_down(cause_of(error), detail_of(error))

    def is_down(self, cause: Cause, detail: str) -> Cause:
        """Note that it does not work, as `failed`, for a cause that is not an exception."""
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
        """Note that it worked; nearly free while it does."""
        if self.cause is None and not self._told:
            return
        now = self._clock()
        if now - self._failed_at >= self._clears_after_s:
            self._is_up(now)

    def lapse(self) -> None:
        """Consider it working again if its last failure is older than `forgets_after_s`; called before its state is shown."""
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
        registry: The service's registry.
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
        """Return the dependency of this name; create it if there is none."""
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
        """Return the causes of all dependencies that do not work, by name."""
        return {one.name: one.cause.value for one in self._now() if one.cause is not None}

    def _now(self) -> Iterator[Dependency]:
        for one in self._all.values():
            one.lapse()
            yield one

    def collect(self) -> Iterator[Metric]:
        """Yield the state of each dependency; called by prometheus-client."""
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
