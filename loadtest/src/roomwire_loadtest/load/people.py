"""Locust's simulated users: each signs in, keeps a chat client connected, and sends messages when they are due."""

import functools
import itertools
import math
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gevent
import psutil
from locust import User, constant, task
from locust.env import Environment
from locust.exception import StopUser

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.accounts import Accounts, LoginFailed, Tokens
from roomwire_loadtest.load.chatter import GIVEN_UP_S, Chatter
from roomwire_loadtest.load.scenarios import Scenario
from roomwire_loadtest.load.schedule import due_times
from roomwire_loadtest.load.target import Target, WrongUrl

KIND = "roomwire"
"""The request type of the measurements in locust's statistics."""
SETTLE_S = GIVEN_UP_S
"""Time before its end at which a run falls silent, so that messages in flight can arrive."""
_LOGIN_TIMEOUT_S = 30.0
_METER_S = 1.0
_RENEWED_AT = 0.8
"""The share of an access token's life after which a user exchanges it."""
_USERS_PER_WORKER = 1_000_000
_AGAIN_S = (1.0, 5.0)
"""How soon a user retries a failed login or refresh."""
_YEARS_S = 1e8
"""A sleep that lasts until locust ends it."""


class Failed(Exception):
    """An action of a user failed; locust's reports show it by `repr`, which is therefore the reason."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, kw_only=True)
class Course:
    """The behaviour of a run's users.

    Attributes:
        scenario: The scenario.
        write: Writes an entry of the journal.
        end_s: The time at which they fall silent, in seconds of `time.time`. Infinite: when locust stops them.

    """

    scenario: Scenario
    write: Callable[[Entry], None]
    end_s: float = math.inf


class Person(User):
    """Signs in, keeps a chat client connected, and sends messages when they are due; a subclass provides the behaviour."""

    abstract = True
    host = "http://localhost:3000"
    wait_time = constant(0)
    _chatter: Chatter | None = None
    _refreshing: gevent.Greenlet | None = None
    _tokens: Tokens | None = None
    _numbers: ClassVar = itertools.count()

    def course(self) -> Course:
        """Return this user's behaviour; called once, when the user begins."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Choose a room, a transport and a way to sign in."""
        self._number = next(Person._numbers)
        self._course = self.course()
        self._lives = 0
        scenario = self._course.scenario
        # Each worker counts from its own million, so that rooms keep their size.
        offset = max(0, getattr(self.environment.runner, "worker_index", 0)) * _USERS_PER_WORKER
        self._room = scenario.room_of(offset + self._number)
        self._is_account = random.random() < scenario.account_share  # noqa: S311 - no secret
        self._polls = random.random() < scenario.polling_share  # noqa: S311 - no secret

    def on_stop(self) -> None:
        """Leave, because locust stops this user."""
        if self._refreshing is not None:
            self._refreshing.kill()
        if self._chatter is not None:
            self._chatter.close()

    @task
    def live(self) -> None:
        """Sign in if necessary, connect, send messages, and leave in time or at the end of the run."""
        if self._tokens is None:
            self._log_in()
        scenario, end_s = self._course.scenario, self._course.end_s
        begin_s = time.time()
        leave_s = min(end_s, begin_s + (scenario.session_s or _YEARS_S))
        self._lives += 1
        # These are looked up only now, because locust may have forked since this module was imported.
        process = f"{socket.gethostname()}-{os.getpid()}"
        self._chatter = chatter = Chatter(
            f"{process}-{self._number}-{self._lives}",
            room=self._room,
            target=self._target,
            polls=self._polls,
            token=lambda: self._tokens.access if self._tokens else "",
            write=self._course.write,
            measure=self._fire,
        )
        gevent.spawn(chatter.run)
        if self._refreshing is None:
            self._refreshing = gevent.spawn(self._keep_fresh)
        phase = random.random()  # noqa: S311 - no secret
        for due_s in due_times(begin_s, rate_hz=scenario.rate_hz, phase=phase, end_s=leave_s):
            gevent.sleep(max(0.0, due_s - time.time()))
            chatter.say(due_s)
        gevent.sleep(max(0.0, leave_s - time.time()))
        chatter.settle(SETTLE_S)
        if leave_s >= end_s:
            gevent.sleep(_YEARS_S)  # locust ends it
        chatter.close()

    def _log_in(self) -> None:
        """Try to sign in until it succeeds."""
        try:
            self._target = Target.of(str(self.host))
        except WrongUrl as error:
            self._fire("login", 0.0, str(error))
            raise StopUser from error
        self._accounts = Accounts(self._target, timeout_s=_LOGIN_TIMEOUT_S)
        while not self._granted(
            "login", self._accounts.account if self._is_account else self._accounts.guest
        ):
            gevent.sleep(random.uniform(*_AGAIN_S))  # noqa: S311 - no secret

    def _keep_fresh(self) -> None:
        is_fresh = True
        while (tokens := self._tokens) is not None:
            wait_s = self._course.scenario.refresh_s or _RENEWED_AT * tokens.access_s
            gevent.sleep(wait_s if is_fresh else random.uniform(*_AGAIN_S))  # noqa: S311 - no secret
            is_fresh = self._granted("refresh", functools.partial(self._accounts.refresh, tokens))
            if is_fresh and self._chatter is not None:
                # A connection lasts only as long as its token, so it gets the new token.
                self._chatter.renew()

    def _granted(self, what: str, ask: Callable[[], Tokens]) -> bool:
        began = time.monotonic()
        failure = ""
        try:
            self._tokens = ask()
        except LoginFailed as error:
            failure = str(error)
        self._fire(what, (time.monotonic() - began) * 1000, failure)
        return not failure

    def _fire(self, what: str, milliseconds: float, failure: str) -> None:
        self.environment.events.request.fire(
            request_type=KIND,
            name=what,
            # The duration of a failure cannot be compared with that of a success.
            response_time=None if failure else milliseconds,
            response_length=0,
            exception=Failed(failure) if failure else None,
            context={},
        )


def meter(journal: list[Entry]) -> None:
    """Record each second how busy and how late this process is; never returns."""
    process = psutil.Process()
    name = f"{socket.gethostname()}-{process.pid}"
    used, since = sum(process.cpu_times()[:2]), time.monotonic()
    while True:
        gevent.sleep(_METER_S)
        now, spent = time.monotonic(), sum(process.cpu_times()[:2])
        journal.append(
            Entry(
                "meter",
                name,
                time.time() * 1000,
                cpu=(spent - used) / (now - since),
                lag_ms=max(0.0, now - since - _METER_S) * 1000,
            )
        )
        used, since = spent, now


def pass_on(environment: Environment, journal: list[Entry], *, encode: Any, decode: Any) -> None:
    """Let workers send their journals to the master together with their statistics."""

    def report(*, data: dict[str, Any], **_: Any) -> None:
        data["journal"] = encode(journal)
        journal.clear()

    def take(*, data: dict[str, Any], **_: Any) -> None:
        journal.extend(decode(data.get("journal", b"[]")))

    environment.events.report_to_master.add_listener(report)  # type: ignore[no-untyped-call]
    environment.events.worker_report.add_listener(take)  # type: ignore[no-untyped-call]
