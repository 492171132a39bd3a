"""The results of operations on all nodes. They are plain data that `roomwire.cluster.operations` creates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from roomwire.identity.tokens import User
from roomwire.log.sessions import NodeId


class RemoteSocket(msgspec.Struct, frozen=True):
    """A connected client of any node.

    Attributes:
        sid: The client's id in the namespace.
        node: The node of the client, in the same form as in `missing`.
        user: The client's user.
        address: The client's address, as reported by trusted proxies.
        user_agent: The client's own User-Agent, at most 512 characters. Its token, cookies and query stay on its node.
        origin: The page's Origin, at most 512 characters.
        connected_s: The number of seconds for which the client has been connected.
        recovered: Whether the client has recovered its session.
        rooms: The rooms of the client, without its own.
        data: The data of `save_session`, or None if MessagePack cannot encode them.

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
        sockets: The clients of all nodes that answered.
        total: The number of clients on those nodes, which exceeds the length of `sockets` if a limit was reached.
        missing: The nodes that did not answer.

    """

    sockets: Sequence[RemoteSocket]
    total: int
    missing: Sequence[NodeId]

    @property
    def is_complete(self) -> bool:
        """Whether no client is left out."""
        return not self.missing and self.total == len(self.sockets)


class About(msgspec.Struct, frozen=True, array_like=True):
    """The description of a session's client without its subject: `NewSession.about`. Elements may be added at its end."""

    name: str = ""
    kind: str = ""

    @classmethod
    def of(cls, user: User) -> bytes:
        """Return the encoded description of a user; parts that are not valid text are written in ASCII."""
        try:
            return msgspec.msgpack.encode(cls(user.name, user.kind))
        except UnicodeEncodeError:
            return msgspec.msgpack.encode(cls(ascii(user.name), user.kind))

    @classmethod
    def decoded(cls, about: bytes) -> Self:
        """Decode a description; an empty one has no facts."""
        return msgspec.msgpack.decode(about, type=cls) if about else cls()


class Present(msgspec.Struct, frozen=True):
    """A member of a room, connected or away.

    Attributes:
        sid: The member's id in the namespace.
        user_id: The user's id. Empty for an anonymous client.
        user_name: The user's display name, from the token with which the session began. Empty if a gateway of an earlier version
            opened the session.
        user_kind: `account`, `guest`, `service` or `anonymous`. Empty in the same case as the name.
        node: The node that holds the session, or held it last.
        is_connected: Whether the client is connected. Otherwise it is away and may recover its session until that expires.
        data: The data of `save_session`, or None if there are none or MessagePack cannot encode them.

    """

    sid: str
    user_id: str
    user_name: str
    user_kind: str
    node: NodeId
    is_connected: bool
    data: Any


class Presence(msgspec.Struct, frozen=True):
    """The members of a room.

    Attributes:
        present: The members that were found.
        total: The number of members, which exceeds the length of `present` if a limit was reached.
        missing: The nodes that hold members and did not answer, because they died for example. Those members count as away.

    """

    present: Sequence[Present]
    total: int
    missing: Sequence[NodeId]

    @property
    def is_complete(self) -> bool:
        """Whether no member is left out."""
        return self.total == len(self.present)

    @property
    def connected(self) -> Sequence[Present]:
        """The connected members."""
        return [one for one in self.present if one.is_connected]

    @property
    def users(self) -> Mapping[str, int]:
        """The number of sockets in the room by the id of each connected user; anonymous clients are not included."""
        return Counter(one.user_id for one in self.connected if one.user_kind != "anonymous")


class Acks(msgspec.Struct, frozen=True):
    """The answers of clients.

    Attributes:
        answers: By client id: the ack's argument, None if it had none, or a tuple if it had several.
        expected: The number of clients that got the event, on the nodes that answered.
        received: The number of clients that answered.
        dropped: The number of answers that were left out, because they were too large or MessagePack cannot encode them.
        missing: The nodes that did not answer. The number of clients that they reached is unknown.
        is_timed_out: Whether the timeout came before all clients had answered.

    """

    answers: Mapping[str, Any]
    expected: int
    received: int
    dropped: int
    missing: Sequence[NodeId]
    is_timed_out: bool


class Changed(msgspec.Struct, frozen=True):
    """The outcome of an operation on all clients of a room.

    Attributes:
        done: The number of clients for which it was done.
        failed: The number of clients for which it was not done, not in time, or with an unknown outcome.
        missing: The nodes that did not answer.

    """

    done: int
    failed: int
    missing: Sequence[NodeId]


class ServerResults(msgspec.Struct, frozen=True):
    """The answers of other nodes.

    Attributes:
        answers: By node: the result of its handler, or None if no answer was requested.
        missing: The nodes that did not answer in time, have no handler for the event, or whose handler failed.

    """

    answers: Mapping[NodeId, Any]
    missing: Sequence[NodeId]
