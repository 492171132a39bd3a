"""The log: what Redis keeps, and the scripts that read and change it.

Each script runs whole or not at all, and depends on nothing but its arguments and the data: a replica that repeats
the scripts in their order has the same data. Streams and sessions are `kept.Kept`, which is production's; here is what only a
primary has that outlives its gateways: epochs, numbers of publishes, sessions that are confirmed in an epoch.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from model.kept import BROKEN, Kept
from model.record import FOREVER
from model.said import NAMESPACE, stamped
from roomwire.errors import NotFound
from roomwire.log.config import LogConfig
from roomwire.log.contract import Fenced
from roomwire.log.intervals import is_member
from roomwire.log.positions import End, Epoch, Position
from roomwire.log.reading import Page
from roomwire.log.sessions import Claimed, ClaimRefused, NewSession, NodeId, Sid, Tenure
from roomwire.log.streams import Stream

EPOCH = "EPOCH"  # a reply: the caller's epoch is over
CHAIN = "CHAIN"  # a reply: the batch before this one was not taken
NO_SCRIPT = "NOSCRIPT"  # a reply: the script is not known
SILENT, LIVES, CONFIRMS = range(
    3
)  # what a receipt says of a client: nothing; it lives; it answered a ping of this epoch
DUEL_CLAIMS = 6  # so many claims within the window, and the session stays where it is


class Limits(NamedTuple):
    """Sizes and times, the times in steps."""

    stream_entries: int
    page_entries: int
    held_pushes: int
    session_life: int
    room_life: int
    heartbeat: int
    claim_deadline: int
    publish_deadline: int
    log_bytes: int = FOREVER

    def config(self, bugs: Collection[str]) -> LogConfig:
        """Return production's form of it."""
        return LogConfig(
            session_ttl_s=self.session_life,
            room_ttl_s=self.room_life,
            heartbeat_s=self.heartbeat,
            claim_deadline_s=self.claim_deadline,
            message_id_ttl_s=0 if "message_ids_forgotten" in bugs else FOREVER,
            max_stream_entries=self.stream_entries,
            max_sid_entries=self.stream_entries,
            max_claims=FOREVER if "duel_goes_on" in bugs else DUEL_CLAIMS,
            claims_window_s=3 * self.heartbeat,
            max_held_pushes=self.held_pushes,
        )


NO_END = End(Position(-1), is_broken=False)


class Said(NamedTuple):
    """One publish of a batch; the last is the message's number, for the record."""

    number: int
    stream: Stream
    blob: bytes
    message_id: str
    message: int


class Birth(NamedTuple):
    """What is known of a session beside what production's log of one process knows.

    `born` is the epoch in which it began, `confirmed` the last one in which its client was heard of; the others are for the record.
    """

    born: Epoch
    confirmed: Epoch
    stamp: int
    excuses: int


class Excuses:
    """Counts what may rightly cost somebody a recovery. It is for the record; no rule reads it."""

    count = 0


class Log:
    """All keys of one log. `now` is Redis' clock, by which things expire; `stamp` the step, for the record."""

    def __init__(self, config: LogConfig, limits: Limits, bugs: Collection[str], excuses: Excuses) -> None:
        self.config = config
        self.limits = limits
        self.excuses = excuses
        self.bugs = bugs
        self.now = self.stamp = 0
        broken = next((BROKEN[bug] for bug in bugs if bug in BROKEN), Kept)
        self.kept = broken(config, limits.page_entries, limits.log_bytes)
        self.run = 0
        self.began = 0
        self.ends: dict[Epoch, End] = {}
        self.published: dict[NodeId, int] = {}
        self.births: dict[Sid, Birth] = {}
        self.joined: dict[tuple[Sid, Stream], int] = {}  # when an interval was opened, for the record
        self.appended: set[int] = set()

    @property
    def epoch(self) -> Epoch:
        """The present epoch."""
        return self.kept.epoch

    def copy(self) -> "Log":
        """Return one that shares nothing with this."""
        other = Log(self.config, self.limits, self.bugs, self.excuses)
        for name in ("now", "stamp", "run", "began"):
            setattr(other, name, getattr(self, name))
        for name in ("ends", "published", "births", "joined", "appended", "kept"):
            setattr(other, name, getattr(self, name).copy())
        other.kept.epoch = self.epoch
        return other

    def execute(self, name: str, arguments: tuple[Any, ...], now: int, stamp: int) -> Any:
        """Carry out a script at that time."""
        self.now = self.kept.now = now
        self.stamp = stamp
        expired = self.kept.expired
        try:
            return getattr(self, name)(*arguments)
        except Fenced:
            return None
        finally:
            self.excuses.count += self.kept.expired - expired

    # What every gateway does first on a link, and what it may ask there.

    def attach(self, epoch: Epoch, known: Position, run: int) -> tuple[bool, Epoch, Position]:
        """Return whether all that the gateway knows is still here, the epoch to go on in, and the last position.

        Epochs are numbered by Redis' time of day, so that of two the later one can be told.
        """
        is_whole = self._is_whole(epoch, known, run)
        return is_whole, self.epoch, self.kept.last

    def _is_whole(self, epoch: Epoch, known: Position, run: int) -> bool:
        bugs = self.bugs
        if "epoch_by_counter" in bugs:
            return self._is_whole_by_counter(epoch, known)
        if self.run != run:
            if self.epoch:
                self.ends[self.epoch] = End(self.kept.last, is_broken=False)
            self._begin_epoch(2 * self.stamp, run)
        if not epoch or epoch == self.epoch:
            return True
        end = self.ends.get(epoch, NO_END)
        if known <= end.position or (end.is_broken and "loss_proven_once" in bugs):
            return not end.is_broken
        if "loss_kept_quiet" in bugs or (end is NO_END and "strange_epoch_trusted" in bugs):
            return False
        ends = {
            **self.ends,
            self.epoch: End(self.kept.last, is_broken=True),
            epoch: End(known, is_broken=True),
        }
        self.ends = {each: End(end.position, is_broken=True) for each, end in ends.items()}
        self._begin_epoch(2 * self.stamp + 1, run)
        return False

    def _begin_epoch(self, number: int, run: int) -> None:
        self.kept.epoch, self.run, self.began = Epoch(f"{number:011x}"), run, self.now
        self.excuses.count += 1

    def _is_whole_by_counter(self, epoch: Epoch, known: Position) -> bool:
        if not self.epoch:
            self._begin_epoch(2 * self.stamp, 0)
            return not epoch
        if not epoch or (epoch == self.epoch and self.kept.last >= known):
            return True
        if epoch == self.epoch:
            self._begin_epoch(2 * self.stamp, 0)
        return False

    def mark(self) -> tuple[Position, Epoch]:
        """Return the last position and the epoch."""
        return self.kept.last, self.epoch

    def read(self, epoch: Epoch, wanted: Sequence[tuple[Stream, Position, Position]]) -> Any:
        """Return a page of each stream, from a cursor on."""
        if epoch != self.epoch and "epoch_by_counter" not in self.bugs:
            return EPOCH
        pages: list[Page] = [self.kept.page(*one) for one in wanted]
        return pages

    # Publishing.

    def publish(self, node: NodeId, epoch: Epoch, predecessor: int, batch: Sequence[Said]) -> Any:
        """Append and push a batch. The reply says of each what became of it, as the script does: its position; 0 if its
        number was taken before; minus the position of an earlier one with its id; None if the session does not exist.
        """
        if self._is_stale(epoch):
            return EPOCH
        last = self.published.get(node, 0)
        if last < predecessor:
            return CHAIN
        self.published[node] = max(last, batch[-1].number)
        if "publishes_not_numbered" in self.bugs:
            last = 0
        return [
            0 if said.number <= last else self._append(said, self.stamp + place)
            for place, said in enumerate(batch)
        ]

    def _append(self, said: Said, stamp: int) -> int | None:
        try:
            published = self.kept.publish(said.stream, stamped(said.blob, stamp), said.message_id)
        except NotFound:
            return None
        position = published.position or 0
        if published.is_repeat:
            return -position
        self.appended.add(said.message)
        return position

    def push(self, epoch: Epoch, stream: Stream, blob: bytes) -> Any:
        """Push a message without appending it."""
        if self._is_stale(epoch):
            return EPOCH
        self.kept.push(stream, stamped(blob, self.stamp))
        return None

    # Sessions.

    def open(self, sid: Sid, node: NodeId, epoch: Epoch) -> Any:
        """Begin a session; return its start, and its stamp and excuses for the record."""
        if epoch != self.epoch:
            return EPOCH
        self.births[sid] = Birth(self.epoch, self.epoch, self.stamp, self.excuses.count)
        return self.kept.open(NewSession(sid, NAMESPACE), node), self.stamp, self.excuses.count

    def join(self, tenure: Tenure, stream: Stream, epoch: Epoch) -> Any:
        """Open an interval, or keep the open one; return the position up to which the caller has seen the log, and the
        stamp of the interval; None if the caller is not the owner.
        """
        if self._is_stale(epoch):
            return EPOCH
        was_member = is_member(self.kept.session_of(tenure).rooms.get(stream, ()))
        self.kept.join(tenure, stream)
        if not was_member or "join_begins_anew" in self.bugs:
            self.joined[tenure.sid, stream] = self.stamp
        return self.kept.last, self.joined[tenure.sid, stream]

    def leave(self, tenure: Tenure, stream: Stream, epoch: Epoch) -> Any:
        """Close the interval; return the position, or None if the caller is not the owner."""
        if self._is_stale(epoch):
            return EPOCH
        return self.kept.leave(tenure, stream)

    def claim(self, sid: Sid, node: NodeId, epoch: Epoch) -> Any:
        """Make `node` the owner. Returns what production's claim does, with the birth and the joins for the record."""
        if self._is_stale(epoch):
            return EPOCH
        birth = self.births.get(sid)
        if birth is None or self.kept.session(sid) is None:
            return ClaimRefused.GONE
        if birth.confirmed != self.epoch and "unconfirmed_claimed" not in self.bugs:
            is_recent = self.now - self.began < self.config.confirm_s
            end = self.ends.get(birth.confirmed)
            is_kept = is_recent and end is not None and not end.is_broken
            return ClaimRefused.NOT_YET if is_kept else ClaimRefused.GONE
        claimed = self.kept.claim(sid, node, namespace=NAMESPACE, subject="")
        if not isinstance(claimed, Claimed):
            self.excuses.count += 1
            return claimed
        claimed = msgspec.structs.replace(claimed, born=birth.born, ends=dict(self.ends))
        joined = {stream: self.joined[sid, stream] for stream in claimed.rooms}
        return claimed, birth, joined

    def heartbeat(self, epoch: Epoch, node: NodeId, receipts: Sequence[tuple[Tenure, Position, int]]) -> Any:
        """Take receipts; return the position and the tenures that are over."""
        if self._is_stale(epoch):
            return EPOCH
        self.kept.caller = node
        fenced = []
        for tenure, known, mode in receipts:
            try:
                if mode:
                    self.kept.beat(tenure, known)
                else:
                    self.kept.owned(tenure)
            except Fenced:
                fenced.append(tenure)
                continue
            if mode == CONFIRMS:
                self.births[tenure.sid] = self.births[tenure.sid]._replace(confirmed=self.epoch)
        return self.kept.last, fenced

    def end(self, tenure: Tenure, node: NodeId, epoch: Epoch) -> Any:
        """End a session for good: its client said goodbye."""
        if epoch != self.epoch:
            return EPOCH
        return self.kept.end(tenure.sid, tenure.claim, node)

    def _is_stale(self, epoch: Epoch) -> bool:
        return epoch != self.epoch and "any_epoch_writes" not in self.bugs


# The scripts that a replica repeats.
WRITES = frozenset({"attach", "publish", "open", "join", "leave", "claim", "heartbeat", "end"})
