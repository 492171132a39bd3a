"""What this node published and has not received yet, and what waits behind it. Pure.

A message that bypasses the log, such as an ack, could overtake a message that this node published before: the primary answers a
publish on one connection and pushes the entry on another. `OwnPublishes` knows the publishes that may still be overtaken, by stream,
and has one queue for each receiver. What is put into a queue waits for the newest publish to any of the receiver's streams, and for
everything that was put into the queue before. A publish is no longer waited for when the cut has reached its position, when it was
refused, or when `give_up` says so.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from roomwire.log.contract import Published
from roomwire.log.positions import Position
from roomwire.log.streams import Stream

R = TypeVar("R", bound=Hashable)
T = TypeVar("T")
Released = Sequence[tuple[R, T]]
"""What may follow now, with its receiver: in order for each receiver."""


class Answer(Protocol):
    """The primary's answer to a publish: a future."""

    def done(self) -> bool:
        """Return whether it is known."""

    def cancelled(self) -> bool:
        """Return whether its caller has stopped to wait for it."""

    def exception(self) -> BaseException | None:
        """Return why the message was not appended."""

    def result(self) -> Published:
        """Return where it was appended."""


class OwnPublish(Generic[R]):
    """A publish of this node.

    Attributes:
        number: Its place among the publishes of this node, which is their order in the log as well.
        stream: The stream that it goes to.
        answer: The primary's answer.
        waiting: The receivers whose queues have something that waits for it.
        is_ended: Whether nothing waits for it any more.

    """

    __slots__ = ("answer", "is_ended", "number", "stream", "waiting")

    def __init__(self, number: int, stream: Stream, answer: Answer) -> None:
        self.number = number
        self.stream = stream
        self.answer = answer
        self.waiting: list[R] | None = None
        self.is_ended = False

    def is_over(self, cut: Position) -> bool:
        """Return whether nothing has to wait for it any more, given the highest received position."""
        answer = self.answer
        if not answer.done():
            return False
        if answer.cancelled() or answer.exception() is not None:
            return True
        position = answer.result().position
        # The position of a repetition may be unknown: then only a mark tells.
        return position is not None and position <= cut


class OwnPublishes(Generic[R, T]):
    """The publishes of this node that may still be overtaken, and the queues of what waits behind them.

    Attributes:
        unseen: Those publishes, oldest first.
        queues: For each receiver, what waits, with the number of the publish that it waits for; the numbers do not decrease.

    """

    def __init__(self) -> None:
        self.unseen: deque[OwnPublish[R]] = deque()
        self.queues: dict[R, deque[tuple[int, T]]] = {}
        self._last: dict[Stream, OwnPublish[R]] = {}
        self._number = 0

    def add(self, stream: Stream, answer: Answer) -> None:
        """Note a publish: hot."""
        self._number += 1
        publish = self._last[stream] = OwnPublish[R](self._number, stream, answer)
        self.unseen.append(publish)

    def newest(self, streams: Iterable[Stream]) -> OwnPublish[R] | None:
        """Return the newest publish to any of some streams that may still be overtaken."""
        last = self._last
        found = [last[stream] for stream in streams if stream in last]
        return max(found, key=lambda publish: publish.number) if found else None

    def wait(self, receiver: R, publish: OwnPublish[R] | None, item: T) -> bool:
        """Let something wait for a publish, and for what waits for its receiver already; return False if it need not wait.

        Args:
            receiver: The receiver.
            publish: The result of `newest` for its streams.
            item: What waits.

        """
        queue = self.queues.get(receiver)
        if publish is None:
            if queue is None:
                return False
            queue.append((queue[-1][0], item))
            return True
        if queue is None:
            queue = self.queues[receiver] = deque()
        elif publish.number <= queue[-1][0]:
            queue.append((queue[-1][0], item))
            return True
        queue.append((publish.number, item))
        if publish.waiting is None:
            publish.waiting = []
        publish.waiting.append(receiver)
        return True

    def receive(self, cut: Position) -> Released[R, T]:
        """Note that everything up to a position was received; return what may follow now: hot."""
        released: list[tuple[R, T]] = []
        unseen = self.unseen
        while unseen and unseen[0].is_over(cut):
            released += self._end(unseen.popleft())
        return released

    def answered(self) -> int:
        """Return the number of the newest publish to which, and to all before it, the primary has answered; 0 if there is none.

        A mark that is asked for now follows them in the log.
        """
        number = 0
        for publish in self.unseen:
            if not publish.answer.done():
                break
            number = publish.number
        return number

    def marked(self, number: int) -> Released[R, T]:
        """Note that a mark behind the publish with a number was reached; return what may follow now."""
        released: list[tuple[R, T]] = []
        while self.unseen and self.unseen[0].number <= number:
            released += self._end(self.unseen.popleft())
        return released

    def give_up(self, publish: OwnPublish[R]) -> Released[R, T]:
        """Stop to wait for a publish; return what may follow now."""
        if publish.is_ended:
            return ()
        self.unseen.remove(publish)
        return self._end(publish)

    def forget(self, receiver: R) -> Sequence[T]:
        """Remove a receiver; return what waited for it."""
        return [item for _, item in self.queues.pop(receiver, ())]

    def clear(self) -> Released[R, T]:
        """Forget all publishes; return everything that waited."""
        released = [(receiver, item) for receiver, queue in self.queues.items() for _, item in queue]
        for publish in self.unseen:
            publish.is_ended = True
        self.unseen.clear()
        self.queues.clear()
        self._last.clear()
        return released

    def _end(self, publish: OwnPublish[R]) -> Released[R, T]:
        publish.is_ended = True
        if self._last.get(publish.stream) is publish:
            del self._last[publish.stream]
        if publish.waiting is None:
            return ()
        released: list[tuple[R, T]] = []
        for receiver in publish.waiting:
            queue = self.queues.get(receiver)
            while queue and queue[0][0] <= publish.number:
                released.append((receiver, queue.popleft()[1]))
            if not queue:
                self.queues.pop(receiver, None)
        return released
