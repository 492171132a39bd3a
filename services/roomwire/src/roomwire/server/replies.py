"""Tells a client the outcome of an event that it sent: the result, or an error."""

from roomwire.engine.turn import Turn
from roomwire.errors import ClientError
from roomwire.limits.costs import ANSWER_BYTES
from roomwire.protocol.payloads import arguments_of
from roomwire.protocol.wire_format import WireFormat
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member
from roomwire.rooms.order import Order
from roomwire.server.charges import Charges


class Replies:
    """Answers the events of clients.

    Args:
        turn: Collects frames.
        rooms: Sends errors that no ack can carry.
        charges: Charges the bytes of large answers.
        wire: The form of packets on the wire.
        order: Keeps answers behind what this node has published to their clients.

    """

    def __init__(self, turn: Turn, rooms: Rooms, charges: Charges, order: Order, *, wire: WireFormat) -> None:
        self._turn = turn
        self._rooms = rooms
        self._charges = charges
        self._order = order
        self._frames = wire.acks

    def acknowledge(self, member: Member, ack_id: int, result: object) -> None:
        """Send a handler's result: nothing, a value, or a tuple of several: hot."""
        frames = self._frames(member.namespace, arguments_of(result), ack_id)
        if not self._order.is_clear:
            self._order.send(member, frames)
            if len(frames) > 1 or len(frames[0]) >= ANSWER_BYTES:
                self._charges.answered(member.connection, frames)
        elif len(frames) == 1:
            self._turn.put(member.outlet, frames[0])
            if len(frames[0]) >= ANSWER_BYTES:
                self._charges.answered(member.connection, frames)
        else:
            self._turn.put_all((member.outlet,), frames)
            self._charges.answered(member.connection, frames)

    def answer_error(self, member: Member, ack_id: int | None, error: ClientError) -> None:
        """Report an error to a client: in the ack if the client waits for one, else by the event `exception`."""
        if ack_id is not None:
            self.acknowledge(member, ack_id, dict(error.body()))
        else:
            self._rooms.say((member,), ["exception", dict(error.details())])
