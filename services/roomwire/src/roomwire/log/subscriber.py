"""What one gateway has taken from the log, and gives its observer. Knows no socket and no clock.

Owns the cut, the counted subscriptions, and which sessions are held here. While the log is held, pushes wait in a
bounded queue; `resume` gives the observer what was missed, then those that waited, each entry once.
"""

from collections import deque
from collections.abc import Callable, Iterable

from roomwire.log.contract import LogObserver
from roomwire.log.entries import Entry, Push, UnreadableEntry, decode_message
from roomwire.log.positions import START, Epoch, Offset, Position
from roomwire.log.sessions import Sid, Tenure
from roomwire.log.streams import Stream, is_sid_stream, parse_stream, sid_stream
from roomwire.logs import get_logger

_log = get_logger(__name__)


class Interrupted(Exception):
    """The log cannot go on over this link. The text says why; it is the metric's and the log line's reason."""


class Subscriber:
    """Receives pushes and places, and calls the observer.

    Args:
        observer: Is told what the log brings.
        max_held_pushes: Most pushes that wait while the log is held.
        max_held_bytes: Most bytes of them.

    Attributes:
        epoch: The epoch in which this gateway takes part; empty until it attached.
        cut: The highest position taken from the log.
        known: The highest position known in any way, acknowledgements of publishes included.
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
        self._waiting: deque[Push] = deque()
        self._subscriptions: dict[Stream, int] = {}
        self._sessions: dict[Sid, int] = {}

    @property
    def offset(self) -> Offset:
        """Epoch and cut."""
        return Offset(self.epoch, self.cut)

    @property
    def lag(self) -> int:
        """How far what has been taken is behind what is known to be there."""
        return self.known - self.cut

    # -- what is subscribed and held

    def subscribe(self, stream: Stream) -> bool:
        """Count a subscription; returns whether it is the first."""
        count = self._subscriptions.get(stream, 0)
        self._subscriptions[stream] = count + 1
        return count == 0

    def unsubscribe(self, stream: Stream) -> bool:
        """Take one back; returns whether it was the last."""
        count = self._subscriptions.get(stream, 0)
        if count > 1:
            self._subscriptions[stream] = count - 1
            return False
        return self._subscriptions.pop(stream, None) is not None

    def is_subscribed(self, stream: Stream) -> bool:
        """Tell whether a stream is delivered."""
        if is_sid_stream(stream):
            return parse_stream(stream).sid in self._sessions
        return stream in self._subscriptions

    def subscriptions(self) -> list[Stream]:
        """Return what needs a subscription of the primary's."""
        return list(self._subscriptions)

    def served(self) -> list[Stream]:
        """Return every stream that is delivered: the subscribed ones, and those of the sockets."""
        return [*self._subscriptions, *(sid_stream(sid) for sid in self._sessions)]

    def hold(self, tenure: Tenure) -> None:
        """Note that a session is held here; an older socket of it on this node is fenced at once."""
        held = self._sessions.get(tenure.sid)
        self._sessions[tenure.sid] = tenure.claim
        if held is not None and held < tenure.claim:
            self._tell_fenced(Tenure(tenure.sid, held))

    def release(self, tenure: Tenure) -> None:
        """Forget a session, if this is its newest socket here."""
        if self.holds(tenure):
            del self._sessions[tenure.sid]

    def holds(self, tenure: Tenure) -> bool:
        """Tell whether a socket of this node speaks for a session, as far as is known."""
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

    # -- what comes

    def receive(self, push: Push) -> None:
        """Receive an entry as it comes.

        Raises:
            Interrupted: It is of another epoch, or too many wait.

        """
        if not self.is_held:
            self._receive_live(push)
            return
        self._waiting_bytes += len(push.blob)
        if len(self._waiting) >= self._max_held_pushes or self._waiting_bytes > self._max_held_bytes:
            raise Interrupted("too many pushes while held")
        self._waiting.append(push)

    def receive_entry(self, entry: Entry) -> None:
        """Receive an entry that is decoded, of this epoch, live, and of a stream that is delivered: hot."""
        self.advance(entry.position)
        self._give(entry)

    def advance(self, position: Position) -> None:
        """Note a place that was reached: everything before it has been taken."""
        self.cut = max(self.cut, position)
        self.learn(position)

    def learn(self, position: Position) -> None:
        """Note a position that exists: hot."""
        if position > self.known:  # noqa: PLR1730 - a call to max() costs more
            self.known = position

    # -- the link

    def pause(self) -> None:
        """Hold the log: the link is lost, and what waits belongs to it."""
        self._waiting.clear()
        self._waiting_bytes = 0
        if not self.is_held:
            self.is_held = True
            self._tell(lambda observer: observer.on_held())

    def attached(self, epoch: Epoch, *, is_whole: bool) -> None:
        """Note what the primary said: the epoch, and whether all that this gateway knows is in the log."""
        if not is_whole:
            self.cut = self.known = START
            self._sessions.clear()
            self._tell(lambda observer: observer.on_loss())
        self.epoch = epoch
        self._written_epoch = epoch.encode()

    def resume(self, missed: Iterable[Entry], mark: Position) -> None:
        """Deliver what was missed up to a mark, then what waited, and go on live.

        Raises:
            Interrupted: Another epoch has begun meanwhile.

        """
        for entry in missed:
            if entry.position > self.cut:
                self.advance(entry.position)
                self._deliver(entry)
        self.advance(mark)
        while self._waiting:
            self._receive_live(self._waiting.popleft())
        self._waiting_bytes = 0
        self.is_held = False
        self._tell(lambda observer: observer.on_live())

    def _receive_live(self, push: Push) -> None:
        """Receive an entry in its place: hot."""
        if push.epoch != self._written_epoch:
            raise Interrupted("a push of another epoch")
        position = push.position
        if position <= self.cut:
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
        """Tell which streams cannot be told in full."""
        for stream in streams:
            self._tell_incomplete(stream)

    def _tell_incomplete(self, stream: Stream) -> None:
        self._tell(lambda observer: observer.on_incomplete(stream))

    def _tell_fenced(self, tenure: Tenure) -> None:
        self._tell(lambda observer: observer.on_fenced(tenure))

    def _tell(self, tell: Callable[[LogObserver], None]) -> None:
        """Tell the observer; a failure of its own must not keep the log from going on."""
        try:
            tell(self._observer)
        except Exception:
            _log.exception("listener failed")
