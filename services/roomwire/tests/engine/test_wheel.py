"""The wheel, on a loop whose clock the test moves."""

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from roomwire.engine.session import WEBSOCKET, Session
from roomwire.engine.wheel import TICK_S, Wheel
from roomwire.limits.client import Limits
from roomwire.protocol.frames import message_of
from roomwire.protocol.packets import PING, PONG

ROUNDING_S = 1e-9


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        super().__init__()
        self.armed: list[float] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when, callback, *args, context=None):
        self.armed.append(when)
        return super().call_at(when, callback, *args, context=context)

    def timers(self) -> list[float]:
        """Return the times of the timers that will ring."""
        return sorted(timer.when() for timer in self._scheduled if not timer.cancelled())

    def move(self, until: float) -> None:
        """Let the time pass, stopping at every timer."""
        while (timers := self.timers()) and timers[0] <= until:
            self.now = max(self.now, timers[0])
            self.run_until_complete(asyncio.sleep(0))
            self.run_until_complete(asyncio.sleep(0))
        self.now = max(self.now, until)


class Alarm:
    """An alarm that notes when it was called, and asks for the deadlines that it was given."""

    def __init__(self, clock: Clock, *again: float) -> None:
        self._clock = clock
        self._again = iter(again)
        self.calls: list[float] = []

    def __call__(self, now: float) -> float | None:
        assert self._clock.now == now
        self.calls.append(now)
        return next(self._again, None)


@pytest.fixture
def clock():
    with running() as found:
        yield found


class running:  # noqa: N801 - reads as a sentence
    """A clock that is closed in the end, and everything of the wheel with it."""

    def __enter__(self) -> Clock:
        self._clock = Clock()
        return self._clock

    def __exit__(self, *_: object) -> None:
        self._clock.close()


def add(clock: Clock, wheel: Wheel, alarm, deadline: float) -> None:
    async def inside() -> None:
        wheel.add(alarm, deadline)

    clock.run_until_complete(inside())


delays = st.floats(0, 5, allow_nan=False)


@given(st.lists(delays, min_size=1, max_size=20), st.sampled_from([0.001, TICK_S, 0.3]))
def test_no_alarm_is_early_and_none_more_than_a_tick_late(delays, tick_s):
    with running() as clock:
        wheel = Wheel(tick_s=tick_s)
        deadlines = [clock.now + delay for delay in delays]
        alarms = [Alarm(clock) for _ in deadlines]
        for alarm, deadline in zip(alarms, deadlines, strict=True):
            add(clock, wheel, alarm, deadline)
        clock.move(clock.now + 10)
        for alarm, deadline in zip(alarms, deadlines, strict=True):
            assert 1 == len(alarm.calls)
            assert deadline - ROUNDING_S <= alarm.calls[0] <= deadline + tick_s + ROUNDING_S


@given(st.lists(st.lists(delays, min_size=1, max_size=5), min_size=1, max_size=8))
def test_alarms_that_ask_for_more_are_called_on_time_whatever_the_others_ask_for(delays):
    with running() as clock:
        wheel = Wheel()
        plans = [[clock.now + total for total in itertools.accumulate(own)] for own in delays]
        alarms = [Alarm(clock, *plan[1:]) for plan in plans]
        for alarm, plan in zip(alarms, plans, strict=True):
            add(clock, wheel, alarm, plan[0])
        clock.move(clock.now + 30)
        for alarm, plan in zip(alarms, plans, strict=True):
            assert len(plan) == len(alarm.calls)
            for called, deadline, earlier in zip(alarm.calls, plan, [0.0, *alarm.calls], strict=False):
                assert deadline - ROUNDING_S <= called
                assert called <= max(deadline, earlier) + TICK_S + ROUNDING_S


def test_an_alarm_that_asks_for_later_does_not_delay_the_next(clock):
    wheel = Wheel()
    far, near = Alarm(clock, clock.now + 25.0), Alarm(clock)
    add(clock, wheel, far, clock.now + 0.1)
    add(clock, wheel, near, clock.now + 0.5)
    clock.move(clock.now + 1)
    assert 1 == len(near.calls)


def test_many_alarms_need_one_timer(clock):
    wheel = Wheel()
    for number in range(10_000):
        add(clock, wheel, Alarm(clock), clock.now + 20 + number / 10_000)
    assert 1 == len(clock.timers())
    assert 1 == len(clock.armed)


def test_nothing_rings_while_nothing_is_due(clock):
    wheel = Wheel()
    add(clock, wheel, Alarm(clock), clock.now + 100)
    clock.move(clock.now + 200)
    assert 1 == len(clock.armed)
    assert [] == clock.timers()


def test_an_earlier_alarm_moves_the_timer_forward(clock):
    wheel = Wheel()
    add(clock, wheel, Alarm(clock), clock.now + 20)
    add(clock, wheel, Alarm(clock), clock.now + 10)
    assert [clock.now + 10 + TICK_S] == pytest.approx(clock.timers())


def test_a_deadline_that_has_passed_is_rung_within_a_tick(clock):
    wheel = Wheel()
    late = Alarm(clock)
    add(clock, wheel, late, clock.now - 50)
    clock.move(clock.now + TICK_S)
    assert 1 == len(late.calls)


def test_after_a_standstill_of_the_loop_everything_that_was_due_is_rung_once(clock):
    wheel = Wheel()
    alarms = [Alarm(clock) for _ in range(10)]
    for number, alarm in enumerate(alarms):
        add(clock, wheel, alarm, clock.now + number)
    clock.now += 60
    clock.move(clock.now + TICK_S)
    assert [1] * 10 == [len(alarm.calls) for alarm in alarms]


def test_an_alarm_that_raises_is_logged_and_hurts_no_other(clock):
    wheel = Wheel()
    alarms = [Alarm(clock), Alarm(clock, clock.now + 5), Alarm(clock)]

    def broken(_: float) -> None:
        raise LookupError("broken")

    for alarm, delay in zip([alarms[0], broken, *alarms[1:]], [1, 1, 1, 3], strict=True):
        add(clock, wheel, alarm, clock.now + delay)
    with capture_logs() as logs:
        clock.move(clock.now + 10)
    assert [1, 2, 1] == [len(alarm.calls) for alarm in alarms]
    assert ["alarm failed"] == [entry["event"] for entry in logs]


def test_closing_forgets_all_alarms_and_may_be_repeated(clock):
    wheel = Wheel()
    alarms = [Alarm(clock) for _ in range(3)]
    for number, alarm in enumerate(alarms):
        add(clock, wheel, alarm, clock.now + number)
    wheel.close()
    wheel.close()
    assert [] == clock.timers()
    clock.move(clock.now + 10)
    assert [[], [], []] == [alarm.calls for alarm in alarms]


@pytest.mark.parametrize(
    ("interval_s", "timeout_s"),
    [pytest.param(25.0, 20.0, id="the defaults"), pytest.param(5.0, 20.0, id="a timeout above the interval")],
)
def test_a_session_in_the_wheel_is_pinged_once_an_interval(clock, interval_s, timeout_s):
    limits = Limits(ping_interval_s=interval_s, ping_timeout_s=timeout_s)
    session = Session("x", transport=WEBSOCKET, limits=limits, now=clock.now)
    wheel = Wheel()
    pings = []

    def alarm(now: float) -> float | None:
        deadline = session.tick(now)
        for packet in map(message_of, session.output()):
            assert PING == packet
            pings.append(now)
            session.receive(PONG)
        return deadline

    start = clock.now
    add(clock, wheel, alarm, session.deadline)
    clock.move(start + 10 * interval_s + 1)
    assert 10 == len(pings)
    for before, after in itertools.pairwise([start, *pings]):
        assert math.isclose(interval_s, after - before, abs_tol=TICK_S + ROUNDING_S)
