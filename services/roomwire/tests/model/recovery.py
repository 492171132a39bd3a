"""A client arrives: it gets a new session, or the one it had, with everything that was said meanwhile."""

from typing import Any

from model import history
from model.log import WAIT, End, Entry, Session
from model.pipe import Lost, Process
from model.record import FOREVER
from model.sockets import DEAD, LIVE, REPLAYING, Socket

Offset = tuple[int, int]
POISON = (-1, -1)  # the string of somebody else that a client took for an offset


class Refused(Exception):
    """The session cannot be continued, or not be shown to be complete: the client gets a new one."""


def admit(gateway: Any, socket: Socket, pid: int, offset: Offset | None) -> Process:
    """Answer a CONNECT. Trouble of ours closes the transport: the client comes again."""
    try:
        while gateway.is_held:
            yield gateway.live
        try:
            if not pid:
                raise Refused
            yield from _recover(gateway, socket, pid, offset)
        except Refused:
            if gateway.by_pid.get(pid) is socket:
                del gateway.by_pid[pid]
            yield from _open(gateway, socket)
    except Lost:
        gateway.close(socket)


def _open(gateway: Any, socket: Socket) -> Process:
    world = gateway.world
    pid = socket.pid = world.identity()
    socket.claim = 1
    gateway.serve("N")
    try:
        reply = yield gateway.ordered.call("open", pid, gateway.name, gateway.epoch)
        started, stamp, excuses = gateway.checked(reply)
    except Lost:
        gateway.unserve("N")
        raise
    gateway.taken(started)
    if socket.state == DEAD:
        gateway.unserve("N")
        return
    gateway.by_pid[pid] = socket
    gateway.enter(socket, "N", 0)
    gateway.enter(socket, f"@{pid}", 0)
    socket.state = LIVE
    socket.known = gateway.cut
    socket.write("connect", pid, stamp, excuses)


def _recover(gateway: Any, socket: Socket, pid: int, offset: Offset | None) -> Process:
    bugs, world = gateway.bugs, gateway.world
    began, epoch = world.now, gateway.epoch
    reply = gateway.checked((yield gateway.ordered.call("claim", pid, gateway.name, epoch)))
    if reply is WAIT or socket.state == DEAD:
        raise Lost
    if reply is None:
        raise Refused
    session, ends = reply
    _drop_predecessor(gateway, pid)
    if epoch != gateway.epoch:
        raise Lost
    socket.pid, socket.claim = pid, session.claim
    if "fenced_before_admission" not in bugs:
        # From here on a fence finds it; `_become_member` does not admit a socket that one has closed.
        gateway.by_pid[pid] = socket
    base = _base(gateway, session, ends, offset)
    rooms = _rooms(session)
    end = yield from _become_member(gateway, socket, session, rooms)
    if "reply_before_reading" in bugs:
        _reply(gateway, socket, session)
    replay = yield from _read_all(gateway, socket, rooms, base, end)
    if world.now - began > world.limits.claim_deadline and "no_deadline" not in bugs:
        raise Lost
    _replay(gateway, socket, session, base, replay)


def _drop_predecessor(gateway: Any, pid: int) -> None:
    """The client's last socket may be on this very gateway, which need not have noticed that it is dead."""
    old = gateway.by_pid.get(pid)
    if old is not None and "old_socket_lingers" not in gateway.bugs:
        gateway.fence(old)


def _base(gateway: Any, session: Session, ends: dict[int, End], offset: Offset | None) -> int:
    """Return the position up to which the client has everything.

    Raises:
        Refused: The client has seen what the log no longer has.

    """
    bugs = gateway.bugs
    position = 0
    if offset == POISON:
        raise Refused
    if offset is not None:
        position = _position(gateway, session, ends, *offset)
    started = 0 if "start_ignored" in bugs and position else session.started
    return max(position, started, 0 if "receipts_ignored" in bugs else session.known)


def _position(gateway: Any, session: Session, ends: dict[int, End], epoch: int, position: int) -> int:
    """Return the position that an offset stands for, 0 if it says nothing about this session.

    Raises:
        Refused: The client has seen what the log no longer has; or, where a primary was deposed, does not have yet.

    """
    bugs = gateway.bugs
    if epoch == gateway.epoch:
        return position
    if bugs & {"epoch_by_counter", "old_offset_refused"}:
        raise Refused
    if "older_offset_counts" not in bugs and epoch < session.born:
        return 0
    end = ends.get(epoch)
    if end is None and "unknown_epoch_is_nothing" in bugs:
        return 0
    if end is None or end.is_broken or position > end.position:
        raise Refused
    return position


def _rooms(session: Session) -> list[tuple[str, int, int]]:
    """Return the intervals (room, joined, left) in which the client was in a room; its namespace and itself included."""
    stays = [(room, stay.joined, stay.left) for room, stays in session.rooms.items() for stay in stays]
    return [*stays, ("N", 0, FOREVER), (f"@{session.pid}", 0, FOREVER)]


def _become_member(
    gateway: Any, socket: Socket, session: Session, rooms: list[tuple[str, int, int]]
) -> Process:
    """Subscribe the rooms that the client is in; return the position from which on it hears them live."""
    present = [room for room, _, left in rooms if left == FOREVER]
    for room in present:
        if room[0] != "@":
            gateway.serve(room)
    try:
        position, epoch = yield gateway.ordered.call("mark")
        if epoch != gateway.epoch or socket.state == DEAD:
            raise Lost
    except Lost:
        for room in present:
            if room[0] != "@":
                gateway.unserve(room)
        raise
    gateway.taken(position)
    gateway.by_pid[socket.pid] = socket
    socket.state = REPLAYING
    stamps = {room: stays[-1].stamp for room, stays in session.rooms.items()}
    for room in present:
        gateway.enter(socket, room, stamps.get(room, 0))
    return position


def _read_all(
    gateway: Any, socket: Socket, rooms: list[tuple[str, int, int]], base: int, end: int
) -> Process:
    """Return what was said to the client in (base, end], by position.

    Raises:
        Refused: It cannot be shown to be all.
        Lost: The socket died meanwhile.

    """
    replay: dict[int, Entry] = {}
    for room, joined, left in rooms:
        low = base if "joined_ignored" in gateway.bugs else max(base, joined)
        high = min(end, left)
        if low >= high:
            continue
        entries = yield from history.read(gateway, room, low, high)
        if socket.state == DEAD:
            raise Lost
        if entries is None:
            _excuse_trimming(gateway, socket, room)
            gateway.leave_all(socket)
            socket.queued.clear()
            raise Refused
        replay.update((entry.position, entry) for entry in entries if _is_for(gateway, socket, rooms, entry))
    return replay


def _excuse_trimming(gateway: Any, socket: Socket, room: str) -> None:
    """For the record: a refusal is right if something that the client has not answered for may have been trimmed."""
    log = gateway.bulk.primary.log
    stream, session = log.streams.get(room), log.sessions.get(socket.pid)
    if stream is None or session is None or stream.entries[0].position > session.known:
        gateway.world.excuses.count += 1


def _is_for(gateway: Any, socket: Socket, rooms: list[tuple[str, int, int]], entry: Entry) -> bool:
    if entry.excluded == socket.pid and "exclusion_forgotten" not in gateway.bugs:
        return False
    if len(entry.rooms) == 1:
        return True
    if "filter_by_present_rooms" in gateway.bugs:
        return any(room in socket.rooms for room in entry.rooms)
    return any(room in entry.rooms and joined < entry.position <= left for room, joined, left in rooms)


def _reply(gateway: Any, socket: Socket, session: Session) -> None:
    socket.write("connect", socket.pid, session.stamp, session.excuses)


def _replay(gateway: Any, socket: Socket, session: Session, base: int, replay: dict[int, Entry]) -> None:
    """Write the CONNECT reply, what was missed, what was said meanwhile, and a ping: its answer is the receipt."""
    bugs = gateway.bugs
    if not bugs & {"replay_before_reply", "reply_before_reading"}:
        _reply(gateway, socket, session)
    for position in sorted(replay):
        entry = replay[position]
        offset = gateway.cut if "replayed_with_the_cut" in bugs else position
        socket.write("event", entry.message, (gateway.epoch, offset), entry.stamp)
    if "replay_before_reply" in bugs:
        _reply(gateway, socket, session)
    socket.known = base
    socket.state = LIVE
    for frame in socket.queued:
        socket.write(*frame)
    socket.queued.clear()
    gateway.ping(socket)
    socket.is_receipt_due = True
