"""The volatile messages of this gateway: one script call for those of a loop tick, and nothing that waits or is repeated."""

import asyncio
from collections.abc import Callable
from typing import Final

from roomwire.log.redis.keys import Keys
from roomwire.log.redis.supervisor import Supervisor
from roomwire.log.streams import Stream
from roomwire.log.subscriber import Subscriber
from roomwire.logs import get_logger
from roomwire.redis.link import Argument, LinkLost, ReplyError
from roomwire.redis.script import Script

MAX_UNDER_WAY: Final = 8
"""Maximum number of calls without an answer; with more, the primary is behind, and messages are dropped."""
MAX_TICK_BYTES: Final = 1_048_576
"""Maximum total size of the messages of a tick; further ones are dropped. A single one is sent whatever its size."""

_log = get_logger(__name__)


class VolatilePublisher:
    """Pushes messages that are not appended.

    Args:
        keys: Names of keys.
        script: The script that pushes.
        subscriber: Knows the epoch.
        supervisor: Has the links.
        count_dropped: Counts messages that were dropped here.

    """

    def __init__(
        self,
        *,
        keys: Keys,
        script: Script,
        subscriber: Subscriber,
        supervisor: Supervisor,
        count_dropped: Callable[[int], None],
    ) -> None:
        self._keys = keys
        self._script = script
        self._subscriber = subscriber
        self._supervisor = supervisor
        self._count_dropped = count_dropped
        self._tick: list[Argument] = []
        self._tick_bytes = 0
        self._under_way = 0

    def publish(self, stream: Stream, blob: bytes) -> None:
        """Push a message with the others of this tick; see `Log.publish_volatile`."""
        is_first = not self._tick
        if not is_first and self._tick_bytes + len(blob) > MAX_TICK_BYTES:
            self._count_dropped(1)
            return
        self._tick += (stream, blob)
        self._tick_bytes += len(blob)
        if is_first:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        messages, self._tick, self._tick_bytes = self._tick, [], 0
        count = len(messages) // 2
        pair = self._supervisor.pair
        if pair is None or not self._supervisor.is_live or self._under_way >= MAX_UNDER_WAY:
            self._count_dropped(count)
            return

        def answered(value: object) -> None:
            self._under_way -= 1
            if isinstance(value, LinkLost | ReplyError):
                # Another epoch is one of the reasons: the next heartbeat finds it.
                _log.debug("volatile messages dropped", error=str(value))
                self._count_dropped(count)

        self._under_way += 1
        arguments = (self._subscriber.epoch, self._keys.prefix, *messages)
        pair.bulk.call(self._script, [self._keys.log], arguments, answered)
