"""The contract of the ordered log.

Gateways deliver only from the log, including their own messages; no gateway delivers locally first. Every implementation
promises:

- **One order.** Every entry has a position. All gateways get the entries of a stream in the order of their positions,
  and a gateway gets those of all its streams in that order, each once.
- **Acknowledged is appended.** When `publish` returns, the entry is in the log of the primary. Publishes of a gateway
  are appended in the order in which they were made, each at most once; a message id is accepted once within
  `LogConfig.message_id_ttl_s`. A publish that could not be appended raises an error that states whether to try again.
- **The reply is the marker.** `then` of `open`, `join`, `leave`, `claim` and `mark` is called synchronously at the
  operation's place in the order: the observer has received every entry at an earlier position, and receives later entries
  afterwards. Change memberships there, not after the `await`, because by then later entries may have been delivered.
- **No silent gap.** When the link to the primary is lost the log is held: nothing is delivered, and `cut` does not move. On
  the next link the observer first learns which sockets were claimed elsewhere, then gets the missed entries, in order, then
  `on_live`. The log reports what cannot be shown to be complete: `on_incomplete` for a stream, `on_loss` for everything.
- **Fencing.** Of all sockets that ever held a session, only the one with the newest claim can still act for it. All others
  get `Fenced`, and `on_fenced` wherever they are.
- **Every call ends** within its timeout: with `Unavailable` if nothing was done, with `OutcomeUnknown` if it may have been
  done. Everything that is held has a limit.

A server uses the log in this order:

- start: `subscribe` nothing, `start(observer)`.
- `sessions.new_node_id`, `new_pid` and `sid_of` create the ids.
- a new client: `subscribe(namespace_stream(nsp))`, as for each client, `open(..., then=enter it)`, the CONNECT reply.
- join: `subscribe(room)`, for each member on this node, `join(..., then=add it)`, the ack. Leave: `leave(..., then=remove
  it)`, `unsubscribe(room)`, the ack. `OutcomeUnknown`: close the transport.
- a ping: keep the value of `offset()` when the ping is written; its pong: `receipt(tenure, that offset)`.
- `on_live`: ping every client, so that its session is confirmed in an epoch that may be new.
- a lost transport: `release(tenure)`, `unsubscribe` its streams. A DISCONNECT of the client's: `release`, `end`. A kick:
  `end`. A transport that is lost during an `open` or a claim is released after it.
- recovery: token; `claim`: on `NOT_YET` close the transport, on `GONE` or `DUEL` open a new session. `replay.base_of`: None
  means a new session. `subscribe` its namespace and its open rooms; `mark(then=enter it)`, after which live entries wait; if
  `epoch` has changed since the claim, close the transport. `read(replay.ranges_of(...))`: if a range is not complete, remove
  the client from its rooms, `end` the session and open a new one. CONNECT reply; `replay.merged` entries that are
  `replay.is_for` the client, each with its own offset; the live entries that waited; a ping. After `claim_deadline_s`: close
  the transport.

`tests/log/test_recovery_by_contract.py` does exactly this, in one page.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    """Another socket has claimed the session, or it has ended: this socket can no longer act for it."""

    default_message = "The session continues elsewhere, or has ended."


class NodeAway(Unavailable):
    """The node does not exist, or it did not answer in time."""

    default_message = "The node does not answer: try again."


class NodeBusy(NodeAway):
    """The node is overloaded, and did not perform the request."""

    default_message = "The node is overloaded: try again later."


class Published(msgspec.Struct, frozen=True, gc=False):
    """A message that is in the log.

    Attributes:
        position: Its position, or None if it is only known that an earlier try appended it.
        is_repeat: Whether it was in the log already, by an earlier try or the same message id.

    """

    position: Position | None
    is_repeat: bool = False


class LogObserver(Protocol):
    """Receives the log's reports in the log's order. These methods must not wait; `on_request` is a coroutine.

    If an observer raises on an entry, it has missed the entry, and `on_incomplete` follows for that stream.
    """

    def on_entry(self, entry: Entry) -> None:
        """Deliver an entry of a subscribed stream, or of a socket's own stream. `cut` is the entry's position."""

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """Deliver a message of a subscribed stream, or of a socket's own, that is not in the log."""

    def on_fenced(self, tenure: Tenure) -> None:
        """Drop a socket, because another socket holds its session, or the session has ended.

        Close its transport, and send no DISCONNECT, which could still reach the rightful client and keep it away.
        `LogConfig.max_claims` separates two tabs with the same ids.
        """

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all receivers of a stream, because its recent entries cannot be delivered completely."""

    def on_loss(self) -> None:
        """Close all transports, because the primary lost entries. No session is held any more, and all will be refused."""

    def on_held(self) -> None:
        """Note that the link is lost: nothing is delivered until `on_live`."""

    def on_live(self) -> None:
        """Note that the missed entries have been delivered, and that the log continues."""

    def on_request(self, sender: NodeId, body: bytes) -> Awaitable[bytes]:
        """Answer another node's request. It is called at the request's place among the entries.

        An exception of the result becomes `Unavailable` at the other node.
        """


class Unobserved:
    """The `LogObserver` of a log that has not been started, when there are neither reports nor requests."""

    def on_entry(self, entry: Entry) -> None:
        """Ignore it."""

    def on_volatile(self, stream: Stream, message: Message) -> None:
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

    async def on_request(self, sender: NodeId, body: bytes) -> bytes:  # noqa: ARG002 - the request is refused unread
        """Refuse the request; raise `NodeAway`."""
        raise NodeAway


class Log(Protocol):
    """The ordered log, as one gateway sees it. Call `start` first and `close` last."""

    @property
    def node(self) -> NodeId:
        """This incarnation of this gateway."""

    @property
    def config(self) -> LogConfig:
        """Its times and limits."""

    @property
    def epoch(self) -> Epoch:
        """The epoch in which this gateway takes part. Empty before the first `on_live`."""

    @property
    def cut(self) -> Position:
        """The highest position received from the log. The observer has received everything up to it."""

    @property
    def is_live(self) -> bool:
        """Whether entries are delivered; otherwise the log is held."""

    @property
    def is_given_up(self) -> bool:
        """Whether the log has been held for as long as a call may take, so that calls fail immediately."""

    def offset(self) -> Offset:
        """Return epoch and cut: the offset of a frame that is written to a client now."""

    async def start(self, observer: LogObserver) -> None:
        """Connect, and deliver from now on.

        Raises:
            Unavailable: The primary does not answer; start again later.
            ConfigurationError: The primary, or the configuration, would lose messages.
            NodeNameTaken: Another live gateway has this one's name.

        """

    async def close(self) -> None:
        """Wait briefly for the answers to publishes under way, then disconnect. Idempotent; sessions stay."""

    def leave_loop(self) -> None:
        """Release an event loop that has ended without `close`.

        Afterwards the log is live on the next loop, or in the state before `start`.
        """

    async def check(self) -> None:
        """Check whether the log works at this moment; raise `Unavailable` if it does not."""

    # -- messages

    def publish(
        self, stream: Stream, message: Message, *, message_id: str = "", kept: Kept | None = None
    ) -> "asyncio.Future[Published]":
        """Append a message.

        Messages are appended in the order of the calls, awaited or not; those of a loop tick are sent together. The future raises
        the errors.

        Args:
            stream: The stream to append to.
            message: The message.
            message_id: An id that the sender chose; the message is appended once, however often it is sent. Prefix it with the
                sender's identity. At most 256 bytes. Default: none.
            kept: The entry for a history. It is appended in the same step, so that both exist or neither, and not again with a
                repeat. Default: none.

        Raises:
            NotFound: The stream is a socket's, and its session does not exist.
            TooLarge: The message id is too long.
            Unavailable: The message was not appended: no link in time, too many publishes wait, the primary has no memory left, or
                the message has `except_rooms` and a registered gateway has not announced that it reads them (`NotReadByAll`).
            OutcomeUnknown: The message may or may not have been appended.

        """

    def publish_volatile(self, stream: Stream, message: Message) -> None:
        """Pass a message to the gateways that are live now, this one included, without appending it.

        Each observer gets it at most once, between two entries; its place among them is not promised. The message is dropped and
        counted, never kept for later, if there is no live link or the primary is behind with earlier ones. Gateways of versions
        without volatile messages ignore it. Nothing is raised.
        """

    def subscribe(self, stream: Stream) -> None:
        """Deliver a stream. Subscriptions are counted, so each call needs its `unsubscribe`.

        A subscription has taken effect when the next operation calls its `then`; entries that others publish before may be missed.

        Sockets' streams need no subscription: those of the sessions that are held here are delivered.
        """

    def unsubscribe(self, stream: Stream) -> None:
        """Remove one subscription. The last removal ends the delivery."""

    async def mark(self, then: Then | None = None) -> Position:
        """Return the present last position of the log, which follows every earlier entry.

        Raises:
            Unavailable: There was no link in time.

        """

    async def read(self, ranges: Sequence[Range], *, max_entries: int, max_bytes: int) -> Sequence[Reading]:
        """Read ranges of streams, and determine whether they are complete.

        Positions belong to the present epoch, so the call does not wait for another link. A room is read once for all callers at
        about the same time.

        Args:
            ranges: The ranges to read.
            max_entries: Maximum number of entries of each.
            max_bytes: Approximate maximum size of the messages of each.

        Raises:
            Unavailable: The log is held, or the answer did not come in time.

        """

    async def newest(self, stream: Stream, *, limit: int) -> Sequence[Entry]:
        """Return the newest entries of a stream, oldest first, without a statement about completeness."""

    # -- sessions

    async def open(self, session: NewSession, then: Then | None = None) -> Tenure:
        """Begin a session, held by this node from `then` on.

        Raises:
            Unavailable: Nothing was done.
            OutcomeUnknown: Close the transport; a session that may have begun expires by itself.

        """

    async def join(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """Make a session a member of a room from `then` on; return the position where the membership begins.

        A repeated join does not change the membership. Call `subscribe` first.

        Raises:
            Fenced: The socket no longer holds the session; `on_fenced` was called.
            RateLimited: The session joined and left the room too often.
            Unavailable: Nothing was done.
            OutcomeUnknown: Close the transport. The session has the outcome, and the client will recover.

        """

    async def leave(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """End a membership; raises as `join`. Earlier entries can still be recovered until they are confirmed."""

    async def claim(self, sid: Sid, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """Take over a session and fence its present holder. A claim does not extend the session's life.

        Raises:
            Unavailable: Nothing was done; close the transport.
            OutcomeUnknown: Close the transport; the client can claim it again.

        """

    def holds(self, tenure: Tenure) -> bool:
        """Return whether a socket of this node still holds a session, as far as this node knows.

        A claim registers a socket here before its server admits it, and a fence that arrives in between finds nothing to close.
        Call this in the `then` that admits a socket, and close its transport if the answer is no.
        """

    async def save(self, tenure: Tenure, data: bytes) -> None:
        """Store a session's data; raises as `join`."""

    async def end(self, sid: Sid, claim: int | None = None) -> bool:
        """Delete a session, because its client disconnected or is kicked. A holder on another node is fenced.

        Args:
            sid: The session. If a socket of this node holds it, `on_fenced` is called, unless it was released.
            claim: End the session only if it has this claim. Default: any claim.

        Returns:
            Whether there was such a session.

        """

    async def find(self, sid: Sid) -> SessionOwner | None:
        """Return the location of a session, for operations from other nodes."""

    async def present(self, stream: Stream, *, limit: int, max_bytes: int = MAX_PRESENT_BYTES) -> Attendance:
        """Return the sessions in a room, in no particular order, including those that wait for their client.

        A session is in a room from its `join` until its `leave` or its end, whatever happens to gateways.

        Args:
            stream: The room's stream.
            limit: Maximum number of sessions in the result.
            max_bytes: Maximum total size of their `about` and `data`. `0` reads neither.

        Raises:
            Unavailable: The room cannot be read now.

        """

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """Note that a client has everything up to an offset, because it answered the ping that was written there.

        Receipts keep sessions alive and confirm them. They are sent together within a fraction of a second. A receipt is ignored
        if this node does not hold the session.
        """

    def release(self, tenure: Tenure) -> None:
        """Release a socket of this node; its session waits for its client. Idempotent."""

    # -- nodes

    async def nodes(self) -> Mapping[str, tuple[NodeId, str]]:
        """Return the live nodes: name → incarnation and internal address."""

    async def request(self, node: NodeId, body: bytes, *, timeout_s: float) -> bytes:
        """Send a request to another node (or this one), and return its answer.

        The request follows the entries that this gateway published before: an observer that receives such an entry receives it
        before the request.

        Raises:
            NodeAway: The node does not exist, it failed, or it did not answer in time; it may have performed the request.
            NodeBusy: The node did not perform the request, because `LogObserver.on_request` raised RateLimited.

        """

    async def request_all(self, body: bytes, *, timeout_s: float) -> Mapping[NodeId, bytes | None]:
        """Send a request to all live nodes, this one included; the answer of a node that did not answer in time is None."""
