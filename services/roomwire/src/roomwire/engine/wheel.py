"""One timer for all sessions: a timer wheel with coarse ticks.

Ten thousand sessions cost one `call_later` at a time, not ten thousand. A session is in the wheel once. When
its tick comes, it is asked for its next deadline, so postponing a deadline is free.

An alarm stays in the wheel until its deadline, although what it was meant for may have ended long before. So that it does not keep
the memory of ended clients for that time, the wheel refers weakly to the object of a bound method. A function must refer to
clients by their ids.
"""

import asyncio
import heapq
from collections.abc import Callable
from types import MethodType
from typing import Final
from weakref import ref

from roomwire.logs import get_logger

_log = get_logger(__name__)

TICK_S: Final = 0.02

Alarm = Callable[[float], float | None]
"""Called with the time when its deadline has come; returns the next deadline, or None if there is none."""


class Wheel:
    """Calls alarms at their deadlines, never early, at most one tick late. An alarm that raises is logged and dropped.

    Args:
        tick_s: The length of a tick. Default: 20 milliseconds.

    """

    def __init__(self, *, tick_s: float = TICK_S) -> None:
        self._tick_s = tick_s
        self._slots: dict[int, list[Alarm]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def add(self, alarm: Alarm, deadline: float) -> None:
        """Call an alarm once its deadline (in the loop's time) has come, unless it is a method whose object is gone by then."""
        if isinstance(alarm, MethodType):
            alarm = _Method(alarm)
        slot = int(deadline / self._tick_s) + 1
        alarms = self._slots.get(slot)
        if alarms is None:
            self._slots[slot] = [alarm]
            heapq.heappush(self._order, slot)
        else:
            alarms.append(alarm)
        if self._timer is None or slot < self._next:
            self._arm(slot)

    def close(self) -> None:
        """Forget all alarms; idempotent."""
        self._slots.clear()
        self._order.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def rebind(self) -> None:
        """Continue on the running loop: all loops share one clock, and the timer of the last loop, which has ended, never fires."""
        self._timer = None
        if self._order:
            self._arm(self._order[0])

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = asyncio.get_running_loop().call_at(slot * self._tick_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        due: list[Alarm] = []
        while self._order and self._order[0] * self._tick_s <= now:
            due += self._slots.pop(heapq.heappop(self._order))
        for alarm in due:
            try:
                deadline = alarm(now)
            except Exception:
                _log.exception("alarm failed")
                continue
            if deadline is not None:
                self.add(alarm, deadline)
        if self._order:
            # An alarm that was added meanwhile may have armed the timer for a time later than other deadlines.
            self._arm(self._order[0])


class _Method:
    """A bound method as an alarm, which does not keep its object.

    Args:
        method: The method.

    """

    __slots__ = ("_function", "_object")

    def __init__(self, method: MethodType) -> None:
        self._object = ref(method.__self__)
        self._function = method.__func__

    def __call__(self, now: float) -> float | None:
        found = self._object()
        deadline: float | None = None if found is None else self._function(found, now)
        return deadline
