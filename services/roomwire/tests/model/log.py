"""The log: what Redis keeps, and the scripts that read and change it.

Each script runs whole or not at all, and depends on nothing but its arguments and the data: a replica that repeats
the scripts in their order has the same data. `say` pushes to a channel's subscribers. `now` is Redis' clock, by which
things expire; `stamp` is handed through for the record.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from model.record import FOREVER

EPOCH = "EPOCH"  # a reply: the caller's epoch is over
WAIT = "WAIT"  # a reply: the session's owner has not yet confirmed it in this epoch; come again
APPENDED, REPEATED, NOBODY_THERE = "appended", "repeated", "nobody there"  # replies to a publish
DUEL_CLAIMS = 6  # so many claims within the window, and the session stays where it is

Say = Callable[[str, Any], None]


class Limits(NamedTuple):
    """Sizes and times, the times in steps."""

    stream_entries: int
    page_entries: int
    session_life: int
    room_life: int
    heartbeat: int
    claim_deadline: int


class End(NamedTuple):
    """How an epoch ended: at a position; broken if somebody knew of later ones, so that all must be told."""

    position: int
    is_broken: bool


NO_END = End(-1, is_broken=False)


class Entry(NamedTuple):
    """An entry of a stream. `epoch` and `previous` are what a push says beside it."""

    position: int
    message: int
    stamp: int
    rooms: tuple[str, ...]
    excluded: int
    epoch: int
    previous: int


class Stay(NamedTuple):
    """A session's interval in a room: (joined, left], in positions."""

    joined: int
    left: int
    stamp: int


class Stream:
    """A room's history."""

    __slots__ = ("added", "entries", "touched")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.added = 0
        self.touched = 0


class Session:
    """What outlives a gateway: who may come back, and to what."""

    __slots__ = (
        "born", "claim", "claims", "epoch", "excuses", "known", "node", "pid", "rooms", "stamp", "started", "touched",
    )  # fmt: skip

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.claim = 1
        self.claims: tuple[int, ...] = ()
        self.known = 0
        self.rooms: dict[str, list[Stay]] = {}
        self.node = ""
        self.born = 0  # the epoch in which it began
        self.excuses = 0  # for the record, as is the stamp
        self.epoch = self.started = self.stamp = self.touched = 0

    def copy(self) -> "Session":
        """Return one that shares nothing with this."""
        other = Session(self.pid)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.rooms = {room: list(stays) for room, stays in self.rooms.items()}
        return other


class Excuses:
    """Counts what may rightly cost somebody a recovery. It is for the record; no rule reads it."""

    count = 0


class Log:
    """All keys of one log."""

    def __init__(self, limits: Limits, bugs: Collection[str], excuses: Excuses) -> None:
        self.limits = limits
        self.excuses = excuses
        self.bugs = bugs
        self.position = 0
        self.epoch = 0
        self.run = 0
        self.began = 0
        self.ends: dict[int, End] = {}
        self.streams: dict[str, Stream] = {}
        self.sessions: dict[int, Session] = {}
        self.published: dict[str, int] = {}
        self.message_ids: set[int] = set()
        self.appended: set[int] = set()

    def copy(self) -> "Log":
        """Return one that shares nothing with this."""
        other = Log(self.limits, self.bugs, self.excuses)
        for name in ("position", "epoch", "run", "began"):
            setattr(other, name, getattr(self, name))
        for name in ("ends", "published", "message_ids", "appended"):
            setattr(other, name, getattr(self, name).copy())
        other.sessions = {pid: session.copy() for pid, session in self.sessions.items()}
        for room, stream in self.streams.items():
            twin = other.streams[room] = Stream()
            twin.entries, twin.added, twin.touched = list(stream.entries), stream.added, stream.touched
        return other

    # What every gateway does first on a link, and what it may ask there.

    def attach(self, say: Say, now: int, epoch: int, known: int, run: int, stamp: int) -> tuple[bool, int]:
        """Return whether all that the gateway knows is still here, and the epoch to go on in.

        Epochs are numbered by Redis' time of day, so that of two the later one can be told.
        """
        bugs = self.bugs
        if "epoch_by_counter" in bugs:
            return self._attach_by_counter(epoch, known, 2 * stamp)
        if self.run != run:
            if self.epoch:
                self.ends[self.epoch] = End(self.position, is_broken=False)
            self._begin_epoch(2 * stamp, run, now)
        if not epoch or epoch == self.epoch:
            return True, self.epoch
        end = self.ends.get(epoch, NO_END)
        if known <= end.position or (end.is_broken and "loss_proven_once" in bugs):
            return not end.is_broken, self.epoch
        if "loss_kept_quiet" in bugs or (end is NO_END and "strange_epoch_trusted" in bugs):
            return False, self.epoch
        ends = {
            **self.ends,
            self.epoch: End(self.position, is_broken=True),
            epoch: End(known, is_broken=True),
        }
        self.ends = {each: End(end.position, is_broken=True) for each, end in ends.items()}
        self._begin_epoch(2 * stamp + 1, run, now)
        return False, self.epoch

    def _begin_epoch(self, epoch: int, run: int, now: int) -> None:
        self.epoch, self.run, self.began = epoch, run, now
        self.excuses.count += 1

    def _attach_by_counter(self, epoch: int, known: int, candidate: int) -> tuple[bool, int]:
        if not self.epoch:
            self.epoch = candidate
            return not epoch, self.epoch
        if not epoch or (epoch == self.epoch and self.position >= known):
            return True, self.epoch
        if epoch == self.epoch:
            self.epoch = candidate
        return False, self.epoch

    def mark(self, say: Say, now: int) -> tuple[int, int]:
        """Return the last position and the epoch."""
        return self.position, self.epoch

    def read(self, say: Say, now: int, room: str, first: int) -> tuple[list[Entry], bool, bool] | None:
        """Return a page of the entries from position `first` on, whether the stream still holds one at or before it, and
        whether it was never trimmed; None if there is no stream.
        """
        stream = self._stream(room, now)
        if stream is None:
            return None
        entries = stream.entries
        page = [entry for entry in entries if entry.position >= first][: self.limits.page_entries + 1]
        return page, entries[0].position <= first, stream.added == len(entries)

    # Publishing.

    def publish(
        self, say: Say, now: int, node: str, number: int, epoch: int, message: int, retried: bool,
        rooms: tuple[str, ...], excluded: int, stamp: int,
    ) -> Any:  # fmt: skip
        """Append and push. The reply says what became of it, and up to where the log is known to reach."""
        bugs = self.bugs
        if epoch != self.epoch and "any_epoch_writes" not in bugs:
            return EPOCH
        known = self.position
        if number <= self.published.get(node, 0) and "publishes_not_numbered" not in bugs:
            return REPEATED, known
        self.published[node] = number
        if retried and message in self.message_ids and "message_ids_forgotten" not in bugs:
            return REPEATED, known
        room = rooms[0] if len(rooms) == 1 else "N"
        owner = room
        if room[0] == "@":
            session = self._session(int(room[1:]), now)
            if session is not None:
                owner = session.node
            elif "kept_for_nobody" not in bugs:
                return NOBODY_THERE, known
        self.message_ids.add(message)
        self.appended.add(message)
        self.position += 1
        stream = self._stream(room, now)
        if stream is None:
            stream = self.streams[room] = Stream()
        entries = stream.entries
        previous = entries[-1].position if entries else 0
        entry = Entry(self.position, message, stamp, rooms, excluded, self.epoch, previous)
        entries.append(entry)
        stream.added += 1
        stream.touched = now
        if len(entries) > self.limits.stream_entries:
            del entries[0]
        say(owner, (room, entry))
        return APPENDED, self.position

    # Sessions.

    def open(self, say: Say, now: int, pid: int, node: str, epoch: int, stamp: int) -> Any:
        """Begin a session; return its start."""
        if epoch != self.epoch:
            return EPOCH
        session = self.sessions[pid] = Session(pid)
        session.node, session.epoch, session.touched, session.stamp = node, epoch, now, stamp
        session.born = self.epoch
        session.excuses = self.excuses.count
        session.started = self._take()
        return session.started, stamp, session.excuses

    def join(self, say: Say, now: int, pid: int, claim: int, room: str, epoch: int, stamp: int) -> Any:
        """Open an interval, or keep the open one; return the position up to which the caller has seen the log, and the
        stamp of the interval; None if the caller is not the owner.
        """
        if epoch != self.epoch and "any_epoch_writes" not in self.bugs:
            return EPOCH
        session = self._owned(pid, claim, now)
        if session is None:
            return None
        stays = session.rooms.setdefault(room, [])
        if stays and stays[-1].left == FOREVER:
            if "join_begins_anew" not in self.bugs:
                return self.position, stays[-1].stamp
            stays.pop()
        stays.append(Stay(self._take(), FOREVER, stamp))
        return self.position, stamp

    def leave(self, say: Say, now: int, pid: int, claim: int, room: str, epoch: int) -> Any:
        """Close the interval; return the position, or None if the caller is not the owner."""
        if epoch != self.epoch and "any_epoch_writes" not in self.bugs:
            return EPOCH
        session = self._owned(pid, claim, now)
        if session is None:
            return None
        position = self._take()
        stays = session.rooms.get(room)
        if stays:
            if stays[-1].left == FOREVER:
                stays[-1] = stays[-1]._replace(left=position)
            if "room_forgotten_when_left" in self.bugs:
                del session.rooms[room]
            else:
                stays[:] = [stay for stay in stays if stay.left > session.known]
                if not stays:
                    del session.rooms[room]
        return position

    def claim(self, say: Say, now: int, pid: int, node: str, epoch: int) -> Any:
        """Make `node` the owner. Returns a copy of the session and the ends of the epochs; WAIT; or None to refuse."""
        if epoch != self.epoch and "any_epoch_writes" not in self.bugs:
            return EPOCH
        session = self._session(pid, now)
        if session is None:
            return None
        if session.epoch != self.epoch and "unconfirmed_claimed" not in self.bugs:
            is_recent = now - self.began < 3 * self.limits.heartbeat
            end = self.ends.get(session.epoch)
            return WAIT if is_recent and end is not None and not end.is_broken else None
        window = now - 3 * self.limits.heartbeat
        session.claims = tuple(claimed for claimed in session.claims if claimed >= window)
        if len(session.claims) >= DUEL_CLAIMS and "duel_goes_on" not in self.bugs:
            self.excuses.count += 1
            return None
        session.claims += (now,)
        session.claim += 1
        if "owner_not_told" not in self.bugs:
            say(session.node, ("fence", pid, session.claim))
        session.node = node
        self._take()
        if "claim_prolongs" in self.bugs:
            session.touched = now
        found = session.copy()
        if "claim_deletes" in self.bugs:
            del self.sessions[pid]
        return found, dict(self.ends)

    def heartbeat(
        self, say: Say, now: int, epoch: int, node: str, sockets: list[tuple[int, int, int, int]]
    ) -> Any:
        """Take receipts: (pid, claim, known, epoch of the ping that was answered, or 0). Return the position and the pids
        of the sockets that are no longer the caller's.
        """
        if epoch != self.epoch and "any_epoch_writes" not in self.bugs:
            return EPOCH
        fenced = []
        for pid, claim, known, answered in sockets:
            session = self._owned(pid, claim, now)
            if session is None:
                if "heartbeat_revives" in self.bugs and self._session(pid, now) is None:
                    self._revive(pid, claim, known, node, now)
                else:
                    fenced.append(pid)
                continue
            session.known = max(session.known, known)
            if answered == self.epoch:
                session.epoch = self.epoch
            if answered or "claim_prolongs" in self.bugs:
                session.touched = now
        return self.position, fenced

    def close(self, say: Say, now: int, pid: int, claim: int, epoch: int) -> Any:
        """End a session for good: its client said goodbye."""
        if epoch != self.epoch:
            return EPOCH
        if self._owned(pid, claim, now) is not None:
            del self.sessions[pid]
            self._take()
        return self.position

    def forget_sessions_of(self, node: str) -> None:
        """Lose what a gateway would have stored had it been closed in peace; only a bug does."""
        self.sessions = {pid: session for pid, session in self.sessions.items() if session.node != node}

    def _take(self) -> int:
        if "silent_session_writes" not in self.bugs:
            self.position += 1
        return self.position

    def _owned(self, pid: int, claim: int, now: int) -> Session | None:
        session = self._session(pid, now)
        if session is not None and (session.claim == claim or "claims_not_fenced" in self.bugs):
            return session
        return None

    def _revive(self, pid: int, claim: int, known: int, node: str, now: int) -> None:
        session = self.sessions[pid] = Session(pid)
        session.claim, session.known, session.started = claim, known, known
        session.node, session.epoch, session.touched = node, self.epoch, now

    def _session(self, pid: int, now: int) -> Session | None:
        session = self.sessions.get(pid)
        if session is not None and now - session.touched > self.limits.session_life:
            del self.sessions[pid]
            self.excuses.count += 1
            return None
        return session

    def _stream(self, room: str, now: int) -> Stream | None:
        stream = self.streams.get(room)
        if stream is not None and now - stream.touched > self.limits.room_life:
            del self.streams[room]
            return None
        return stream


# The scripts that a replica repeats.
WRITES = frozenset({"attach", "publish", "open", "join", "leave", "claim", "heartbeat", "close"})
