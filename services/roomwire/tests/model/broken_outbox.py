"""Production's outbox, and outboxes that each leave out one rule of it."""

from collections.abc import Callable
from typing import Any

from roomwire.log.outbox import Batch, Outbox, Publish


class NewestFirst(Outbox[Any]):
    """What was not answered is sent again in reverse."""

    def link_lost(self) -> None:
        self._under_way.reverse()
        for batch in self._under_way:
            batch.publishes = list(reversed(batch.publishes))
        super().link_lost()


class NumberedAnew(Outbox[Any]):
    """What is sent again gets another number."""

    def link_lost(self) -> None:
        super().link_lost()
        for publish in self._waiting:
            publish.number = 0


class BehindTheOthers(Outbox[Any]):
    """What is sent again goes behind what was published meanwhile."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._late: list[Publish[Any]] = []

    def _take_back(self) -> None:
        if not self._under_way:
            self._late.extend(self._returned)
            self._returned.clear()

    def next_batch(self) -> Batch[Any] | None:
        self._waiting.extend(self._late)
        self._late.clear()
        return super().next_batch()


class Unchained(Outbox[Any]):
    """A batch does not name the one before it."""

    def next_batch(self) -> Batch[Any] | None:
        batch = super().next_batch()
        if batch is not None:
            batch.predecessor = 0
        return batch


class ReturnedTooSoon(Outbox[Any]):
    """A batch that was refused goes out again while others are under way."""

    def _take_back(self) -> None:
        self._waiting.extendleft(reversed(self._returned))
        self._returned.clear()


class SettledWhenSent(Outbox[Any]):
    """A publish counts as appended when it is sent."""

    def next_batch(self) -> Batch[Any] | None:
        batch = super().next_batch()
        for publish in batch.publishes if batch else ():
            self._settle(publish, 0)
        return batch


class DroppedWithTheLink(Outbox[Any]):
    """What was under way on a link that was lost is not sent again: it was sent, after all."""

    def link_lost(self) -> None:
        for batch in self._under_way:
            for publish in batch.publishes:
                self._settle(publish, 0)
        self._under_way.clear()
        self._returned.clear()


class SentAfterItsTime(Outbox[Any]):
    """What was given up is sent all the same."""

    def expire(self, now: float, error: Callable[[Publish[Any]], Exception]) -> None:
        for publish in self._waiting:
            if publish.deadline <= now:
                self._settled(publish, error(publish))


class Certain(Outbox[Any]):
    """Of what was given up it is said that it was not done, though it may have been."""

    def expire(self, now: float, error: Callable[[Publish[Any]], Exception]) -> None:
        def certain(publish: Publish[Any]) -> Exception:
            publish.is_uncertain = False
            return error(publish)

        super().expire(now, certain)


BROKEN: dict[str, type[Outbox[Any]]] = {
    "resent_newest_first": NewestFirst,
    "numbered_anew": NumberedAnew,
    "resent_behind_the_others": BehindTheOthers,
    "batches_not_chained": Unchained,
    "returned_too_soon": ReturnedTooSoon,
    "settled_when_sent": SettledWhenSent,
    "dropped_with_the_link": DroppedWithTheLink,
    "sent_after_its_time": SentAfterItsTime,
    "outcome_guessed": Certain,
}


def outbox(bugs: frozenset[str], settled: Callable[[Publish[Any], object], None]) -> Outbox[Any]:
    """Return an outbox that keeps every rule but those that are left out."""
    kind: type[Outbox[Any]] = next((BROKEN[bug] for bug in bugs if bug in BROKEN), Outbox)
    return kind(max_publishes=10_000, max_bytes=1 << 24, settled=settled)
