"""Reads what `@socket.io/redis-streams-emitter` appends: each event is in the log once, in the stream's order.

The id of an entry is the message id of its event, and how far the stream was read is stored after its events are in the log. A gateway
that takes the lease begins there, and the log drops what its predecessor had published. Because both publish in the stream's order, each
event is in the log once and in order even while the two overlap, for as long as the log remembers message ids. Joins, leaves and
disconnects are repeated in that case. Volatile events and events for servers are performed after the position is stored, so they
happen at most once.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from roomwire.app.nodejs import scripts
from roomwire.app.nodejs.entries import message_of
from roomwire.app.nodejs.errors import LeaseLost, Reason
from roomwire.app.nodejs.lease import Lease, Place
from roomwire.app.nodejs.messages import MAX_MESSAGE_BYTES, Broadcast, Message, ServerSide
from roomwire.app.nodejs.speaker import Speaker
from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependency
from roomwire.metrics.nodejs import EmitterMetrics

MAX_TOGETHER: Final = 100
MAX_TOGETHER_BYTES: Final = 200_000
"""At most one call of the log's script, which appends all or nothing, so that an event that is tried again is overtaken by none."""
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.05
_RETRY_S: Final = 0.5
_BEGINNING: Final = Place("0-0", 0)
_PAGE_SHA: Final = hashlib.sha1(scripts.PAGE.encode(), usedforsecurity=False).hexdigest()


class Page(msgspec.Struct, frozen=True):
    """Some entries of a stream, and its state.

    Attributes:
        last: The id of the last entry that was ever appended.
        appended: The number of entries that ever were.
        length: The number of entries that are left.
        entries: The id of each, and its fields, or None if they are too large.

    """

    last: str
    appended: int
    length: int
    entries: Sequence[tuple[str, Mapping[bytes, bytes] | None]]

    @classmethod
    def of(cls, answer: Sequence[Any]) -> "Page":
        """Return the page of a script's answer."""
        last, appended, length, *flat = answer
        return cls(last.decode(), int(appended), int(length), [*_pairs(flat)])


class StreamReader:
    """Reads one stream, and performs its messages.

    Args:
        client: The emitters' Redis; closed by `close`.
        stream: The name of the stream.
        lease: Stores the position.
        speaker: Performs messages.
        metrics: Shows the lag.
        dependency: Records whether the stream can be read.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        stream: str,
        lease: Lease,
        speaker: Speaker,
        metrics: EmitterMetrics,
        dependency: Dependency,
    ) -> None:
        self._client = client
        self._stream = stream
        self._lease = lease
        self._speaker = speaker
        self._metrics = metrics
        self._dependency = dependency
        self._place = Place()

    async def run(self, place: Place) -> None:
        """Read from a position until cancelled, or until the lease is lost.

        Args:
            place: How far the stream was read. Without a position, reading begins at the present end.

        """
        self._place = place
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                try:
                    has_read = await self._read()
                except (RedisError, OSError, TimeoutError) as error:
                    self._dependency.failed(error)
                    await asyncio.sleep(_RETRY_S)
                except Unavailable:
                    # The gateway reports its log by itself.
                    await asyncio.sleep(_RETRY_S)
                else:
                    self._dependency.works()
                    pause_s = _FIRST_PAUSE_S if has_read else min(2 * pause_s, _LONGEST_PAUSE_S)
                    if not has_read:
                        await asyncio.sleep(pause_s)
        except LeaseLost:
            return
        finally:
            self._metrics.lag.set(0)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def _read(self) -> bool:
        """Perform the next entries; return False if there were none."""
        page = await self._page()
        if not self._place.position:
            await self._advance(Place(page.last, page.appended))
            return False
        if page.appended < self._place.count:
            # It was deleted, and what it has now was appended afterwards.
            self._place = _BEGINNING
            return bool(page.length)
        trimmed = page.appended - page.length - self._place.count
        if trimmed > 0:
            self._speaker.lose("trimmed", trimmed, stream=self._stream)
            self._place = Place(self._place.position, self._place.count + trimmed)
        self._metrics.lag.set(page.appended - self._place.count)
        if page.entries:
            await self._perform(page.entries)
            self._metrics.lag.set(page.appended - self._place.count)
        return bool(page.entries)

    async def _page(self) -> Page:
        # A script that only reads, so that the right to read the stream is enough.
        arguments = (self._place.position, MAX_TOGETHER, MAX_TOGETHER_BYTES, MAX_MESSAGE_BYTES)
        called: tuple[Any, ...] = (1, self._stream, *arguments)
        try:
            answer = await self._client.evalsha_ro(_PAGE_SHA, *called)
        except NoScriptError:
            answer = await self._client.eval_ro(scripts.PAGE, *called)
        return Page.of(answer)

    async def _perform(self, entries: Sequence[tuple[str, Mapping[bytes, bytes] | None]]) -> None:
        events: list[tuple[Broadcast, str]] = []
        place = self._place
        for position, fields in entries:
            place = Place(position, place.count + 1)
            message_id = f"{self._stream}:{position}"
            message = self._message(fields, message_id)
            if isinstance(message, Broadcast) and not message.is_volatile:
                if message.audience.except_rooms:
                    # It alone may have to wait until no gateway is left that cannot leave out rooms.
                    await self._publish(events)
                events.append((message, message_id))
                if message.audience.except_rooms:
                    await self._publish(events)
            elif message is not None:
                await self._publish(events)
                await self._other(message, message_id, place)
        await self._publish(events)
        if place != self._place:
            await self._advance(place)

    def _message(self, fields: Mapping[bytes, bytes] | None, where: str) -> Message | None:
        if fields is None:
            self._speaker.refuse(Reason.TOO_LARGE, where)
            return None
        return self._speaker.read(partial(message_of, fields), where)

    async def _other(self, message: Message, where: str, place: Place) -> None:
        is_at_most_once = isinstance(message, Broadcast | ServerSide)
        if is_at_most_once:
            await self._advance(place)
        self._lease.check()
        await self._speaker.perform(message, where)
        if not is_at_most_once:
            await self._advance(place)

    async def _publish(self, events: list[tuple[Broadcast, str]]) -> None:
        """Publish events until all are in the log, and forget them."""
        while events:
            self._lease.check()
            failures = await self._speaker.broadcast(events)
            first = next((at for at, failure in enumerate(failures) if failure is not None), len(events))
            del events[:first]
            if events:
                await asyncio.sleep(_RETRY_S)

    async def _advance(self, place: Place) -> None:
        await self._lease.advance(place)
        self._place = place


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[str, Mapping[bytes, bytes] | None]]:
    for entry_id, parts in zip(flat[::2], flat[1::2], strict=True):
        fields = None if isinstance(parts, int) else dict(zip(parts[::2], parts[1::2], strict=True))
        yield entry_id.decode(), fields
