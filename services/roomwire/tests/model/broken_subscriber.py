"""Production's subscriber, and subscribers that each leave out one rule of it."""

from collections.abc import Iterable

import msgspec

from model.log import Limits
from roomwire.log.contract import LogObserver
from roomwire.log.entries import Entry, Push
from roomwire.log.positions import Epoch, Position
from roomwire.log.sessions import Tenure
from roomwire.log.streams import Stream
from roomwire.log.subscriber import Subscriber


class NotHeld(Subscriber):
    """While a gateway catches up, live messages are delivered."""

    def receive(self, push: Push) -> None:
        self._receive_live(push)


class HeldPushesDropped(Subscriber):
    """What came while a gateway caught up is not delivered."""

    def resume(self, missed: Iterable[Entry], mark: Position) -> None:
        self._waiting.clear()
        super().resume(missed, mark)


class DeliveredAgain(Subscriber):
    """A push is delivered whether it was read before or not."""

    def _receive_live(self, push: Push) -> None:
        cut, self.cut = self.cut, min(self.cut, Position(push.position - 1))
        super()._receive_live(push)
        self.cut = max(self.cut, cut)


class MissedUnordered(Subscriber):
    """What was missed is delivered behind what came meanwhile."""

    def resume(self, missed: Iterable[Entry], mark: Position) -> None:
        missed = [entry for entry in missed if entry.position > self.cut]
        super().resume((), mark)
        for entry in missed:
            self._deliver(entry)


class PushOfAnyEpoch(Subscriber):
    """A push is delivered whatever epoch it is of."""

    def _receive_live(self, push: Push) -> None:
        super()._receive_live(msgspec.structs.replace(push, epoch=self._written_epoch))


class SubscriptionsNotCounted(Subscriber):
    """The first who leaves a room ends its subscription for all."""

    def unsubscribe(self, stream: Stream) -> bool:
        self._subscriptions[stream] = 1
        return super().unsubscribe(stream)


class OldSocketLingers(Subscriber):
    """A claim does not drop an older socket on the claiming gateway."""

    def hold(self, tenure: Tenure) -> None:
        self._sessions[tenure.sid] = tenure.claim


class LossKeptQuiet(Subscriber):
    """A loss that the log proves is not told to the observer."""

    def attached(self, epoch: Epoch, *, is_whole: bool) -> None:
        super().attached(epoch, is_whole=True)


class KnownForgotten(Subscriber):
    """What is known from acknowledgements is not."""

    def learn(self, position: Position) -> None:
        self.known = self.cut


BROKEN: dict[str, type[Subscriber]] = {
    "log_not_held": NotHeld,
    "held_pushes_dropped": HeldPushesDropped,
    "delivered_again": DeliveredAgain,
    "missed_unordered": MissedUnordered,
    "epoch_by_counter": PushOfAnyEpoch,
    "any_epoch_writes": PushOfAnyEpoch,
    "subscriptions_not_counted": SubscriptionsNotCounted,
    "old_socket_lingers": OldSocketLingers,
    "loss_not_told": LossKeptQuiet,
    "acknowledged_forgotten": KnownForgotten,
}


def subscriber(observer: LogObserver, bugs: frozenset[str], limits: Limits) -> Subscriber:
    """Return a subscriber that keeps every rule but those that are left out."""
    kind = next((BROKEN[bug] for bug in bugs if bug in BROKEN), Subscriber)
    return kind(observer, max_held_pushes=limits.held_pushes, max_held_bytes=1 << 24)
