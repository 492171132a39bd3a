"""The contract of the ordered log.

Gateways deliver from the log, their own messages included; nobody delivers locally first. What every implementation
promises:

- **One order.** Every entry has a position. All gateways get the entries of a stream in the order of their positions,
  and a gateway gets those of all its streams in that order, each once.
- **Acknowledged is appended.** When `publish` returns, the entry is in the log of the primary. Publishes of a gateway
  are appended in the order in which they were made, each at most once; a message id is taken once within
  `LogConfig.message_id_ttl_s`. What could not be appended raises, and says whether trying again makes sense.
- **The reply is the marker.** `then` of `open`, `join`, `leave`, `claim` and `mark` is called synchronously at the
  operation's place in the order: everything at an earlier position was given to the observer before, everything later
  comes after. Change memberships there, not after the `await`: by then later entries may have been delivered.
- **No silent gap.** When the link to the primary is lost the log is held: nothing is delivered, `cut` stands. On the
  next link the observer first learns which sockets were claimed elsewhere, then gets what was missed, in order, then
  `on_live`. What cannot be shown to be complete is named: `on_incomplete` for a stream, `on_loss` for everything.
- **Fencing.** Of all sockets that ever spoke for a session only the one with the newest claim still can. All others
  get `Fenced`, and `on_fenced` wherever they are.
- **Every call ends** within its timeout: with `Unavailable` when nothing was done, with `OutcomeUnknown` when it may
  have been. Everything that is held is bounded.

In which order a server uses it:

- start: `subscribe` nothing, `start(observer)`.
- `sessions.new_node_id`, `new_pid` and `sid_of` make the ids.
- a fresh client: `subscribe(namespace_stream(nsp))`, as for each client, `open(..., then=enter it)`, the CONNECT reply.
- join: `subscribe(room)`, for each member on this node, `join(..., then=add it)`, the ack. Leave: `leave(..., then=remove
  it)`, `unsubscribe(room)`, the ack. `OutcomeUnknown`: close the transport.
- a ping: keep `offset()` as it is when the ping is written; its pong: `receipt(tenure, that offset)`.
- `on_live`: ping every client, so that its session is confirmed in an epoch that may be new.
- a lost transport: `release(tenure)`, `unsubscribe` its streams. A DISCONNECT of the client's: `release`, `end`. A kick:
  `end`. A transport that is lost during an `open` or a claim is released after it.
- recovery: token; `claim`: on `NOT_YET` close the transport, on `GONE` or `DUEL` open a fresh session. `replay.base_of`: None means a
  fresh session. `subscribe` its namespace and its open rooms; `mark(then=enter it)`, from when on what is live waits; if
  `epoch` is not what it was at the claim, close the transport. `read(replay.ranges_of(...))`: if any is not complete, take
  it out of its rooms, `end` it and open a fresh session. CONNECT reply; `replay.merged` entries that are `replay.is_for`
  it, each with its own offset; what waited; a ping. Past `claim_deadline_s`: close the transport.

`tests/log/test_recovery_by_contract.py` does just that, in a page.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from roomwire.errors import NotFound, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.entries import Entry, Message
from roomwire.log.kept import Kept
from roomwire.log.positions import Epoch, Offset, Position
from roomwire.log.reading import Range, Reading
from roomwire.log.sessions import (
    Attendance,
    Claimed,
    ClaimRefused,
    NewSession,
    NodeId,
    SessionOwner,
    Sid,
    Tenure,
)
from roomwire.log.streams import Stream

MAX_MESSAGE_ID_BYTES: Final = 256
MAX_PRESENT_BYTES: Final = 1_000_000

Then = Callable[[Position], None]
"""Called with the operation's position at its place in the order; must not raise or wait."""


class Fenced(NotFound):
    """The session was claimed by another socket, or has ended: this socket does not speak for it any more."""

    default_message = "The session continues elsewhere, or has ended."


class NodeAway(Unavailable):
    """No such node, or it did not answer in time."""

    default_message = "The node does not answer: try again."


class NodeBusy(NodeAway):
    """The node has too much of that to do, and did not do it."""

    default_message = "The node has too much to do: try again later."


class Published(msgspec.Struct, frozen=True, gc=False):
    """A message that is in the log.

    Attributes:
        position: Where; None when only that it was appended by an earlier try is known.
        is_repeat: It was there already: an earlier try, or the same message id.

    """

    position: Position | None
    is_repeat: bool = False


class LogObserver(Protocol):
    """Whom a log tells what happens, in the log's order. None of these may wait; `on_request` is a coroutine.

    An observer that raises on an entry has missed it: `on_incomplete` follows for that stream.
    """

    def on_entry(self, entry: Entry) -> None:
        """Deliver an entry of a stream that is subscribed, or of a socket's own. `cut` is its position."""

    def on_fenced(self, tenure: Tenure) -> None:
        """Drop a socket: another one speaks for its session, or the session has ended.

        Close its transport, and send no DISCONNECT: one could still reach the client that is right, which would then
        stay away. Two tabs with the same ids are parted by `LogConfig.max_claims`.
        """

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all in a stream: what was said there meanwhile cannot be told in full."""

    def on_loss(self) -> None:
        """Close all transports: the primary lost entries. No session is held any more, all will be refused."""

    def on_held(self) -> None:
        """Learn that the link is lost: nothing comes until `on_live`."""

    def on_live(self) -> None:
        """Learn that what was missed has been delivered, and that the log goes on."""

    async def on_request(self, sender: NodeId, body: bytes) -> bytes:
        """Answer another node's request. An exception is an answer too: `Unavailable` over there."""


class Unobserved:
    """The `LogObserver` of a log that has not been started: there is nothing yet to tell, and no node asks."""

    def on_entry(self, entry: Entry) -> None:
        """Ignore it."""

    def on_fenced(self, tenure: Tenure) -> None:
        """Ignore it."""

    def on_incomplete(self, stream: Stream) -> None:
        """Ignore it."""

    def on_loss(self) -> None:
        """Ignore it."""

    def on_held(self) -> None:
        """Ignore it."""

    def on_live(self) -> None:
        """Ignore it."""

    async def on_request(self, sender: NodeId, body: bytes) -> bytes:  # noqa: ARG002 - it is refused unread
        """Refuse it; raises `NodeAway`."""
        raise NodeAway


class Log(Protocol):
    """The ordered log, as one gateway sees it. Use: `start`, then anything, then `close`."""

    @property
    def node(self) -> NodeId:
        """This incarnation of this gateway."""

    @property
    def config(self) -> LogConfig:
        """Its times and bounds."""

    @property
    def epoch(self) -> Epoch:
        """The epoch in which this gateway takes part; empty before the first `on_live`."""

    @property
    def cut(self) -> Position:
        """The highest position taken from the log: all before it has been given to the observer."""

    @property
    def is_live(self) -> bool:
        """Whether entries are coming; else the log is held."""

    @property
    def is_given_up(self) -> bool:
        """Whether it has been held for as long as a call may take: nobody waits for it any more, calls fail at once."""

    def offset(self) -> Offset:
        """Return epoch and cut: the offset of whatever is written to a client now."""

    async def start(self, observer: LogObserver) -> None:
        """Connect, and deliver from now on.

        Raises:
            Unavailable: Nobody answers; starting again later is right.
            ConfigurationError: The primary, or the configuration, would lose messages.
            NodeNameTaken: Another gateway that lives has this one's name.

        """

    async def close(self) -> None:
        """Give publishes under way a moment to be answered, then disconnect; idempotent. Sessions stay."""

    def leave_loop(self) -> None:
        """Let go of the event loop that it was on, which has ended without `close`.

        Afterwards it is live, on whatever loop is next, or as before `start`.
        """

    async def check(self) -> None:
        """Ask whether the log works at this moment; raises `Unavailable` if not."""

    # -- messages

    def publish(
        self, stream: Stream, message: Message, *, message_id: str = "", kept: Kept | None = None
    ) -> "asyncio.Future[Published]":
        """Append a message.

        Calls are appended in the order in which they were made, awaited or not; those of a loop tick go together.
        What is raised is raised by the future.

        Args:
            stream: Where to.
            message: What.
            message_id: An id of the sender's own, to be taken once however often it is sent. Make it the
                sender's: prefix it with who that is. At most 256 bytes. Default: none.
            kept: What a history keeps of it: appended in the same step, so that both are there or neither is, and not again
                with a repeat. Default: nothing.

        Raises:
            NotFound: The stream is a socket's, and its session does not exist.
            TooLarge: The message id is too long.
            Unavailable: It was not appended: no link in time, no room here, or the primary has no memory left.
            OutcomeUnknown: It may or may not have been appended.

        """

    def subscribe(self, stream: Stream) -> None:
        """Deliver a stream; counted, so that each call needs its `unsubscribe`.

        It has taken effect when the next operation calls its `then`; what others publish before may be missed.

        Sockets' streams need none: those of the sessions that are held here are delivered.
        """

    def unsubscribe(self, stream: Stream) -> None:
        """Take one subscription back; with the last one, delivery ends."""

    async def mark(self, then: Then | None = None) -> Position:
        """Take the last position of the log as it is now, behind everything that was said before.

        Raises:
            Unavailable: No link in time.

        """

    async def read(self, ranges: Sequence[Range], *, max_entries: int, max_bytes: int) -> Sequence[Reading]:
        """Read stretches of streams, and whether they are complete.

        Positions are the present epoch's: it does not wait for another link. Rooms are read once for all who ask
        for them at about the same time.

        Args:
            ranges: What to read.
            max_entries: Most entries of each.
            max_bytes: About the most bytes of the messages of each.

        Raises:
            Unavailable: The log is held, or the answer did not come in time.

        """

    async def newest(self, stream: Stream, *, limit: int) -> Sequence[Entry]:
        """Return the newest entries of a stream, oldest first. Says nothing about completeness."""

    # -- sessions

    async def open(self, session: NewSession, then: Then | None = None) -> Tenure:
        """Begin a session, held by this node from `then` on.

        Raises:
            Unavailable: Nothing was done.
            OutcomeUnknown: Close the transport; what may be left expires by itself.

        """

    async def join(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """Make a session a member of a room; from `then` on it is. Returns where the membership begins.

        Joining again keeps the membership as it is. `subscribe` first.

        Raises:
            Fenced: See there; `on_fenced` was called.
            RateLimited: It joined and left the room too often.
            Unavailable: Nothing was done.
            OutcomeUnknown: Close the transport: the session knows, and the client will recover.

        """

    async def leave(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """End a membership; raises as `join`. What was said before can still be recovered until it is confirmed."""

    async def claim(self, sid: Sid, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """Take a session over; whoever held it is fenced. Does not extend its life.

        Raises:
            Unavailable: Nothing was done; close the transport.
            OutcomeUnknown: Close the transport; the client can claim it again.

        """

    def holds(self, tenure: Tenure) -> bool:
        """Tell whether a socket of this node still speaks for a session, as far as this node has heard.

        A claim makes a socket known here before its server admits it, and a fence that comes between the two finds
        nothing to close. Ask in the `then` that admits a socket, and close its transport if the answer is no.
        """

    async def save(self, tenure: Tenure, data: bytes) -> None:
        """Store a session's data; raises as `join`."""

    async def end(self, sid: Sid, claim: int | None = None) -> bool:
        """Delete a session: its client said goodbye, or is kicked. Who holds it elsewhere is fenced.

        Args:
            sid: The session. If a socket of this node holds it, `on_fenced` is called, unless it was released.
            claim: End it only if this is its claim. Default: whoever holds it.

        Returns:
            Whether there was one.

        """

    async def find(self, sid: Sid) -> SessionOwner | None:
        """Return where a session lives, for operations on it from afar."""

    async def present(self, stream: Stream, *, limit: int, max_bytes: int = MAX_PRESENT_BYTES) -> Attendance:
        """Return the sessions that are in a room, in no particular order: also those that wait for their client.

        A session is in there from its `join` until its `leave` or its end, whatever becomes of gateways.

        Args:
            stream: The room's.
            limit: Most sessions in the result.
            max_bytes: Most bytes of what they say of themselves, `about` and `data`; 0: neither is read.

        Raises:
            Unavailable: It cannot be read now.

        """

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """Note that a client has everything up to an offset: it answered the ping that was written there.

        This is what keeps sessions alive and confirms them. Sent with others within a fraction of a second. Ignored
        if this node does not hold the session.
        """

    def release(self, tenure: Tenure) -> None:
        """Forget a socket of this node; its session waits for its client. Idempotent."""

    # -- nodes

    async def nodes(self) -> Mapping[str, tuple[NodeId, str]]:
        """Return the live nodes: name → incarnation and internal address."""

    async def request(self, node: NodeId, body: bytes, *, timeout_s: float) -> bytes:
        """Have another node (or this one) do something, and return its answer.

        Raises:
            NodeAway: There is no such node, it failed, or it did not answer in time: it may have done it.
            NodeBusy: It says that it did not, as it was too much: `LogObserver.on_request` raised RateLimited.

        """

    async def request_all(self, body: bytes, *, timeout_s: float) -> Mapping[NodeId, bytes | None]:
        """Ask all live nodes, this one included; None for each that did not answer in time."""
