"""Keeps what bypasses the log behind what this node published before: acks, events with a callback, DISCONNECTs.

The pure part is `own_publishes`. This part sends what need not wait, asks the log for a mark behind the publishes that something
waits for, and bounds the wait in time and size.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from functools import partial
from typing import Final

from roomwire.engine.session import Reason
from roomwire.engine.turn import Turn
from roomwire.errors import ClientError
from roomwire.limits.bounds import Bound
from roomwire.log.contract import Log, Published
from roomwire.log.positions import Position
from roomwire.log.streams import Stream
from roomwire.logs import get_logger
from roomwire.rooms.member import Member
from roomwire.rooms.own_publishes import OwnPublish, OwnPublishes
from roomwire.rooms.registry import Registry

_LOOK_AT: Final = 64
"""The number of noted publishes from which each further one looks whether older ones have been received."""

_log = get_logger(__name__)


class Order:
    """Sends messages that bypass the log, each behind the publishes of this node to any of its receiver's streams.

    A message that need not wait is sent at once. Otherwise it waits until the log's subscriber has reached the last of these
    publishes, for `LogConfig.call_timeout_s` at most. Messages for one receiver keep their order. A log in memory has delivered a
    message when its publish returns, so that nothing waits.

    Args:
        log: Tells what was received.
        registry: The members on this node.
        turn: Collects frames.
        begin: Starts a task.

    Attributes:
        is_clear: Whether every message may be sent at once: callers on hot paths look at it first.
        has_waiting: Whether a message waits.

    """

    def __init__(
        self,
        log: Log,
        registry: Registry,
        turn: Turn,
        *,
        begin: Callable[[Coroutine[object, object, object]], object],
    ) -> None:
        self._log = log
        self._registry = registry
        self._turn = turn
        self._begin = begin
        self._own: OwnPublishes[Member, _Waiting] = OwnPublishes()
        self._deadlines: deque[tuple[float, OwnPublish[Member]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_marking = False
        self.is_clear = True
        self.has_waiting = False

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        self._own.clear()
        self._deadlines.clear()
        self._timer = None
        self._is_marking = False
        self.is_clear, self.has_waiting = True, False

    # -- the log's side

    def note(self, stream: Stream, answer: "asyncio.Future[Published]") -> None:
        """Note a publish of this node, if its stream has receivers here: hot."""
        if self._registry.has_receivers(stream):
            self._own.add(stream, answer)
            self.is_clear = False
            if len(self._own.unseen) > _LOOK_AT:
                self.receive(self._log.cut)

    def receive(self, cut: Position) -> None:
        """Send what waits for publishes up to a position."""
        self._release(self._own.receive(cut))

    def forget_publishes(self) -> None:
        """Send everything that waits, because positions have lost their meaning."""
        self._deadlines.clear()
        self._release(self._own.clear())

    async def appended(self, *streams: Stream) -> None:
        """Wait for the primary's answers to the publishes to these streams."""
        if not self.is_clear:
            publish = self._own.newest(streams)
            if publish is not None and not publish.answer.done():
                await self._answers(publish)

    # -- the members' side

    def send(self, member: Member, frames: Sequence[bytes]) -> None:
        """Send frames to a member, at once or when they may follow."""

        def act() -> None:
            self._turn.put_all((member.outlet,), frames)

        if self.is_clear or not self._waits(member, act, sum(map(len, frames))):
            act()

    def act_for_each(
        self, members: Collection[Member], act: Callable[[Collection[Member]], None], *, size: int
    ) -> None:
        """Call what writes a message to several members: for all at once if no member has to wait."""
        if self.is_clear:
            act(members)
            return
        ready = [one for one in members if not self._waits(one, partial(act, (one,)), size)]
        if ready:
            act(ready)

    async def wait(self, member: Member) -> None:
        """Return when a message may be sent to a member."""
        if self.is_clear:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def come() -> None:
            if not turn.done():
                turn.set_result(None)

        if self._waits(member, come, 0):
            await turn

    def hurry(self, member: Member) -> None:
        """Send what waits for a member, and let nothing for it wait any more: its end must not be delayed."""
        member.is_urgent = True
        self._release([(member, item) for item in self._own.forget(member)])

    def forget(self, member: Member) -> None:
        """Drop what waits for a member that is gone."""
        if self.has_waiting:
            items = self._own.forget(member)
            self._hold(member, -member.waiting_bytes)
            for item in items:
                if not item.size:
                    item.act()
            self._look()

    def _waits(self, member: Member, act: Callable[[], None], size: int) -> bool:
        """Let a message wait if it must."""
        if member.is_urgent:
            return False
        self.receive(self._log.cut)
        if self.is_clear:
            return False
        publish = self._own.newest(self._registry.streams_of(member))
        is_first = publish is not None and publish.waiting is None
        if not self._own.wait(member, publish, _Waiting(act, size)):
            return False
        self.has_waiting = True
        self._hold(member, size)
        if publish is not None and is_first and publish.waiting is not None:
            self._wait_for(publish)
        self._check_limits(member)
        return True

    def _wait_for(self, publish: OwnPublish[Member]) -> None:
        """End the wait for a publish: by a mark behind it, or in time."""
        loop = asyncio.get_running_loop()
        self._deadlines.append((loop.time() + self._log.config.call_timeout_s, publish))
        if self._timer is None:
            self._timer = loop.call_at(self._deadlines[0][0], self._expire)
        if publish.answer.done():
            self._mark()
        else:
            self._begin(self._mark_when_answered(publish))

    def _check_limits(self, member: Member) -> None:
        limits = member.connection.state.limits
        queue = self._own.queues[member]
        if len(queue) > limits.max_held_frames or member.waiting_bytes > limits.max_held_bytes:
            self.forget(member)
            member.connection.close(Reason.SLOW, Bound.HELD)

    # -- what ends a wait

    async def _mark_when_answered(self, publish: OwnPublish[Member]) -> None:
        await self._answers(publish)
        self.receive(self._log.cut)
        self._mark()

    @staticmethod
    async def _answers(publish: OwnPublish[Member]) -> None:
        # Waiting for the future itself would cancel it with this task.
        await asyncio.wait((publish.answer,))  # type: ignore[type-var] # the log's answers are futures

    def _mark(self) -> None:
        """Ask for a mark behind the answered publishes, unless one is under way."""
        if self.has_waiting and not self._is_marking and self._own.answered():
            self._is_marking = True
            self._begin(self._marks())

    async def _marks(self) -> None:
        try:
            while self.has_waiting and (number := self._own.answered()):
                await self._log.mark(partial(self._marked, number))
        except ClientError as error:
            # The log is held. What waits follows when it is live again, or in time.
            _log.info("no mark for what waits", error=error.message)
        finally:
            self._is_marking = False

    def _marked(self, number: int, _: Position) -> None:
        self._release(self._own.marked(number))

    def log_is_live(self) -> None:
        """Send what need not wait any more, now that the log delivers again."""
        if not self.is_clear:
            self.receive(self._log.cut)
            self._mark()

    def _expire(self) -> None:
        """Send what has waited for too long."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._deadlines and self._deadlines[0][0] <= now:
            self._release(self._own.give_up(self._deadlines.popleft()[1]))
        if self._deadlines:
            self._timer = loop.call_at(self._deadlines[0][0], self._expire)

    def _release(self, released: Iterable[tuple[Member, "_Waiting"]]) -> None:
        for member, item in released:
            self._hold(member, -item.size)
            item.act()
        self._look()

    def _hold(self, member: Member, size: int) -> None:
        if size:
            member.waiting_bytes += size
            member.connection.account.hold(size)

    def _look(self) -> None:
        while self._deadlines and self._deadlines[0][1].is_ended:
            self._deadlines.popleft()
        self.has_waiting = bool(self._own.queues)
        self.is_clear = not self.has_waiting and not self._own.unseen


class _Waiting:
    """A message that waits: what writes it, and its size. With a size of 0 nothing is written, and a caller waits."""

    __slots__ = ("act", "size")

    def __init__(self, act: Callable[[], None], size: int) -> None:
        self.act = act
        self.size = size
