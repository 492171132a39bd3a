"""What a gateway does for its sockets: their requests in order, their pongs, the heartbeat."""

from typing import Any

from model.log import CONFIRMS, LIVES, SILENT
from model.pipe import Lost, Process
from model.record import REFUSED
from model.recovery import POISON, admit
from model.said import stream_of
from model.sockets import DEAD, LIVE, REPLAYING, Socket
from model.transport import Transport
from roomwire.log.positions import Epoch, Offset
from roomwire.log.streams import Stream


def take(gateway: Any, transport: Transport, frame: tuple[Any, ...]) -> None:
    """Take a frame from a client."""
    kind = frame[0]
    socket: Socket | None = transport.socket
    if kind == "connect":
        socket = transport.socket = Socket(transport)
        gateway.sockets[socket] = None
        gateway.runner.start(_attend(gateway, socket, frame[1], frame[2]))
    elif socket is None or socket.state == DEAD:
        return
    elif kind == "end":
        gateway.close(socket)
    elif kind == "pong":
        _receipt(gateway, socket, frame[1])
    else:
        socket.requests.append(frame)
        gateway.runner.wake(socket.arrived)
    gateway.runner.settle()


def _receipt(gateway: Any, socket: Socket, received: Offset) -> None:
    """A pong answers for everything that was written before its ping."""
    socket.known = gateway.subscriber.cut if "receipt_for_the_cut" in gateway.bugs else received.position
    socket.answered = received.epoch
    socket.pings = 0
    if socket.is_receipt_due:
        socket.is_receipt_due = False
        beat(gateway, [socket])


def _attend(gateway: Any, socket: Socket, pid: int, offset: Any) -> Process:
    """Admit a socket, then carry out its requests, one after the other; answer each when the log has it."""
    yield from admit(gateway, socket, pid, offset)
    while socket.state != DEAD:
        if not socket.requests:
            yield socket.arrived
            continue
        kind, number, subject = socket.requests.popleft()
        try:
            if kind == "publish":
                is_done = yield gateway.publish(gateway.world.messages[subject])
                socket.write("ack", number, 0 if is_done else REFUSED)
            elif kind == "join":
                yield from _join(gateway, socket, number, stream_of(subject))
            elif kind == "leave":
                yield from _leave(gateway, socket, number, stream_of(subject))
            else:
                yield from _goodbye(gateway, socket)
        except Lost:
            # The session knows whether it happened: the client comes back and is in the rooms that it is in.
            gateway.close(socket)


def _join(gateway: Any, socket: Socket, number: int, stream: Stream) -> Process:
    bugs = gateway.bugs
    if stream in socket.rooms and "join_begins_anew" not in bugs:
        socket.write("ack", number, socket.rooms[stream])
        return
    while not gateway.is_live:
        yield gateway.live
    if socket.state == DEAD:
        return
    is_new = stream not in socket.rooms
    if is_new:
        gateway.serve(stream)
    if "ack_before_the_log" in bugs:
        socket.write("ack", number, gateway.world.stamp)
    try:
        reply = yield gateway.ordered.call("join", socket.tenure, stream, gateway.subscriber.epoch)
        gateway.checked(reply)
    except Lost:
        if is_new:
            gateway.unserve(stream)
        if "join_repeated_blindly" not in bugs:
            raise
        yield from _join(gateway, socket, number, stream)
        return
    if reply is None:
        gateway.fence(socket.tenure)
        gateway.close(socket)
    if socket.state == DEAD:
        if is_new:
            gateway.unserve(stream)
        return
    position, stamp = reply
    gateway.subscriber.advance(position)
    gateway.enter(socket, stream, stamp)
    if "ack_before_the_log" not in bugs:
        socket.write("ack", number, stamp)


def _leave(gateway: Any, socket: Socket, number: int, stream: Stream) -> Process:
    if stream not in socket.rooms:
        socket.write("ack", number, gateway.world.stamp)
        return
    while not gateway.is_live:
        yield gateway.live
    if socket.state == DEAD:
        return
    reply = yield gateway.ordered.call("leave", socket.tenure, stream, gateway.subscriber.epoch)
    gateway.checked(reply)
    if reply is None:
        gateway.fence(socket.tenure)
        gateway.close(socket)
    if socket.state == DEAD:
        return
    gateway.subscriber.advance(reply)
    gateway.leave(socket, stream)
    socket.write("ack", number, gateway.world.stamp)


def _goodbye(gateway: Any, socket: Socket) -> Process:
    """The client's own DISCONNECT ends the session for good."""
    while not gateway.is_live:
        yield gateway.live
    if socket.state != DEAD:
        reply = yield gateway.ordered.call("end", socket.tenure, gateway.name, gateway.subscriber.epoch)
        gateway.checked(reply)
        gateway.close(socket)


def heartbeat(gateway: Any) -> None:
    """Ping every socket, drop the silent ones, report the receipts."""
    for socket in list(gateway.sockets):
        if socket.state == LIVE:
            socket.pings += 1
            if socket.pings > 2:
                gateway.close(socket)
            else:
                gateway.ping(socket)
    beat(gateway, [socket for socket in gateway.sockets if socket.state == LIVE])
    gateway.publisher.expire()
    gateway.runner.settle()


def beat(gateway: Any, sockets: list[Socket]) -> None:
    """Hand receipts to the log, and learn which sockets are no longer ours."""
    if gateway.is_live:
        gateway.runner.start(_beat(gateway, sockets))


def _beat(gateway: Any, sockets: list[Socket]) -> Process:
    log = gateway.subscriber
    receipts = [(socket.tenure, socket.known, _mode(socket, log.epoch)) for socket in sockets]
    for socket in sockets:
        socket.answered = None
    try:
        reply = yield gateway.log.call("heartbeat", log.epoch, gateway.name, receipts)
        position, fenced = gateway.checked(reply)
    except Lost:
        return
    log.advance(position)
    for tenure in fenced:
        gateway.fence(tenure)


def _mode(socket: Socket, epoch: Epoch) -> int:
    if socket.answered is None:
        return SILENT
    return CONFIRMS if socket.answered == epoch else LIVES


def past_the_log(gateway: Any) -> None:
    """Emit to one socket of this gateway without the log, as with a callback: nobody who is not there now gets it."""
    world, bugs = gateway.world, gateway.bugs
    for socket in gateway.sockets:
        if socket.state not in {LIVE, REPLAYING}:
            continue
        message = world.message((f"@{socket.sid}",))
        message.connection = socket.transport
        offset = POISON if "volatile_without_offset" in bugs else str(gateway.offset)
        frame = ("event", message.number, offset, world.stamp)
        if "volatile_logged" in bugs:
            gateway.publish(message)
        elif socket.state == REPLAYING and "volatile_during_replay" not in bugs:
            socket.queued.append(frame)
        else:
            socket.write(*frame)
        return
