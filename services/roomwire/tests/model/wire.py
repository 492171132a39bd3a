"""A link as production's code sees it: what `Resync` and `Reads` ask, in Redis' words, and the replies in Redis' form."""

from collections.abc import Callable, Sequence
from typing import Any

from model.link import Link
from model.log import SILENT
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.scripts import Scripts
from roomwire.log.sessions import NodeId, Sid, Tenure
from roomwire.log.streams import Stream
from roomwire.redis.script import Script

KEYS = Keys("rw")
SCRIPTS = Scripts()
_ROOM = len(KEYS.stream(Stream(b"")))
_SESSION = len(KEYS.session(Sid("")))

Checked = Callable[[Any], Any]
"""Returns a reply, unless it says that the epoch is over, or comes too late: then it raises `Lost`."""


class Wire:
    """One of the two links; stands for a `RedisLink`."""

    def __init__(self, link: Link, node: NodeId, run: int, checked: Checked) -> None:
        self._link = link
        self._node = node
        self._run = run
        self._checked = checked

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Subscribe: the gateway's own channel, or those of streams."""
        if channels[0] == KEYS.node(self._node):
            self._link.tell("listen", self._node)
        else:
            self._link.tell("subscribe", *(KEYS.stream_of(channel) for channel in channels))

    async def ask(self, *command: Any) -> Any:
        """Ask for the last position and the epoch."""
        assert command == (b"HMGET", KEYS.log, b"seq", b"epoch")
        last, epoch = self._checked(await self._link.call("mark"))
        return [b"%d" % last, epoch.encode()]

    async def ask_script(self, script: Script, keys: Sequence[bytes], arguments: Sequence[Any]) -> Any:
        """Call a script."""
        return await getattr(self, f"_{script.name}")(keys[1:], arguments)

    async def _attach(self, _: Sequence[bytes], arguments: Sequence[Any]) -> Any:
        epoch, known, *_suffix = arguments
        reply = await self._link.call("attach", epoch, known, self._run)
        is_whole, epoch, last = self._checked(reply)
        return [int(is_whole), epoch.encode(), last]

    async def _heartbeat(self, keys: Sequence[bytes], arguments: Sequence[Any]) -> Any:
        tenures = [
            Tenure(Sid(key[_SESSION:].decode()), claim)
            for key, claim in zip(keys, arguments[2::3], strict=True)
        ]
        receipts = [
            (tenure, known, mode)
            for tenure, known, mode in zip(tenures, arguments[3::3], arguments[4::3], strict=True)
        ]
        assert all(mode == SILENT for _, _, mode in receipts)
        reply = await self._link.call("heartbeat", arguments[0], self._node, receipts)
        last, fenced = self._checked(reply)
        return [last, [tenures.index(tenure) + 1 for tenure in fenced]]

    async def _read(self, keys: Sequence[bytes], arguments: Sequence[Any]) -> Any:
        streams = [Stream(key[_ROOM:]) for key in keys]
        wanted = list(zip(streams, arguments[3::2], arguments[4::2], strict=True))
        pages = self._checked(await self._link.call("read", arguments[0], wanted))
        return [_raw(page) for page in pages]


class Pair:
    """Both links; stands for production's `Pair`."""

    def __init__(self, log: Wire, bulk: Wire, is_lost: Callable[[], bool]) -> None:
        self.log = log
        self.bulk = bulk
        self.is_subscribed = False
        self._is_lost = is_lost

    @property
    def is_lost(self) -> bool:
        """Whether they were given up."""
        return self._is_lost()


def _raw(page: Any) -> Any:
    if not page.is_there:
        return None
    flat = [each for entry in page.entries for each in entry]
    return [int(page.is_whole), int(page.has_more), flat, page.last or 0]
