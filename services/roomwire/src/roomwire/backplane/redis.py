"""The backplane on Redis or Valkey.

Who is in which room and what was said there lately, beside the ordered log, which has connections of its own.

Keys (all carry one hash tag, so that a cluster keeps them together):

====================================  ========================================================
``<prefix>:{0}:rooms``                zset: room → number of members
``<prefix>:{0}:presence:<room>``      hash: socket id → member, as JSON
``<prefix>:{0}:nodes``                zset: node → its last sign of life, seconds by Redis' clock
``<prefix>:{0}:members:<node>``       set: "<socket id> <room>" of each membership of that node
``<prefix>:{0}:history:<room>``       stream: one field `e` an entry
====================================  ========================================================
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any, Final

import msgspec
import redis.asyncio
from redis.exceptions import RedisError

from roomwire.backplane.contract import (
    HISTORY_ENTRIES,
    HISTORY_TTL_S,
    NODE_HEARTBEAT_S,
    NODE_TTL_S,
    Member,
    RoomSize,
)
from roomwire.backplane.log import HELD, Log
from roomwire.errors import Unavailable
from roomwire.logs import get_logger

_log = get_logger(__name__)

_REAP_BATCH: Final = 200
_CANCEL_AGAIN_S: Final = 0.1

# KEYS presence, members, rooms; ARGV sid, member, room, prefix of members
# Whoever was recovered here was entered by another node before: that one must not take it out again.
_ENTER: Final = """
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before then
  redis.call('SREM', ARGV[4] .. cjson.decode(before)['gateway'], ARGV[1] .. ' ' .. ARGV[3])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1] .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[3], redis.call('HLEN', KEYS[1]), ARGV[3])
"""

# KEYS presence, members, rooms; ARGV sid, room
_LEAVE: Final = """
if redis.call('SREM', KEYS[2], ARGV[1] .. ' ' .. ARGV[2]) == 0 then return end
redis.call('HDEL', KEYS[1], ARGV[1])
local left = redis.call('HLEN', KEYS[1])
if left == 0 then redis.call('ZREM', KEYS[3], ARGV[2]) else redis.call('ZADD', KEYS[3], left, ARGV[2]) end
"""

# KEYS nodes; ARGV node, time to live in seconds; returns {1 if the node was not known, dead nodes}
_HEARTBEAT: Final = """
local now = tonumber(redis.call('TIME')[1])
local new = redis.call('ZADD', KEYS[1], now, ARGV[1])
return {new, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))}
"""


class RedisBackplane:
    """Implements `Backplane` on Redis or Valkey.

    Args:
        client: The connections; closed by `close`.
        log: The ordered log.
        node: This gateway's name; what an earlier process of that name left behind is cleaned up at start.
        prefix: What every key begins with.
        timeout_s: How long one call may take.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        log: Log,
        node: str,
        prefix: str = "rw",
        timeout_s: float = 1.0,
    ) -> None:
        self.log = log
        self._client = client
        self._node = node
        self._prefix = f"{prefix}:{{0}}:"
        self._timeout_s = timeout_s
        self._enter_script = client.register_script(_ENTER)
        self._leave_script = client.register_script(_LEAVE)
        self._heartbeat_script = client.register_script(_HEARTBEAT)
        self._own: dict[tuple[str, str], Member] = {}
        self._owed_leaves: set[tuple[str, str]] = set()
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Backplane`."""
        await self.ping()
        await self._reap(self._node)
        await self._heartbeat()
        if self._beating is None:
            # It may be started again, when what else has to start could not.
            self._beating = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """See `Backplane`."""
        if self._beating is not None:
            await _end(self._beating)
            self._beating = None
        with contextlib.suppress(Unavailable):
            await self._reap(self._node)
        self._own.clear()
        await self._client.aclose()

    async def ping(self) -> None:
        """Ask Redis for a sign of life; raises `Unavailable`."""
        await self._ask(self._client.ping())

    async def check(self) -> None:
        """See `Backplane`."""
        await self.ping()
        await self.log.check()

    async def enter(self, room: str, member: Member) -> None:
        """See `Backplane`."""
        self._own[room, member.id] = member
        self._owed_leaves.discard((room, member.id))
        await self._enter(room, member)

    async def leave(self, room: str, sid: str) -> None:
        """See `Backplane`."""
        self._own.pop((room, sid), None)
        # Until Redis confirms it, each heartbeat tries again: no ghost stays in the room.
        self._owed_leaves.add((room, sid))
        await self._leave(self._node, room, sid)
        self._owed_leaves.discard((room, sid))

    async def members(self, room: str, *, limit: int = 100) -> tuple[int, Sequence[Member]]:
        """See `Backplane`."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hlen(self._presence(room))
            pipe.hrandfield(self._presence(room), limit, withvalues=True)
            count, flat = await self._ask(pipe.execute())
        return count, [msgspec.json.decode(value, type=Member) for value in flat[1::2]]

    async def rooms(self, *, limit: int = 100) -> Sequence[RoomSize]:
        """See `Backplane`."""
        found = await self._ask(self._client.zrevrange(f"{self._prefix}rooms", 0, limit - 1, withscores=True))
        return [RoomSize(room=room.decode(), members=int(members)) for room, members in found]

    async def remember(self, room: str, entry: bytes) -> None:
        """See `Backplane`."""
        key = f"{self._prefix}history:{room}"
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.xadd(key, {"e": entry}, maxlen=HISTORY_ENTRIES, approximate=False)
            pipe.expire(key, HISTORY_TTL_S)
            await self._ask(pipe.execute())

    async def recall(self, room: str, *, limit: int = 50) -> Sequence[bytes]:
        """See `Backplane`."""
        newest_first = await self._ask(self._client.xrevrange(f"{self._prefix}history:{room}", count=limit))
        return [fields[b"e"] for _, fields in reversed(newest_first)]

    def _presence(self, room: str) -> str:
        return f"{self._prefix}presence:{room}"

    def _room_keys(self, node: str, room: str) -> list[str]:
        return [self._presence(room), f"{self._prefix}members:{node}", f"{self._prefix}rooms"]

    async def _enter(self, room: str, member: Member) -> None:
        arguments: list[str | bytes] = [
            member.id,
            msgspec.json.encode(member),
            room,
            f"{self._prefix}members:",
        ]
        await self._ask(self._enter_script(keys=self._room_keys(self._node, room), args=arguments))

    async def _leave(self, node: str, room: str, sid: str) -> None:
        await self._ask(self._leave_script(keys=self._room_keys(node, room), args=[sid, room]))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(NODE_HEARTBEAT_S)
            try:
                await self._heartbeat()
            except Unavailable as error:
                _log.warning("node heartbeat failed", error=error.message)

    async def _heartbeat(self) -> None:
        """Say that this node lives; clean up after nodes that died, and come back if others gave us up."""
        keys = [f"{self._prefix}nodes"]
        new, dead = await self._ask(self._heartbeat_script(keys=keys, args=[self._node, NODE_TTL_S]))
        if new:
            for (room, sid), member in list(self._own.items()):
                if (room, sid) in self._own:
                    await self._enter(room, member)
        for room, sid in list(self._owed_leaves):
            if (room, sid) in self._owed_leaves:
                await self.leave(room, sid)
        for node in dead:
            await self._reap(node.decode())

    async def _reap(self, node: str) -> None:
        """Take all members of a node out of their rooms, and forget the node."""
        key = f"{self._prefix}members:{node}"
        while memberships := await self._ask(self._client.srandmember(key, _REAP_BATCH)):
            for membership in memberships:
                sid, _, room = membership.decode().partition(" ")
                await self._leave(node, room, sid)
        await self._ask(self._client.zrem(f"{self._prefix}nodes", node))

    async def _ask(self, command: Awaitable[Any]) -> Any:
        if self.log.is_given_up:
            # It is the same Redis, and one event after another would wait for it.
            if asyncio.iscoroutine(command):
                command.close()
            raise Unavailable(HELD)
        return await _within(self._timeout_s, command)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and await its end; redis-py can lose a cancellation that comes while it connects."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_S)


async def _within(timeout_s: float, command: Awaitable[Any]) -> Any:
    """Await an answer of Redis; translate what can go wrong with it, once for this module."""
    try:
        async with asyncio.timeout(timeout_s):
            return await command
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("The backplane does not answer: try again.") from error
