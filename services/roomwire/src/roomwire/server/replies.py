"""Tells a client the outcome of an event that it sent: the result, or an error."""

from roomwire.engine.turn import Turn
from roomwire.errors import ClientError
from roomwire.protocol.codec import ack_frames
from roomwire.protocol.payloads import arguments_of
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member


class Replies:
    """Answers the events of clients.

    Args:
        turn: Collects frames.
        rooms: Sends errors that no ack can carry.

    """

    def __init__(self, turn: Turn, rooms: Rooms) -> None:
        self._turn = turn
        self._rooms = rooms

    def acknowledge(self, member: Member, ack_id: int, result: object) -> None:
        """Send a handler's result: nothing, a value, or a tuple of several: hot."""
        frames = ack_frames(member.namespace, arguments_of(result), ack_id)
        if len(frames) == 1:
            self._turn.put(member.outlet, frames[0])
        else:
            self._turn.put_all((member.outlet,), frames)

    def answer_error(self, member: Member, ack_id: int | None, error: ClientError) -> None:
        """Report an error to a client: in the ack if the client waits for one, else by the event `exception`."""
        if ack_id is not None:
            self.acknowledge(member, ack_id, dict(error.body()))
        else:
            self._rooms.say((member,), ["exception", dict(error.details())])
