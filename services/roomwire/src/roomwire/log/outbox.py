"""The publishes of one gateway that the primary has not yet answered. Pure: it knows no socket and no clock.

It promises that publishes are appended in the order in which they were added; that each is appended at most once, whatever
happens to links; that none waits longer than its deadline; and that the number of held publishes is limited.

Each publish is numbered when it is first sent, and the primary refuses numbers that are not above the last one it accepted.
Publishes that are unanswered when a link is lost are sent again on the next link, first and in order. Several batches may be
under way. Each names the last number of the batch before it, and the primary refuses it (`CHAIN`) unless it accepted that number.
A batch that was refused, because the primary forgot the script or has no memory left, is therefore never overtaken by the next.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from roomwire.log.kept import Kept
from roomwire.log.streams import Stream

BATCH_PUBLISHES: Final = 128
BATCH_BYTES: Final = 262_144
MAX_BATCHES_UNDER_WAY: Final = 8

W = TypeVar("W")


class Publish(Generic[W]):
    """A publish on its way.

    Attributes:
        waiting: The publisher's own object that waits for the outcome.
        number: Its number, 0 until it is first sent.
        is_done: Whether it was settled, by an answer or by its deadline.
        is_uncertain: Whether a link was lost while it was under way, so that the primary may have it.
        kept: The entry for a history, or None.

    """

    __slots__ = (
        "blob",
        "deadline",
        "is_done",
        "is_uncertain",
        "kept",
        "message_id",
        "number",
        "stream",
        "waiting",
    )

    def __init__(
        self,
        stream: Stream,
        blob: bytes,
        message_id: bytes,
        deadline: float,
        waiting: W,
        kept: Kept | None = None,
    ) -> None:
        self.stream = stream
        self.blob = blob
        self.message_id = message_id
        self.deadline = deadline
        self.waiting = waiting
        self.kept = kept
        self.number = 0
        self.is_done = False
        self.is_uncertain = False

    @property
    def size(self) -> int:
        """The size of the publish in bytes."""
        return len(self.blob) if self.kept is None else len(self.blob) + len(self.kept.entry)


Settled = Callable[[Publish[W], object], None]
"""Called once for each publish with its outcome: the primary's answer, or an exception."""


class Batch(Generic[W]):
    """Publishes that go in one call of the script.

    Attributes:
        publishes: In order.
        predecessor: The number that the primary must have accepted last before; with `0` there is no condition.
        size: Their size in bytes.

    """

    __slots__ = ("predecessor", "publishes", "size")

    def __init__(self, publishes: Sequence[Publish[W]], predecessor: int, size: int) -> None:
        self.publishes = publishes
        self.predecessor = predecessor
        self.size = size


class Outbox(Generic[W]):
    """Keeps the publishes that are not settled.

    Args:
        max_publishes: Maximum number of held publishes.
        max_bytes: Maximum total size of the held publishes.
        settled: See `Settled`.

    """

    def __init__(self, *, max_publishes: int, max_bytes: int, settled: Settled[W]) -> None:
        self._max_publishes = max_publishes
        self._max_bytes = max_bytes
        self._settled = settled
        self._waiting: deque[Publish[W]] = deque()
        self._under_way: deque[Batch[W]] = deque()
        self._returned: list[Publish[W]] = []
        self._last_number = 0
        self._held = 0
        self._held_bytes = 0

    def __len__(self) -> int:
        return self._held

    def has_room(self, size: int) -> bool:
        """Return whether a publish of `size` bytes can be added. A single one always can."""
        return self._held == 0 or (
            self._held < self._max_publishes and self._held_bytes + size <= self._max_bytes
        )

    def add(self, publish: Publish[W]) -> None:
        """Add a publish behind all others; ask `has_room` first."""
        self._held += 1
        self._held_bytes += publish.size
        self._waiting.append(publish)

    def next_batch(self) -> Batch[W] | None:
        """Return the batch to send now on the present link, or None if there is none or enough are under way."""
        if self._returned or len(self._under_way) >= MAX_BATCHES_UNDER_WAY:
            return None
        taken: list[Publish[W]] = []
        size = 0
        waiting = self._waiting
        while waiting and len(taken) < BATCH_PUBLISHES:
            publish = waiting[0]
            if publish.is_done:
                waiting.popleft()
                continue
            size += publish.size
            if taken and size > BATCH_BYTES:
                size -= publish.size
                break
            waiting.popleft()
            if not publish.number:
                self._last_number += 1
                publish.number = self._last_number
            taken.append(publish)
        if not taken:
            return None
        predecessor = self._under_way[-1].publishes[-1].number if self._under_way else 0
        batch = Batch(taken, predecessor, size)
        self._under_way.append(batch)
        return batch

    def answered(self, results: Sequence[object]) -> None:
        """Settle the oldest batch under way with the outcome of each of its publishes."""
        batch = self._under_way.popleft()
        for publish, result in zip(batch.publishes, results, strict=True):
            self._settle(publish, result)
        self._take_back()

    def failed(self, error: Callable[[Publish[W]], Exception]) -> None:
        """Settle the oldest batch under way, which was refused as a whole this time.

        Args:
            error: Returns the error of a publish. An uncertain one may have been done by an earlier try.

        """
        batch = self._under_way.popleft()
        for publish in batch.publishes:
            self._settle(publish, error(publish))
        self._take_back()

    def returned(self) -> None:
        """Return the oldest batch under way to the queue: nothing of it was done, and it will be sent again in order."""
        self._returned.extend(self._under_way.popleft().publishes)
        self._take_back()

    def link_lost(self) -> None:
        """Return all batches under way to the queue. Their outcome is unknown; the numbers will prevent repetitions."""
        for batch in self._under_way:
            for publish in batch.publishes:
                publish.is_uncertain = True
            self._returned.extend(batch.publishes)
        self._under_way.clear()
        self._take_back()

    def expire(self, now: float, error: Callable[[Publish[W]], Exception]) -> None:
        """Settle the publishes whose deadline has passed. They are not sent again.

        Args:
            now: The time on the clock of the deadlines. Deadlines must not decrease in the order of adding.
            error: Returns the error of a publish. An uncertain one may have been done.

        """
        for batch in self._under_way:
            if not self._expire(batch.publishes, now, error, are_under_way=True):
                return
        if self._expire(self._returned, now, error):
            self._expire(self._waiting, now, error)
            while self._waiting and self._waiting[0].is_done:
                self._waiting.popleft()

    def give_up(self, error: Callable[[Publish[W]], Exception]) -> None:
        """Settle everything, because there will be no further link."""
        self.link_lost()
        for publish in self._waiting:
            if not publish.is_done:
                self._settle(publish, error(publish))
        self._waiting.clear()

    def _expire(
        self,
        publishes: Sequence[Publish[W]] | deque[Publish[W]],
        now: float,
        error: Callable[[Publish[W]], Exception],
        *,
        are_under_way: bool = False,
    ) -> bool:
        """Settle a publish that is due; return False if it is not."""
        for publish in publishes:
            if publish.is_done:
                continue
            if publish.deadline > now:
                return False
            publish.is_uncertain = publish.is_uncertain or are_under_way
            self._settle(publish, error(publish))
        return True

    def _settle(self, publish: Publish[W], result: object) -> None:
        if publish.is_done:
            return
        publish.is_done = True
        self._held -= 1
        self._held_bytes -= publish.size
        self._settled(publish, result)

    def _take_back(self) -> None:
        """Put the returned publishes first again, once nothing is under way. Earlier, their order could be lost."""
        if self._returned and not self._under_way:
            self._waiting.extendleft(reversed(self._returned))
            self._returned.clear()
