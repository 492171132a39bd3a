"""Reads what `@socket.io/redis-emitter` publishes: each message at most once, as Redis has it only while it is published.

A message is lost if no gateway listens, if the connection is down, or if the log accepts nothing at that moment. It is never tried
again, because it may have been published.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from roomwire.app.nodejs.channels import Channels
from roomwire.app.nodejs.errors import LeaseLost
from roomwire.app.nodejs.messages import Broadcast, Message
from roomwire.app.nodejs.speaker import Speaker
from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependency

MAX_TOGETHER: Final = 100
_SILENT_S: Final = 1.0
_PAUSE_S: Final = 0.5


class ChannelReader:
    """Reads the channels of one key, and performs what is published on them.

    Args:
        client: The emitters' Redis; closed by `close`.
        channels: The channels.
        speaker: Performs messages.
        check: Raises `LeaseLost` if another gateway may be listening.
        dependency: Records whether the channels can be read.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        channels: Channels,
        speaker: Speaker,
        check: Callable[[], None],
        dependency: Dependency,
    ) -> None:
        self._client = client
        self._channels = channels
        self._speaker = speaker
        self._check = check
        self._dependency = dependency

    async def run(self) -> None:
        """Read until cancelled, or until the lease is lost."""
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    await subscription.psubscribe(*self._channels.patterns)
                    await self._read(subscription)
            except LeaseLost:
                return
            except (RedisError, OSError, TimeoutError) as error:
                self._dependency.failed(error)
            await asyncio.sleep(_PAUSE_S)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def _read(self, subscription: Any) -> None:
        is_asked = False
        while True:
            pushed = await subscription.get_message(timeout=_SILENT_S)
            if pushed is None:
                if is_asked:
                    raise TimeoutError("no answer in time")
                await subscription.ping()
                is_asked = True
                continue
            is_asked = False
            self._dependency.works()
            together = [pushed]
            while len(together) < MAX_TOGETHER and (more := await subscription.get_message(timeout=0)):
                together.append(more)
            await self._perform([one for one in together if one["type"] == "pmessage"])

    async def _perform(self, pushes: list[dict[str, Any]]) -> None:
        events: list[Broadcast] = []
        for push in pushes:
            channel = push["channel"]
            where = channel.decode(errors="replace")
            message = self._speaker.read(partial(self._channels.message, channel, push["data"]), where)
            if isinstance(message, Broadcast):
                events.append(message)
            elif message is not None:
                await self._publish(events)
                events = []
                await self._change(message, where)
        await self._publish(events)

    async def _publish(self, events: list[Broadcast]) -> None:
        if events:
            self._check()
            failures = await self._speaker.broadcast([(event, "") for event in events])
            if number := len(failures) - failures.count(None):
                self._speaker.lose("unpublished", number)

    async def _change(self, message: Message, where: str) -> None:
        self._check()
        try:
            await self._speaker.perform(message, where)
        except Unavailable:
            self._speaker.lose("unpublished")
