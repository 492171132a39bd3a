"""A client arrives: it gets a new session, or the one it had, with everything that was said meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

from model import replay
from model.log import Birth
from model.pipe import Lost, Process
from model.reads import MAX_BYTES, MAX_ENTRIES, Reads
from model.said import number_and_stamp, sid_of, stream_of
from model.sockets import DEAD, LIVE, REPLAYING, Socket
from roomwire.log.entries import Entry
from roomwire.log.intervals import is_member
from roomwire.log.positions import Offset, Position
from roomwire.log.reading import Outcome
from roomwire.log.sessions import Claimed, ClaimRefused
from roomwire.log.streams import Stream
from roomwire.recovery.decisions import Refusal

POISON = "somebody else's"  # the string of an event that a client took for an offset


class Refused(Exception):
    """The session cannot be continued, or not be shown to be complete: the client gets a new one."""


class Returning:
    """A session that was claimed, and what is known of it for the record: its stamp, and those of its stays in rooms."""

    __slots__ = ("birth", "claimed", "joined", "pid")

    def __init__(self, pid: int, claimed: Claimed, birth: Birth, joined: Mapping[Stream, int]) -> None:
        self.pid = pid
        self.claimed = claimed
        self.birth = birth
        self.joined = joined


def admit(gateway: Any, socket: Socket, pid: int, offset: str | None) -> Process:
    """Answer a CONNECT. Trouble of ours closes the transport: the client comes again."""
    try:
        while not gateway.is_live:
            yield gateway.live
        try:
            if not pid:
                raise Refused
            yield from _recover(gateway, socket, pid, offset)
        except Refused:
            _let_go(gateway, socket)
            yield from _open(gateway, socket)
    except Lost:
        gateway.close(socket)


def _open(gateway: Any, socket: Socket) -> Process:
    pid = gateway.world.identity()
    socket.sid = sid_of(pid)
    gateway.serve(stream_of("N"))
    try:
        reply = yield gateway.ordered.call("open", socket.sid, gateway.name, gateway.subscriber.epoch)
        started, stamp, excuses = gateway.checked(reply)
    except Lost:
        gateway.unserve(stream_of("N"))
        raise
    gateway.subscriber.advance(started)
    if socket.state == DEAD:
        gateway.unserve(stream_of("N"))
        return
    socket.claim = 1
    gateway.subscriber.hold(socket.tenure)
    gateway.by_sid[socket.sid] = socket
    gateway.enter(socket, stream_of("N"), 0)
    gateway.enter(socket, stream_of(f"@{pid}"), 0)
    socket.state = LIVE
    socket.known = gateway.subscriber.cut
    socket.write("connect", pid, stamp, excuses)


def _recover(gateway: Any, socket: Socket, pid: int, offset: str | None) -> Process:
    bugs, world, log = gateway.bugs, gateway.world, gateway.subscriber
    began, epoch = world.now, log.epoch
    sid = sid_of(pid)
    reply = gateway.checked((yield gateway.ordered.call("claim", sid, gateway.name, epoch)))
    if reply is ClaimRefused.NOT_YET:
        raise Lost
    if isinstance(reply, ClaimRefused):
        raise Refused
    session = Returning(pid, *reply)
    claimed = session.claimed
    # An older socket of this session on this gateway is fenced by that, at once.
    log.hold(claimed.tenure)
    log.advance(claimed.position)
    if socket.state == DEAD or epoch != log.epoch:
        log.release(claimed.tenure)
        raise Lost
    socket.sid, socket.claim = sid, claimed.tenure.claim
    base = replay.base_of(bugs, offset, claimed, epoch)
    if base is None:
        raise Refused
    end = yield from _become_member(gateway, socket, session)
    if "reply_before_reading" in bugs:
        _reply(socket, session)
    entries = yield from _read_all(gateway, socket, session, base, end, began)
    if world.now - began > world.limits.claim_deadline and "no_deadline" not in bugs:
        raise Lost
    _replay(gateway, socket, session, base, entries)


def _let_go(gateway: Any, socket: Socket) -> None:
    """Forget the session that a socket did not get."""
    gateway.leave_all(socket)
    socket.queued.clear()
    if gateway.by_sid.get(socket.sid) is socket:
        del gateway.by_sid[socket.sid]
    if socket.claim:
        gateway.subscriber.release(socket.tenure)
        socket.claim = 0


def _become_member(gateway: Any, socket: Socket, session: Returning) -> Process:
    """Subscribe the rooms that the client is in; return the position from which on it hears them live."""
    log = gateway.subscriber
    present = [stream for stream, stays in session.claimed.rooms.items() if is_member(stays)]
    present.append(stream_of("N"))
    for stream in present:
        gateway.serve(stream)
    try:
        position, epoch = yield gateway.ordered.call("mark")
        if epoch != log.epoch or socket.state == DEAD:
            raise Lost
        log.advance(position)
        if not log.holds(socket.tenure) and "fenced_before_admission" not in gateway.bugs:
            # A newer claim came before there was a socket to fence.
            raise Lost
    except Lost:
        for stream in present:
            gateway.unserve(stream)
        raise
    gateway.by_sid[socket.sid] = socket
    socket.state = REPLAYING
    for stream in present:
        gateway.enter(socket, stream, session.joined.get(stream, 0))
    gateway.enter(socket, stream_of(f"@{session.pid}"), 0)
    return position


def _read_all(
    gateway: Any, socket: Socket, session: Returning, base: Position, end: Position, began: int
) -> Process:
    """Return what was said to the client in (base, end], in order.

    Raises:
        Refused: It cannot be shown to be all.
        Lost: The socket died meanwhile.

    """
    bugs, epoch = gateway.bugs, gateway.subscriber.epoch
    ranges = replay.ranges_of(bugs, session.claimed, base, end)
    read: Reads = gateway.reads
    readings = yield from read.read(
        gateway.wire(gateway.bulk, began), epoch, ranges, max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES
    ).__await__()
    if socket.state == DEAD:
        raise Lost
    entries = replay.missed_entries(bugs, readings, session.claimed)
    if isinstance(entries, Refusal):
        trimmed = [one.range.stream for one in readings if one.outcome is not Outcome.COMPLETE]
        _excuse_trimming(gateway, session, trimmed)
        raise Refused
    return entries


def _excuse_trimming(gateway: Any, session: Returning, streams: Sequence[Stream]) -> None:
    """For the record: a refusal is right if something that the client has not answered for may have been trimmed."""
    kept = gateway.bulk.primary.log.kept
    now = kept.session(session.claimed.tenure.sid)
    known = session.claimed.known if now is None else now.known
    begins = [kept.begins_at(stream) for stream in streams]
    if now is None or any(begin is None or begin > known for begin in begins):
        gateway.world.excuses.count += 1


def _reply(socket: Socket, session: Returning) -> None:
    socket.write("connect", session.pid, session.birth.stamp, session.birth.excuses)


def _replay(
    gateway: Any, socket: Socket, session: Returning, base: Position, entries: Sequence[Entry]
) -> None:
    """Write the CONNECT reply, what was missed, what was said meanwhile, and a ping: its answer is the receipt."""
    bugs, log = gateway.bugs, gateway.subscriber
    if not bugs & {"replay_before_reply", "reply_before_reading"}:
        _reply(socket, session)
    for entry in entries:
        position = log.cut if "replayed_with_the_cut" in bugs else entry.position
        number, stamp = number_and_stamp(entry.message)
        socket.write("event", number, str(Offset(log.epoch, position)), stamp)
    if "replay_before_reply" in bugs:
        _reply(socket, session)
    socket.known = base
    socket.state = LIVE
    for frame in socket.queued:
        socket.write(*frame)
    socket.queued.clear()
    gateway.ping(socket)
    socket.is_receipt_due = True
