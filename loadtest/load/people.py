"""Locust's users: each logs in, keeps a chat client connected, and speaks when it is due."""

import itertools
import os
import random
import socket
import time
from typing import Any

import gevent
import psutil
from locust import User, constant, task
from locust.env import Environment

from faults.journal import Entry
from load.accounts import Accounts, LoginFailed, Tokens
from load.chatter import Chatter
from load.scenarios import Scenario
from load.schedule import due_times

KIND = "roomwire"
"""The request type under which locust's statistics hold what was measured."""
SETTLE_S = 4.0
"""So long before its end a run falls silent, so that what is under way can arrive."""
_LOGIN_TIMEOUT_S = 30.0
_METER_S = 1.0
_RENEWED_AT = 0.8
"""The share of an access token's life after which a user exchanges it."""
_USERS_PER_WORKER = 1_000_000
_PROCESS = f"{socket.gethostname()}-{os.getpid()}"


def people(scenario: Scenario, *, seconds: float, journal: list[Entry]) -> type[User]:  # noqa: C901 - one class, whose methods it counts together
    """Return the users of a scenario, who write what they see into a journal."""
    numbers = itertools.count()

    class Person(User):
        """One of them."""

        wait_time = constant(0)
        _chatter: Chatter | None

        def on_start(self) -> None:
            self._number = next(numbers)
            self._chatter = None
            self._lives = 0
            # Every worker counts from a million of its own, so that rooms keep their size.
            offset = max(0, getattr(self.environment.runner, "worker_index", 0)) * _USERS_PER_WORKER
            self._room = scenario.room_of(offset + self._number)
            self._url = str(self.host)
            self._accounts = Accounts(self._url, timeout_s=_LOGIN_TIMEOUT_S)
            self._is_account = random.random() < scenario.account_share  # noqa: S311 - no secret
            self._polls = random.random() < scenario.polling_share  # noqa: S311 - no secret
            self._measured(
                "login", lambda: self._accounts.account() if self._is_account else self._accounts.guest()
            )

        def on_stop(self) -> None:
            if self._chatter is not None:
                self._chatter.close()

        @task
        def live(self) -> None:
            """Be connected, speak, and leave in time or at the end of the run."""
            end_s = self.environment.runner.started_s + seconds - SETTLE_S
            begin_s = time.time()
            leave_s = min(end_s, begin_s + (scenario.session_s or seconds))
            self._lives += 1
            chatter = Chatter(
                f"{_PROCESS}-{self._number}-{self._lives}",
                room=self._room,
                url=self._url,
                polls=self._polls,
                token=lambda: self._tokens.access,
                write=journal.append,
                measure=self._fire,
            )
            self._chatter = chatter
            gevent.spawn(chatter.run)
            refreshing = gevent.spawn(self._keep_fresh, chatter)
            phase = random.random()  # noqa: S311 - no secret
            for due_s in due_times(begin_s, rate_hz=scenario.rate_hz, phase=phase, end_s=leave_s):
                gevent.sleep(max(0.0, due_s - time.time()))
                chatter.say(due_s)
            gevent.sleep(max(0.0, leave_s - time.time()))
            chatter.settle(SETTLE_S)
            refreshing.kill()
            if leave_s >= end_s:
                gevent.sleep(seconds)  # locust ends it
            chatter.close()

        def _keep_fresh(self, chatter: Chatter) -> None:
            while True:
                gevent.sleep(scenario.refresh_s or _RENEWED_AT * self._tokens.access_s)
                self._measured("refresh", lambda: self._accounts.refresh(self._tokens))
                # A connection lasts as long as its token: it gets the new one.
                chatter.renew()

        def _measured(self, what: str, log_in: Any) -> None:
            began = time.monotonic()
            try:
                self._tokens: Tokens = log_in()
            except LoginFailed as error:
                self._fire(what, (time.monotonic() - began) * 1000, str(error))
                raise
            self._fire(what, (time.monotonic() - began) * 1000, "")

        def _fire(self, what: str, milliseconds: float, failure: str) -> None:
            self.environment.events.request.fire(
                request_type=KIND,
                name=what,
                response_time=milliseconds,
                response_length=0,
                exception=RuntimeError(failure) if failure else None,
                context={},
            )

    return Person


def meter(journal: list[Entry]) -> None:
    """Write down each second how busy and how late this process is; never returns."""
    process = psutil.Process()
    used, since = sum(process.cpu_times()[:2]), time.monotonic()
    while True:
        gevent.sleep(_METER_S)
        now, spent = time.monotonic(), sum(process.cpu_times()[:2])
        journal.append(
            Entry(
                "meter",
                _PROCESS,
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
