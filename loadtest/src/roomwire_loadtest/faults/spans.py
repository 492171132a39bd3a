"""When each receiver was whole in each room: the spans of a journal, and the messages that were invoked.

A span begins with the answer to a join and continues over every recovered reconnection. It ends when the client is
told that it is not whole (`recovered` false, closed by the server permanently) or leaves by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from roomwire_loadtest.faults.journal import Entry

# After these reasons the official client does not reconnect by itself, so it knows that it is not whole.
_FINAL_REASONS = ("io server disconnect",)
_OWN_REASON = "io client disconnect"


@dataclass
class Message:
    """A message as its publisher knows it.

    Attributes:
        invoked_ms: The time of the first send.
        acked_ms: The time of the acknowledgement; None without one.

    """

    room: str
    publisher: str
    invoked_ms: float
    acked_ms: float | None = None


@dataclass
class Span:
    """A period in which a receiver believes that it gets all of a room; `closed` if the client ended it by itself."""

    joined_ms: float
    ended_ms: float | None = None
    got: list[Entry] = field(default_factory=list)
    closed: bool = False


@dataclass
class Receiver:
    """One client in one room, over all its connections."""

    client: str
    room: str
    spans: list[Span] = field(default_factory=list)
    got: list[Entry] = field(default_factory=list)
    stray: list[Entry] = field(default_factory=list)
    asked: bool = False
    away: bool = False

    @property
    def open_span(self) -> Span | None:
        """The span that has not ended."""
        return self.spans[-1] if self.spans and self.spans[-1].ended_ms is None else None


@dataclass
class Story:
    """A journal, arranged by message and by receiver."""

    messages: dict[str, Message] = field(default_factory=dict)
    receivers: dict[tuple[str, str], Receiver] = field(default_factory=dict)
    recovered: int = 0
    not_recovered: int = 0
    refused_connections: int = 0
    failures: int = 0
    unknown: int = 0
    absent: set[str] = field(default_factory=set)


class _Reader:
    def __init__(self) -> None:
        self.story = Story()
        self._left_ms: dict[str, float] = {}
        self._known: set[str] = set()
        self._of_client: dict[str, list[Receiver]] = {}

    def read(self, entry: Entry) -> None:
        handler = getattr(self, f"_{entry.kind}", None)
        if handler is not None:
            handler(entry)

    def _connect(self, entry: Entry) -> None:
        away_ms = self._left_ms.pop(entry.client, entry.at_ms)
        self.story.absent.discard(entry.client)
        if entry.client not in self._known:
            self._known.add(entry.client)
        elif entry.recovered:
            self.story.recovered += 1
        else:
            self.story.not_recovered += 1
            self._end(entry.client, away_ms)

    def _disconnect(self, entry: Entry) -> None:
        if entry.detail == _OWN_REASON:
            return
        self._left_ms[entry.client] = entry.at_ms
        self.story.absent.add(entry.client)
        if entry.detail in _FINAL_REASONS:
            self._end(entry.client, entry.at_ms)

    def _closed(self, entry: Entry) -> None:
        self._left_ms.pop(entry.client, None)
        for receiver in self._of_client.get(entry.client, []):
            if span := receiver.open_span:
                span.closed = True
        self._end(entry.client, entry.at_ms)
        self.story.absent.discard(entry.client)
        self._known.discard(entry.client)

    def _refused(self, _: Entry) -> None:
        self.story.refused_connections += 1

    def _join(self, entry: Entry) -> None:
        self._receiver(entry).asked = True

    def _joined(self, entry: Entry) -> None:
        receiver = self._receiver(entry)
        if receiver.open_span is None:
            receiver.spans.append(Span(joined_ms=entry.at_ms))

    def _left(self, entry: Entry) -> None:
        if span := self._receiver(entry).open_span:
            span.ended_ms = entry.at_ms

    def _got(self, entry: Entry) -> None:
        receiver = self._receiver(entry)
        receiver.got.append(entry)
        if not receiver.asked:
            receiver.stray.append(entry)
        if span := receiver.open_span:
            span.got.append(entry)

    def _invoked(self, entry: Entry) -> None:
        self.story.messages.setdefault(entry.id, Message(entry.room, entry.client, entry.at_ms))

    def _acked(self, entry: Entry) -> None:
        message = self.story.messages.get(entry.id)
        if message is not None and message.acked_ms is None:
            message.acked_ms = entry.at_ms

    def _failed(self, _: Entry) -> None:
        self.story.failures += 1

    def _unknown(self, _: Entry) -> None:
        self.story.unknown += 1

    def _receiver(self, entry: Entry) -> Receiver:
        key = (entry.client, entry.room)
        receiver = self.story.receivers.get(key)
        if receiver is None:
            receiver = self.story.receivers[key] = Receiver(entry.client, entry.room)
            self._of_client.setdefault(entry.client, []).append(receiver)
        return receiver

    def _end(self, client: str, at_ms: float) -> None:
        for receiver in self._of_client.get(client, []):
            if span := receiver.open_span:
                span.ended_ms = at_ms

    def finish(self) -> Story:
        for client, at_ms in self._left_ms.items():
            for receiver in self._of_client.get(client, []):
                receiver.away = True
                if span := receiver.open_span:
                    span.ended_ms = at_ms
        return self.story


def tell(entries: Iterable[Entry]) -> Story:
    """Read a journal. Entries of one client must be in order; those of different clients may be interleaved in any way.

    A publisher and a receiver may be in different files, so messages are read first.
    """
    reader = _Reader()
    for entry in entries:
        reader.read(entry)
    return reader.finish()
