"""What operations over all nodes answer. Plain data: `roomwire.cluster.operations` makes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from roomwire.identity.tokens import User
from roomwire.log.sessions import NodeId


class RemoteSocket(msgspec.Struct, frozen=True):
    """A connected client, on whatever node it is.

    Attributes:
        sid: Its id in the namespace.
        node: The node it is on, as it names itself among the nodes that are `missing`.
        user: Who it is.
        address: Its address, as far as proxies are trusted.
        user_agent: As it says; at most 512 characters. Its token, cookies and query stay on its node.
        origin: The same, of the page.
        connected_s: For how many seconds it has been connected.
        recovered: Whether it came back to its session.
        rooms: The rooms it is in, beside its own.
        data: What `save_session` stored. None if MessagePack cannot hold it.

    """

    sid: str
    node: str
    user: User
    address: str
    user_agent: str
    origin: str
    connected_s: float
    recovered: bool
    rooms: tuple[Any, ...]
    data: Any


class Sockets(msgspec.Struct, frozen=True):
    """The clients that were found.

    Attributes:
        sockets: Of all nodes that answered.
        total: How many there are on those nodes; more than in `sockets` if a bound was met.
        missing: The nodes that did not answer.

    """

    sockets: Sequence[RemoteSocket]
    total: int
    missing: Sequence[NodeId]

    @property
    def is_complete(self) -> bool:
        """Whether nobody is left out."""
        return not self.missing and self.total == len(self.sockets)


class About(msgspec.Struct, frozen=True, array_like=True):
    """What a session says of its client, beside its subject: `NewSession.about`. Elements may be added at its end."""

    name: str = ""
    kind: str = ""

    @classmethod
    def of(cls, user: User) -> bytes:
        """Return what is said of a user, encoded; what of it is no text, in ASCII."""
        try:
            return msgspec.msgpack.encode(cls(user.name, user.kind))
        except UnicodeEncodeError:
            return msgspec.msgpack.encode(cls(ascii(user.name), user.kind))

    @classmethod
    def decoded(cls, about: bytes) -> Self:
        """Read it; of nothing, there is nothing to say."""
        return msgspec.msgpack.decode(about, type=cls) if about else cls()


class Present(msgspec.Struct, frozen=True):
    """Somebody in a room, connected or away.

    Attributes:
        sid: Its id in the namespace.
        user_id: Who it is; empty for who is anonymous.
        user_name: What people see, as its token said when its session began; empty if a gateway of an earlier version let it
            in.
        user_kind: `account`, `guest`, `service` or `anonymous`; empty as the name.
        node: The node it is on, or was on last.
        is_connected: Whether it is; else it is away: its client may come back to its session, until that expires.
        data: What `save_session` stored. None if nothing was, or MessagePack cannot hold it.

    """

    sid: str
    user_id: str
    user_name: str
    user_kind: str
    node: NodeId
    is_connected: bool
    data: Any


class Presence(msgspec.Struct, frozen=True):
    """Who is in a room.

    Attributes:
        present: Who was found.
        total: How many there are; more than in `present` if a bound was met.
        missing: The nodes that hold some of them and did not answer, as one that died: they count as away.

    """

    present: Sequence[Present]
    total: int
    missing: Sequence[NodeId]

    @property
    def is_complete(self) -> bool:
        """Whether nobody is left out."""
        return self.total == len(self.present)

    @property
    def connected(self) -> Sequence[Present]:
        """Those that are connected."""
        return [one for one in self.present if one.is_connected]

    @property
    def users(self) -> Mapping[str, int]:
        """By the id of each user that is connected: how many of its sockets are in the room; anonymous ones are no user's."""
        return Counter(one.user_id for one in self.connected if one.user_kind != "anonymous")


class Acks(msgspec.Struct, frozen=True):
    """What clients answered.

    Attributes:
        answers: By client id: the ack's argument, None if it had none, a tuple if it had several.
        expected: How many clients were asked, on the nodes that answered.
        received: How many of them answered.
        dropped: How many of those answers were left out, as they were too large or nothing that MessagePack can hold.
        missing: The nodes that did not answer; how many clients they asked is not known.
        is_timed_out: Whether the time was up before all that were asked had answered.

    """

    answers: Mapping[str, Any]
    expected: int
    received: int
    dropped: int
    missing: Sequence[NodeId]
    is_timed_out: bool


class Changed(msgspec.Struct, frozen=True):
    """What became of an operation on all clients of a room.

    Attributes:
        done: For how many clients it was done.
        failed: For how many it was not, or not in time, or nobody knows.
        missing: The nodes that did not answer.

    """

    done: int
    failed: int
    missing: Sequence[NodeId]


class ServerResults(msgspec.Struct, frozen=True):
    """What other nodes answered.

    Attributes:
        answers: By node: what its handler returned; None where it was not asked for.
        missing: The nodes that did not answer in time, have no handler for the event, or whose handler failed.

    """

    answers: Mapping[NodeId, Any]
    missing: Sequence[NodeId]
