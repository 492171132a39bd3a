"""Reads streams over the bulk link in pages, several streams in a call."""

import asyncio
from collections.abc import Sequence
from typing import Final

from roomwire.log.entries import Entry
from roomwire.log.positions import Epoch, Position
from roomwire.log.reading import Page, Range, RangeReader, Reading
from roomwire.log.redis.chunks import chunks
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.replies import newest_reply, pages_reply
from roomwire.log.streams import Stream
from roomwire.redis.link import Argument, RedisLink
from roomwire.redis.script import Script

PAGE_ENTRIES: Final = 64
PAGE_BYTES: Final = 65_536
STREAMS_PER_CALL: Final = 16
_MAX_READS: Final = 8


class Reads:
    """Reads pages and assembles them.

    Args:
        keys: Names of keys.
        script: The script that returns pages.

    """

    def __init__(self, keys: Keys, script: Script) -> None:
        self._keys = keys
        self._script = script
        # A storm of readers waits here, and not in the connection, where publishes would wait behind them.
        self._turns = asyncio.Semaphore(_MAX_READS)

    async def read(
        self,
        link: RedisLink,
        epoch: Epoch,
        ranges: Sequence[Range],
        *,
        max_entries: int,
        max_bytes: int,
        takes_rest: bool = False,
    ) -> Sequence[Reading]:
        """Return the entries of ranges; see `Log.read`, and `RangeReader` for `takes_rest`.

        Raises:
            LinkLost: The link was lost in the meantime.
            ReplyError: The primary refused.

        """
        readers = [
            RangeReader(one, max_entries=max_entries, max_bytes=max_bytes, takes_rest=takes_rest)
            for one in ranges
        ]
        while unread := [reader for reader in readers if reader.is_open]:
            for together in chunks(unread, STREAMS_PER_CALL):
                pages = await self._pages(link, epoch, [(one.range, one.cursor) for one in together])
                for reader, page in zip(together, pages, strict=True):
                    reader.add(page)
        return [reader.result() for reader in readers]

    async def newest(self, link: RedisLink, stream: Stream, *, limit: int) -> Sequence[Entry]:
        """Return the newest entries of a stream, oldest first; raises as `read`."""
        async with self._turns:
            found = await link.ask(b"XREVRANGE", self._keys.stream(stream), b"+", b"-", b"COUNT", limit)
        return newest_reply(stream, found)

    async def _pages(
        self, link: RedisLink, epoch: Epoch, wanted: Sequence[tuple[Range, Position]]
    ) -> Sequence[Page]:
        keys = [self._keys.log, *(self._keys.stream(one.stream) for one, _ in wanted)]
        arguments: list[Argument] = [epoch, PAGE_ENTRIES, PAGE_BYTES]
        for one, cursor in wanted:
            arguments += (cursor, one.upto)
        async with self._turns:
            pages = await link.ask_script(self._script, keys, arguments)
        return pages_reply(pages)
