"""Collects the output of one turn of the event loop per receiver and writes it once, at the turn's end.

A room message costs each member one append. However many messages a turn brings, each receiver's transport
is written to once, with the frames in their order. An idle server adds no delay: there is no timer.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from roomwire.logs import get_logger

_log = get_logger(__name__)


class Outlet(Protocol):
    """A destination of frames.

    Attributes:
        outbox: The frames to send, in order.
        is_due: Whether the turn will flush the outlet; only `Turn` changes it.

    """

    outbox: list[bytes]
    is_due: bool

    @property
    def is_congested(self) -> bool:
        """Whether what is put in now would wait for more than the end of the turn."""

    def flush(self) -> None:
        """Write the outbox as far as possible; called once in each turn in which a frame was put."""


class Turn:
    """The outlets that must be flushed at the end of this turn."""

    __slots__ = ("_due", "_loop")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: list[Outlet] = []

    def put(self, outlet: Outlet, frame: bytes) -> None:
        """Put a frame into an outlet: hot."""
        outlet.outbox.append(frame)
        if not outlet.is_due:
            self.wake(outlet)

    def put_all(self, outlets: Iterable[Outlet], frames: Sequence[bytes]) -> None:
        """Put the same frames into many outlets: hot."""
        if len(frames) == 1:
            frame = frames[0]
            for outlet in outlets:
                outlet.outbox.append(frame)
                if not outlet.is_due:
                    self.wake(outlet)
        else:
            for outlet in outlets:
                outlet.outbox += frames
                if not outlet.is_due:
                    self.wake(outlet)

    def wake(self, outlet: Outlet) -> None:
        """Flush an outlet at the end of this turn."""
        if not self._due:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._flush)
        self._due.append(outlet)
        outlet.is_due = True

    def rebind(self) -> None:
        """Continue on the running loop; flushes that were due on the last loop, which has ended, are due now."""
        self._loop = None
        due, self._due = self._due, []
        for outlet in due:
            self.wake(outlet)

    def _flush(self) -> None:
        due, self._due = self._due, []
        for outlet in due:
            outlet.is_due = False
            try:
                outlet.flush()
            except Exception:
                # A failing outlet must not silence the others of this turn.
                _log.exception("write failed")
