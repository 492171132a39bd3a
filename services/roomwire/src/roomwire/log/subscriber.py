"""The state of what one gateway has received from the log and delivers to its observer. It knows no socket and no clock.

Owns the cut, the counted subscriptions, and which sessions are held here. While the log is held, pushes wait in a
bounded queue (volatile messages do not); `resume` gives the observer what was missed, then those that waited, each entry once.
"""

from collections import deque
from collections.abc import Callable, Iterable

from roomwire.log.contract import LogObserver
from roomwire.log.entries import VOLATILE, Entry, Message, Push, UnreadableEntry, decode_message
from roomwire.log.positions import START, Epoch, Offset, Position
from roomwire.log.sessions import Sid, Tenure
from roomwire.log.streams import Stream, is_sid_stream, parse_stream, sid_stream
from roomwire.logs import get_logger

_log = get_logger(__name__)


class Interrupted(Exception):
    """The log cannot continue on this link. The text is the reason in the metric and the log line."""


class Subscriber:
    """Receives pushes and positions, and calls the observer.

    Args:
        observer: Receives what the log delivers.
        max_held_pushes: Maximum number of pushes that wait while the log is held.
        max_held_bytes: Maximum total size of those pushes.

    Attributes:
        epoch: The epoch in which this gateway takes part. Empty before it has attached.
        cut: The highest position received from the log.
        known: The highest position known in any way, including acknowledged publishes.
        is_held: Whether pushes wait.

    """

    def __init__(self, observer: LogObserver, *, max_held_pushes: int, max_held_bytes: int) -> None:
        self.epoch = Epoch("")
        self._written_epoch = b""
        self.cut = START
        self.known = START
        self.is_held = True
        self._observer = observer
        self._max_held_pushes = max_held_pushes
        self._max_held_bytes = max_held_bytes
        self._waiting_bytes = 0
        self._waiting: deque[Push | Callable[[], None]] = deque()
        self._subscriptions: dict[Stream, int] = {}
        self._sessions: dict[Sid, int] = {}

    @property
    def offset(self) -> Offset:
        """Epoch and cut."""
        return Offset(self.epoch, self.cut)

    @property
    def lag(self) -> int:
        """The distance between the received and the known positions."""
        return self.known - self.cut

    # -- subscriptions and held sessions

    def subscribe(self, stream: Stream) -> bool:
        """Count a subscription; return whether it is the first."""
        count = self._subscriptions.get(stream, 0)
        self._subscriptions[stream] = count + 1
        return count == 0

    def unsubscribe(self, stream: Stream) -> bool:
        """Remove a subscription; return whether it was the last."""
        count = self._subscriptions.get(stream, 0)
        if count > 1:
            self._subscriptions[stream] = count - 1
            return False
        return self._subscriptions.pop(stream, None) is not None

    def is_subscribed(self, stream: Stream) -> bool:
        """Return whether a stream is delivered."""
        if is_sid_stream(stream):
            return parse_stream(stream).sid in self._sessions
        return stream in self._subscriptions

    def subscriptions(self) -> list[Stream]:
        """Return the streams that need a subscription at the primary."""
        return list(self._subscriptions)

    def served(self) -> list[Stream]:
        """Return every delivered stream: the subscribed ones and those of the sockets."""
        return [*self._subscriptions, *(sid_stream(sid) for sid in self._sessions)]

    def hold(self, tenure: Tenure) -> None:
        """Note that a session is held here; an older socket of it on this node is fenced at once."""
        held = self._sessions.get(tenure.sid)
        self._sessions[tenure.sid] = tenure.claim
        if held is not None and held < tenure.claim:
            self._tell_fenced(Tenure(tenure.sid, held))

    def release(self, tenure: Tenure) -> None:
        """Remove a session, if this is its newest socket here."""
        if self.holds(tenure):
            del self._sessions[tenure.sid]

    def holds(self, tenure: Tenure) -> bool:
        """Return whether a socket of this node holds a session, as far as this node knows."""
        return self._sessions.get(tenure.sid) == tenure.claim

    def held(self) -> list[Tenure]:
        """Return the sessions that are held here."""
        return [Tenure(sid, claim) for sid, claim in self._sessions.items()]

    def fence(self, sid: Sid, newer_claim: int) -> None:
        """Drop the socket of a session unless it has this claim or a newer one."""
        held = self._sessions.get(sid)
        if held is not None and held < newer_claim:
            del self._sessions[sid]
            self._tell_fenced(Tenure(sid, held))

    # -- incoming entries and positions

    def receive(self, push: Push) -> None:
        """Receive a pushed entry.

        Raises:
            Interrupted: The entry belongs to another epoch, or too many entries wait.

        """
        if not self.is_held:
            self._receive_live(push)
            return
        if push.position == VOLATILE:
            return
        self._wait(push, len(push.blob))

    def act_in_order(self, act: Callable[[], None], *, size: int) -> None:
        """Act now or, while the log is held, at the place among the waiting pushes; never if the link is lost before.

        Raises:
            Interrupted: Too many pushes wait.

        """
        if self.is_held:
            self._wait(act, size)
        else:
            act()

    def _wait(self, one: Push | Callable[[], None], size: int) -> None:
        self._waiting_bytes += size
        if len(self._waiting) >= self._max_held_pushes or self._waiting_bytes > self._max_held_bytes:
            raise Interrupted("too many pushes while held")
        self._waiting.append(one)

    def receive_entry(self, entry: Entry) -> None:
        """Receive a decoded, live entry of this epoch and of a delivered stream: hot."""
        self.advance(entry.position)
        self._give(entry)

    def advance(self, position: Position) -> None:
        """Note a position that was reached, up to which everything has been received."""
        self.cut = max(self.cut, position)
        self.learn(position)

    def learn(self, position: Position) -> None:
        """Note a position that exists: hot."""
        if position > self.known:  # noqa: PLR1730 - a call to max() costs more
            self.known = position

    # -- the link

    def pause(self) -> None:
        """Hold the log, because the link is lost; waiting pushes belong to the lost link."""
        self._waiting.clear()
        self._waiting_bytes = 0
        if not self.is_held:
            self.is_held = True
            self._tell(lambda observer: observer.on_held())

    def attached(self, epoch: Epoch, *, is_whole: bool) -> None:
        """Note the primary's report: the epoch, and whether the log has everything that this gateway knows."""
        if not is_whole:
            self.cut = self.known = START
            self._sessions.clear()
            self._tell(lambda observer: observer.on_loss())
        self.epoch = epoch
        self._written_epoch = epoch.encode()

    def resume(self, missed: Iterable[Entry], mark: Position) -> None:
        """Deliver the missed entries up to a mark, then the waiting ones, and continue live.

        Raises:
            Interrupted: Another epoch has begun.

        """
        for entry in missed:
            if entry.position > self.cut:
                self.advance(entry.position)
                self._deliver(entry)
        self.advance(mark)
        while self._waiting:
            waiting = self._waiting.popleft()
            if isinstance(waiting, Push):
                self._receive_live(waiting)
            else:
                waiting()
        self._waiting_bytes = 0
        self.is_held = False
        self._tell(lambda observer: observer.on_live())

    def _receive_live(self, push: Push) -> None:
        """Receive the next entry in order: hot."""
        if push.epoch != self._written_epoch:
            raise Interrupted("a push of another epoch")
        position = push.position
        if position <= self.cut:
            if position == VOLATILE:
                self._receive_volatile(push)
            return
        self.cut = position
        self.learn(position)
        try:
            message = decode_message(push.blob)
        except UnreadableEntry as error:
            _log.warning("unreadable entry", error=str(error))
            self._tell_incomplete(push.stream)
            return
        self._deliver(Entry(push.stream, position, message))

    def _receive_volatile(self, push: Push) -> None:
        try:
            message = decode_message(push.blob)
        except UnreadableEntry as error:
            _log.debug("unreadable volatile message", error=str(error))
            return
        self.receive_volatile(push.stream, message)

    def receive_volatile(self, stream: Stream, message: Message) -> None:
        """Receive a decoded message that is not in the log. While the log is held it is dropped."""
        if not self.is_held and self.is_subscribed(stream):
            self._tell(lambda observer: observer.on_volatile(stream, message))

    def _deliver(self, entry: Entry) -> None:
        if entry.stream in self._subscriptions or self.is_subscribed(entry.stream):
            self._give(entry)

    def _give(self, entry: Entry) -> None:
        try:
            self._observer.on_entry(entry)
        except Exception:
            _log.exception("listener failed on an entry")
            self._tell_incomplete(entry.stream)

    def incomplete(self, streams: Iterable[Stream]) -> None:
        """Report the streams that cannot be delivered completely."""
        for stream in streams:
            self._tell_incomplete(stream)

    def _tell_incomplete(self, stream: Stream) -> None:
        self._tell(lambda observer: observer.on_incomplete(stream))

    def _tell_fenced(self, tenure: Tenure) -> None:
        self._tell(lambda observer: observer.on_fenced(tenure))

    def _tell(self, tell: Callable[[LogObserver], None]) -> None:
        """Call the observer. Its failure must not stop the log."""
        try:
            tell(self._observer)
        except Exception:
            _log.exception("listener failed")
