"""What gateways of one process share: one log, and the order in which it changes."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from roomwire.log.config import LogConfig
from roomwire.log.contract import Published
from roomwire.log.entries import Message
from roomwire.log.kept import Kept
from roomwire.log.memory.primary import MemoryPrimary
from roomwire.log.positions import new_epoch
from roomwire.log.sessions import NodeId
from roomwire.log.streams import Stream


class HubMember(Protocol):
    """The log of one gateway, as the others of its process know it.

    Attributes:
        address: Where other gateways reach it.

    """

    address: str

    def take(self, message: bytes) -> None:
        """Take a request of another gateway, or the answer to one of this gateway's."""


class MemoryHub:
    """What gateways of one process share: the log, and the order in which its changes are made.

    Changes are made one tick after they were requested, so that no observer is called while another gateway's call runs.

    Args:
        config: Times and bounds.
        is_eager: Make them at once instead, for one gateway whose observer expects that: a call that is awaited has
            been done without a turn of the event loop. What is asked for in the middle of a change follows it.
        clock: Monotonic seconds, by which sessions, streams and message ids expire.

    """

    def __init__(
        self, config: LogConfig, *, is_eager: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        config.check()
        self.config = config
        self.primary = MemoryPrimary(config, clock, epoch=new_epoch())
        self.logs: dict[NodeId, HubMember] = {}
        self._is_eager = is_eager
        self._is_making = False
        self._changes: deque[Callable[[], None]] = deque()

    def soon(self, change: Callable[[], None]) -> None:
        """Make a change, in order, with the others of this tick."""
        if self._is_eager:
            self._changes.append(change)
            if not self._is_making:
                self._make_all()
            return
        if not self._changes:
            asyncio.get_running_loop().call_soon(self._make)
        self._changes.append(change)

    @property
    def is_at_rest(self) -> bool:
        """Whether a change may be made right away, instead of by `soon`."""
        return self._is_eager and not self._is_making

    def publish(
        self, stream: Stream, message: Message, message_id: str, kept: Kept | None = None
    ) -> Published:
        """Append a message right away: hot. Only while `is_at_rest`."""
        self._is_making = True
        try:
            return self.primary.publish(stream, message, message_id, kept)
        finally:
            self._is_making = False
            if self._changes:
                self._make_all()

    def _make_all(self) -> None:
        self._is_making = True
        try:
            while self._changes:
                self._changes.popleft()()
        finally:
            self._is_making = False

    def _make(self) -> None:
        # What is asked for meanwhile waits for the next tick.
        changes, self._changes = self._changes, deque()
        for change in changes:
            change()
