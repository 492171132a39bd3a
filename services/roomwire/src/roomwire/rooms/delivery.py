"""The way of messages between the log and the members of this node.

Nobody is told locally first: what is said goes to the log, and is delivered in the order of the log, on every node. Only
what is said past the log goes to the members at once.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import cast

from roomwire.engine.session import Reason
from roomwire.engine.turn import Turn
from roomwire.errors import NotFound
from roomwire.log.contract import Log
from roomwire.log.entries import Entry, Message
from roomwire.log.sessions import NodeId, Tenure
from roomwire.log.streams import Stream, namespace_stream
from roomwire.log.targets import stream_to
from roomwire.logs import get_logger
from roomwire.protocol.payloads import payload_frames, skipped_sids
from roomwire.rooms.emit import Emit
from roomwire.rooms.member import Member
from roomwire.rooms.registry import Audience, Registry, audience_of

_log = get_logger(__name__)


class Delivery:
    """Brings messages to the log, and what the log tells to the members; the log's `LogObserver`.

    Args:
        log: The log.
        registry: The members here.
        turn: Where frames are put.
        answer: Answers what other nodes ask for.

    """

    def __init__(
        self, log: Log, registry: Registry, turn: Turn, *, answer: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        self._log = log
        self._registry = registry
        self._streams = registry.streams
        self._turn = turn
        self._answer = answer
        self._was_held = False

    async def publish(self, emit: Emit) -> None:
        """Say something to a room, to one client, or to everybody; returns when it is in the log: hot.

        Raises:
            Unavailable: It is not, and trying again makes sense.
            OutcomeUnknown: Nobody knows.

        """
        payload = emit.payload()
        kept = None if emit.keep is None else emit.kept()
        skipped = () if emit.skip_sid is None else skipped_sids(emit.skip_sid)
        namespace, target = emit.namespace, emit.target
        if not isinstance(target, str) and hasattr(target, "__len__"):
            rooms = tuple(stream_to(namespace, one) for one in cast("Collection[object]", target))
            if rooms:
                message = Message(payload, skipped, rooms)
                await self._log.publish(
                    namespace_stream(namespace), message, message_id=emit.message_id, kept=kept
                )
            return
        stream = self._streams.get((namespace, target))
        if stream is None:
            member = self._registry.find(target)
            if member is not None and member.namespace != namespace:
                return
            stream = namespace_stream(namespace) if target is None else stream_to(namespace, target)
        try:
            await self._log.publish(stream, Message(payload, skipped), message_id=emit.message_id, kept=kept)
        except NotFound:
            # A client whose session is over: what is said to it is kept for nobody.
            return

    def put(self, members: Collection[Member], payload: bytes) -> None:
        """Give an event to members of one namespace, past the log.

        Each that holds an offset gets one, as it takes any last text for one.
        """
        audience = audience_of(members)
        if audience is not None:
            self._put(audience, payload, str(self._log.offset()))

    def _put(self, audience: Audience, payload: bytes, offset: str) -> None:
        namespace, recoverable, others = audience
        if recoverable:
            self._turn.put_all(recoverable, payload_frames(namespace, payload, offset))
        if others:
            self._turn.put_all(others, payload_frames(namespace, payload))

    # -- what the log tells: see `LogObserver`

    def on_entry(self, entry: Entry) -> None:
        """Deliver to the members that are here: hot."""
        message = entry.message
        if message.rooms:
            audience = self._registry.audience_within(entry.stream, message.rooms, message.skip_sids)
        elif message.skip_sids:
            audience = self._registry.audience_without(entry.stream, message.skip_sids)
        else:
            audience = self._registry.audience(entry.stream)
        if audience is not None:
            # As `Offset` writes it, without making one for each entry.
            self._put(audience, message.payload, f"{self._log.epoch}.{entry.position}")

    def on_fenced(self, tenure: Tenure) -> None:
        """Close the transport; a DISCONNECT could reach the client that is right."""
        member = self._registry.find(tenure.sid)
        if member is not None and member.tenure == tenure:
            _log.info("session continues elsewhere", sid=member.sid)
            member.connection.close(Reason.SERVER)

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all in a stream."""
        for member in list(self._registry.members_of(stream)):
            member.connection.close(Reason.SERVER)

    def on_loss(self) -> None:
        """Close all transports."""
        _log.warning("the log lost entries, all clients have to come again")
        for member in self._registry.all_members():
            member.connection.close(Reason.SERVER)

    def on_held(self) -> None:
        """Note that nothing comes for now."""
        self._was_held = True
        _log.warning("backplane degraded")

    def on_live(self) -> None:
        """Ping everybody, so that their sessions are confirmed in an epoch that may be new."""
        if self._was_held:
            self._was_held = False
            _log.info("backplane live")
        for connection in {member.connection for member in self._registry.all_members()}:
            connection.ping()

    async def on_request(self, _sender: NodeId, body: bytes) -> bytes:
        """Do what another node asks for."""
        return await self._answer(body)
