"""Locust's users: each logs in, keeps a chat client connected, and speaks when it is due."""

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
"""The request type under which locust's statistics hold what was measured."""
SETTLE_S = GIVEN_UP_S
"""So long before its end a run falls silent, so that what is under way can arrive."""
_LOGIN_TIMEOUT_S = 30.0
_METER_S = 1.0
_RENEWED_AT = 0.8
"""The share of an access token's life after which a user exchanges it."""
_USERS_PER_WORKER = 1_000_000
_AGAIN_S = (1.0, 5.0)
"""How soon a person tries a failed login or refresh again."""
_YEARS_S = 1e8
"""For what lasts until locust ends it."""


class Failed(Exception):
    """Something that a person did failed; locust's reports show it by `repr`, and the reason is what there is to show."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What the people of a run do.

    Attributes:
        scenario: How they behave.
        write: Takes what they see.
        end_s: When they fall silent, in seconds of `time.time`. Infinite: when locust stops them.

    """

    scenario: Scenario
    write: Callable[[Entry], None]
    end_s: float = math.inf


class Person(User):
    """Logs in, keeps a chat client connected, and speaks when it is due; a subclass says in which course."""

    abstract = True
    host = "http://localhost:3000"
    wait_time = constant(0)
    _chatter: Chatter | None = None
    _refreshing: gevent.Greenlet | None = None
    _tokens: Tokens | None = None
    _numbers: ClassVar = itertools.count()

    def course(self) -> Course:
        """Return what this person does; asked for once, when it begins."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Choose a room, a transport and a way to log in."""
        self._number = next(Person._numbers)
        self._course = self.course()
        self._lives = 0
        scenario = self._course.scenario
        # Every worker counts from a million of its own, so that rooms keep their size.
        offset = max(0, getattr(self.environment.runner, "worker_index", 0)) * _USERS_PER_WORKER
        self._room = scenario.room_of(offset + self._number)
        self._is_account = random.random() < scenario.account_share  # noqa: S311 - no secret
        self._polls = random.random() < scenario.polling_share  # noqa: S311 - no secret

    def on_stop(self) -> None:
        """Leave: locust stops this person."""
        if self._refreshing is not None:
            self._refreshing.kill()
        if self._chatter is not None:
            self._chatter.close()

    @task
    def live(self) -> None:
        """Log in if need be, be connected, speak, and leave in time or at the end of the run."""
        if self._tokens is None:
            self._log_in()
        scenario, end_s = self._course.scenario, self._course.end_s
        begin_s = time.time()
        leave_s = min(end_s, begin_s + (scenario.session_s or _YEARS_S))
        self._lives += 1
        # Asked for only now: locust may have forked since this module was read.
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
        """Try until it works."""
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
                # A connection lasts as long as its token: it gets the new one.
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
            # What failed took no time that could be compared with what did not.
            response_time=None if failure else milliseconds,
            response_length=0,
            exception=Failed(failure) if failure else None,
            context={},
        )


def meter(journal: list[Entry]) -> None:
    """Write down each second how busy and how late this process is; never returns."""
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
    """Let workers send their journals to the master with their statistics."""

    def report(*, data: dict[str, Any], **_: Any) -> None:
        data["journal"] = encode(journal)
        journal.clear()

    def take(*, data: dict[str, Any], **_: Any) -> None:
        journal.extend(decode(data.get("journal", b"[]")))

    environment.events.report_to_master.add_listener(report)  # type: ignore[no-untyped-call]
    environment.events.worker_report.add_listener(take)  # type: ignore[no-untyped-call]
