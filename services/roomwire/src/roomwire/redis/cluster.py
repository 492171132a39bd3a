"""Finds the primary of the cluster that has a slot.

All keys and channels of the log carry one hash tag, so one primary at a time has the whole log, and everything that is true for a single
server is true for a cluster. A move of the slot is another incarnation of the primary, as after a failover. While the slot is moved key
by key, operations that need keys of both sides are refused, and no operation is done in part.
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
    """Asks members in turn for a key, beginning with its last holder, and follows their redirections.

    Args:
        members: Some members of the cluster, with their login, which all members share.
        key: Any key of the slot.
        timeout_s: Time limit for each member's answer.

    """

    def __init__(self, members: Sequence[RedisAddress], *, key: bytes, timeout_s: float) -> None:
        self._members = list(members)
        self._last: RedisAddress | None = None
        self._key = key
        self._timeout_s = timeout_s

    def __str__(self) -> str:
        return ",".join(map(str, self._members))

    async def find(self) -> RedisAddress:
        """See `Primaries`. The search takes at most six times the timeout for each member."""
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
            # An ASK redirection for a key: the slot is being moved away, but it is still here.
            if not isinstance(answer, ReplyError) or str(answer).startswith("ASK "):
                return member
            member = _moved(member, answer)
        raise OSError("the members redirect clients to each other")


def _moved(member: RedisAddress, answer: object) -> RedisAddress:
    kind, *rest = str(answer).split(" ")
    if kind != "MOVED":
        raise OSError(f"{member}: {answer}")
    # An IPv6 address has no brackets here. An empty address denotes the member that was asked.
    host, _, port = rest[-1].rpartition(":")
    return member.at(Host(host or member.host, int(port)))
