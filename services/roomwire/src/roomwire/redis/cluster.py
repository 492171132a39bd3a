"""The primary of a cluster that has a slot.

All keys and channels of the log carry one hash tag, so one primary at a time has all of it, and everything that holds
for a single server holds in a cluster. When the slot moves, that is another incarnation of the primary, as after a
failover; while it is moved key by key, what needs keys of both sides is refused, and nothing half done.
"""

from collections.abc import Sequence
from typing import Final

from roomwire.errors import RoomwireError
from roomwire.redis.address import RedisAddress
from roomwire.redis.link import ReplyError, ask_once
from roomwire.redis.url import Host

_NAME: Final = "roomwire-finds"
_MAX_MOVES: Final = 5


class ClusterPrimaries:
    """Asks members in turn for a key, the one first that had it last, and goes where they send it.

    Args:
        members: Some members of the cluster, and how to log in there. Others log in in the same way.
        key: Any key of the slot.
        timeout_s: How long each may take to answer.

    """

    def __init__(self, members: Sequence[RedisAddress], *, key: bytes, timeout_s: float) -> None:
        self._members = list(members)
        self._last: RedisAddress | None = None
        self._key = key
        self._timeout_s = timeout_s

    def __str__(self) -> str:
        return ",".join(map(str, self._members))

    async def find(self) -> RedisAddress:
        """See `Primaries`; takes at most six times the timeout for each member."""
        problems: list[str] = []
        last: Exception | None = None
        members = [self._last, *self._members] if self._last is not None else self._members
        for member in members:
            try:
                self._last = await self._sent_by(member)
            except (OSError, RoomwireError) as error:
                problems.append(f"{member}: {str(error) or 'no answer in time'}")
                last = error
            else:
                return self._last
        raise OSError(f"no member of the cluster leads to the primary ({'; '.join(problems)})") from last

    async def _sent_by(self, member: RedisAddress) -> RedisAddress:
        for _ in range(_MAX_MOVES + 1):
            answer = await ask_once(member, b"EXISTS", self._key, name=_NAME, timeout_s=self._timeout_s)
            # Asks to be followed elsewhere for a key: the slot is being moved away, but it is still here.
            if not isinstance(answer, ReplyError) or str(answer).startswith("ASK "):
                return member
            member = _moved(member, answer)
        raise OSError("the members send each other's clients to and fro")


def _moved(member: RedisAddress, answer: object) -> RedisAddress:
    kind, *rest = str(answer).split(" ")
    if kind != "MOVED":
        raise OSError(f"{member}: {answer}")
    # An IPv6 address stands there without brackets; without an address it is the one that was asked.
    host, _, port = rest[-1].rpartition(":")
    return member.at(Host(host or member.host, int(port)))
