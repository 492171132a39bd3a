"""The Redis process: it carries out commands one by one, pushes, dies, and has a replica that lags.

On one connection, replies and pushes leave in the order of execution. It keeps the truth of what was appended, for
the record: which messages the deployment's log has, since which step, and which it lost.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from model.log import NO_SCRIPT, WRITES, Excuses, Limits, Log, Said
from model.record import Message
from roomwire.log import entries
from roomwire.log.entries import VOLATILE, Entry, Push, encode_message
from roomwire.log.sessions import NodeId, Sid
from roomwire.log.streams import Stream, is_sid_stream

LAG_COMMANDS = 10


class Listening:
    """A gateway's log connection, as the log sees it; production's `roomwire.log.memory.primary.Node`."""

    def __init__(self, primary: "Primary", link: Any) -> None:
        self._primary = primary
        self._link = link
        self.streams: set[Stream] = set()
        self._tells_owner = "owner_not_told" not in primary.log.bugs

    def is_subscribed(self, stream: Stream) -> bool:
        """Tell whether it wants a stream; what is said to a socket goes to the node that holds it."""
        return stream in self.streams or is_sid_stream(stream)

    def deliver(self, entry: Entry) -> None:
        """Push an entry, as it is written on a channel."""
        epoch = self._primary.log.epoch.encode()
        self._link.push(Push(epoch, entry.position, entry.stream, encode_message(entry.message)))

    def deliver_volatile(self, stream: Stream, message: entries.Message) -> None:
        """Push a message that is not appended, as it is written on a channel."""
        if self.is_subscribed(stream):
            epoch = self._primary.log.epoch.encode()
            self._link.push(Push(epoch, VOLATILE, stream, encode_message(message)))

    def fence(self, sid: Sid, newer_claim: int) -> None:
        """Push that a session was claimed elsewhere."""
        if self._tells_owner:
            self._link.push((sid, newer_claim))


class Primary:
    """A running Redis. `run` names this incarnation; `is_replicated` says whether a replica follows.

    A primary that was deposed goes on serving those who are still connected to it: what they append is lost.
    `has_script` says whether it knows the script that publishes; the others it is told with each connection.
    """

    def __init__(
        self, run: int, log: Log, messages: list[Message], tell: Callable[[str], None], *, is_replicated: bool
    ) -> None:
        self.run = run
        self.log = log
        self.messages = messages
        self.tell = tell
        self.links: dict[Any, None] = {}
        self.listening: dict[Any, tuple[NodeId, Listening]] = {}
        self.paused_until = 0
        self.is_deposed = False
        self.has_script = True
        self._lagging: deque[tuple[str, tuple[Any, ...], int, int]] | None = (
            deque() if is_replicated else None
        )
        self._replica = log.copy() if is_replicated else log

    def execute(self, link: Any, name: str, arguments: tuple[Any, ...], now: int, stamp: int) -> Any:
        """Carry out one command; return its reply."""
        if name in {"listen", "subscribe", "unsubscribe"}:
            # Of a connection that is gone it has no effect, though it may be carried out.
            if link in self.links:
                self._subscribe(link, name, arguments)
        elif name == "load":
            self.has_script = True
        elif name == "publish" and not self.has_script:
            return NO_SCRIPT
        else:
            return self._run_script(name, arguments, now, stamp)
        return None

    def _run_script(self, name: str, arguments: tuple[Any, ...], now: int, stamp: int) -> Any:
        if name in WRITES and self._lagging is not None:
            self._lagging.append((name, arguments, now, stamp))
            if len(self._lagging) > LAG_COMMANDS:
                self._replicate(1)
        reply = self.log.execute(name, arguments, now, stamp)
        if name == "publish" and isinstance(reply, list):
            batch: list[Said] = arguments[-1]
            for place, (said, result) in enumerate(zip(batch, reply, strict=True)):
                if result is not None and result > 0:
                    self._note_append(self.messages[said.message], stamp + place)
        return reply

    def _subscribe(self, link: Any, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "listen":
            listening = Listening(self, link)
            self.listening[link] = arguments[0], listening
            self.log.kept.nodes[arguments[0]] = listening
        elif name == "subscribe":
            self.listening[link][1].streams.update(arguments)
        else:
            self.listening[link][1].streams.difference_update(arguments)

    def _note_append(self, message: Message, stamp: int) -> None:
        """What a deposed primary appends is lost; unless the deployment's own log has it already."""
        if self.is_deposed and message.stamp and not message.lost_at:
            return
        message.stamp = stamp
        message.lost_at = stamp if self.is_deposed else 0

    def connect(self, link: Any) -> None:
        """Accept a connection, whose first word is which scripts there are."""
        self.links[link] = None
        self.has_script = True

    def forget(self, link: Any) -> None:
        """Stop pushing to a connection that is gone."""
        self.links.pop(link, None)
        node, listening = self.listening.pop(link, ("", None))
        nodes = self.log.kept.nodes
        if listening is not None and nodes.get(NodeId(node)) is listening:
            del nodes[NodeId(node)]

    def restart(self, run: int) -> None:
        """Come back with everything that was written (an append-only file)."""
        self.run = run
        self.listening.clear()
        self.log.kept.nodes.clear()

    def restart_empty(self, run: int) -> None:
        """Come back with nothing."""
        self.log = Log(self.log.config, self.log.limits, self.log.bugs, self.log.excuses)
        self._start_replica()
        self.restart(run)
        self._note_losses(self.log)

    def promote(self, run: int, lag: int) -> "Primary":
        """Return the replica as the new primary, `lag` commands behind this one, which is deposed."""
        assert self._lagging is not None
        self._replicate(max(0, len(self._lagging) - lag))
        log = self._replica
        self._lagging = None
        self.is_deposed = True
        self._note_losses(log)
        return Primary(run, log, self.messages, self.tell, is_replicated=True)

    def _start_replica(self) -> None:
        if self._lagging is not None:
            self._lagging = deque()
            self._replica = self.log.copy()

    def _replicate(self, commands: int) -> None:
        assert self._lagging is not None
        for _ in range(commands):
            self._replica.execute(*self._lagging.popleft())

    def _note_losses(self, log: Log) -> None:
        for message in self.messages:
            if message.stamp and not message.lost_at and message.number not in log.appended:
                message.lost_at = message.stamp
                self.tell(f"   message {message.number} is lost")


def new_primary(
    limits: Limits, bugs: frozenset[str], excuses: Excuses, run: int, messages: list[Message], tell: Callable[[str], None],
    *, is_replicated: bool,
) -> Primary:  # fmt: skip
    """Return an empty primary."""
    log = Log(limits.config(bugs), limits, bugs, excuses)
    return Primary(run, log, messages, tell, is_replicated=is_replicated)
