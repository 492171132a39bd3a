"""The Redis process: it carries out commands one by one, pushes, dies, and has a replica that lags.

On one connection, replies and pushes leave in the order of execution. It keeps the truth of what was appended, for
the record: which messages the deployment's log has, since which step, and which it lost.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from model.log import APPENDED, WRITES, Excuses, Limits, Log
from model.record import Message

LAG_COMMANDS = 10


class Primary:
    """A running Redis. `run` names this incarnation; `is_replicated` says whether a replica follows.

    A primary that was deposed goes on serving those who are still connected to it: what they append is lost.
    """

    def __init__(
        self, run: int, log: Log, messages: list[Message], tell: Callable[[str], None], *, is_replicated: bool
    ) -> None:
        self.run = run
        self.log = log
        self.messages = messages
        self.tell = tell
        self.links: dict[Any, None] = {}
        self.subscribers: dict[str, dict[Any, None]] = {}
        self.paused_until = 0
        self.is_deposed = False
        self._lagging: deque[tuple[Callable[..., Any], tuple[Any, ...]]] | None = (
            deque() if is_replicated else None
        )
        self._replica = log.copy() if is_replicated else log

    def execute(self, link: Any, name: str, arguments: tuple[Any, ...], now: int, stamp: int) -> Any:
        """Carry out one command; return its reply."""
        if name == "subscribe":
            self.subscribers.setdefault(arguments[0], {})[link] = None
            return None
        if name == "unsubscribe":
            self.subscribers.get(arguments[0], {}).pop(link, None)
            return None
        if name in {"attach", "publish", "open", "join"}:
            arguments += (stamp,)
        script = getattr(self.log, name)
        if name in WRITES and self._lagging is not None:
            self._lagging.append((getattr(self._replica, name), (now, *arguments)))
            if len(self._lagging) > LAG_COMMANDS:
                self._replicate(1)
        reply = script(self.push, now, *arguments)
        if name == "publish" and reply[0] is APPENDED:
            self._note_append(self.messages[arguments[3]], stamp)
        return reply

    def _note_append(self, message: Message, stamp: int) -> None:
        """What a deposed primary appends is lost; unless the deployment's own log has it already."""
        if self.is_deposed and message.stamp and not message.lost_at:
            return
        message.stamp = stamp
        message.lost_at = stamp if self.is_deposed else 0

    def push(self, channel: str, item: Any) -> None:
        """Send to everybody who subscribed to a channel."""
        for link in self.subscribers.get(channel, ()):
            link.push(item)

    def connect(self, link: Any) -> None:
        """Accept a connection."""
        self.links[link] = None

    def forget(self, link: Any) -> None:
        """Stop pushing to a connection that is gone."""
        self.links.pop(link, None)
        for links in self.subscribers.values():
            links.pop(link, None)

    def restart(self, run: int) -> None:
        """Come back with everything that was written (an append-only file)."""
        self.run = run
        self.subscribers.clear()

    def restart_empty(self, run: int) -> None:
        """Come back with nothing."""
        self.log = Log(self.log.limits, self.log.bugs, self.log.excuses)
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
            script, arguments = self._lagging.popleft()
            script(_nobody, *arguments)

    def _note_losses(self, log: Log) -> None:
        for message in self.messages:
            if message.stamp and not message.lost_at and message.number not in log.appended:
                message.lost_at = message.stamp
                self.tell(f"   message {message.number} is lost")


def _nobody(channel: str, item: Any) -> None:
    """Push to nobody: a replica has no subscribers of ours."""


def new_primary(
    limits: Limits, bugs: frozenset[str], excuses: Excuses, run: int, messages: list[Message], tell: Callable[[str], None],
    *, is_replicated: bool,
) -> Primary:  # fmt: skip
    """Return an empty primary."""
    return Primary(run, Log(limits, bugs, excuses), messages, tell, is_replicated=is_replicated)
