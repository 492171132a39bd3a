"""For tests of what Node's emitters say: gateways that listen, and the bytes that emitters send.

`test_channels.py` and `test_entries.py` show that the packages send the same.
"""

import json

import msgspec
import redis.asyncio

from roomwire.app.nodejs.listener import Listener

LEASE = "rw:{0}:nodejs:lease"
STATE = "rw:{0}:nodejs:stream:socket.io"


def packet(event, *args, to=(), but=(), namespace="/", **flags):
    """Return an event and its options as both emitters describe it."""
    return (
        {"type": 2, "data": [event, *args], "nsp": namespace},
        {"rooms": list(to), "except": list(but), "flags": flags},
    )


class Emitters:
    """Both emitters, on one connection."""

    def __init__(self, url):
        self.redis = redis.asyncio.from_url(url)

    async def close(self):
        await self.redis.aclose()

    async def publish(self, event, *args, **options):
        """Publish an event as `@socket.io/redis-emitter` does."""
        said, opts = packet(event, *args, **options)
        rooms = opts["rooms"]
        channel = f"socket.io#{said['nsp']}#{f'{rooms[0]}#' if len(rooms) == 1 else ''}"
        await self.redis.publish(channel, msgspec.msgpack.encode(["emitter", said, opts]))

    async def request(self, kind, *, to=(), but=(), namespace="/", **more):
        """Publish a request as it does."""
        asked = {"type": kind, "opts": {"rooms": list(to), "except": list(but)}, **more}
        await self.redis.publish(f"socket.io-request#{namespace}#", json.dumps(asked))

    async def append(self, event, *args, **options):
        """Append an event as `@socket.io/redis-streams-emitter` does; returns the entry's id."""
        said, opts = packet(event, *args, **options)
        return await self.entry(3, {"packet": said, "opts": opts}, said["nsp"])

    async def entry(self, kind, data, namespace="/", *, stream="socket.io"):
        """Append any of its messages."""
        fields = {"uid": "emitter", "nsp": namespace, "type": str(kind), "data": json.dumps(data)}
        return await self.redis.xadd(stream, fields, maxlen=10_000)


def listener(node, url, **options):
    """Return the listener of a node, of both kinds unless told otherwise."""
    chosen = {"log_url": url, "emitters_url": url, "prefix": "rw", "key": "socket.io", "stream": "socket.io"}
    return Listener(node.server, node.metrics, **{**chosen, "timeout_s": 10.0, **options})


def opts(*, to=(), but=()):
    """Return the options of a message in the stream."""
    return {"rooms": list(to), "except": list(but), "flags": {}}
