"""The shared part of the gateways of one process: one log, and the order of its changes."""

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
    """The log of one gateway, as the other gateways of its process see it.

    Attributes:
        address: The address at which other gateways reach it.

    """

    address: str

    def take(self, message: bytes) -> None:
        """Accept a request of another gateway, or the answer to one of this gateway's requests."""


class MemoryHub:
    """The shared part of the gateways of one process: the log, and the order in which it changes.

    Changes are made one tick after they were requested, so that no observer is called while another gateway's call runs.

    Args:
        config: The times and limits.
        is_eager: Make changes at once instead. This is for a single gateway whose observer expects that: an awaited call is
            done without a turn of the event loop. A change that is requested during another change follows it.
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
        """Make a change in order, with the others of this tick."""
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
        """Whether a change may be made at once instead of by `soon`."""
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
