"""Leads from a new pair of links to a log that is live again.

The steps are: attach; subscribe to everything; learn which sockets were claimed elsewhere; take a mark; read the missed entries up
to it; deliver them in order, then those that were pushed in the meantime. Until then the log is held, and nothing else uses the
log link.
"""

from secrets import token_urlsafe
from typing import Final

from roomwire.log.config import LogConfig
from roomwire.log.positions import EPOCH_SUFFIX_BYTES, Position
from roomwire.log.reading import Outcome, Range
from roomwire.log.redis.chunks import chunks
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.pair import Pair
from roomwire.log.redis.reads import Reads
from roomwire.log.redis.replies import attach_reply, heartbeat_reply, place_reply
from roomwire.log.redis.scripts import Scripts
from roomwire.log.replay import merged
from roomwire.log.sessions import NodeId, Tenure
from roomwire.log.subscriber import Interrupted, Subscriber
from roomwire.redis.link import Argument

EPOCHS_KEPT: Final = 64
SESSIONS_PER_CALL: Final = 256
_CHANNELS_PER_COMMAND: Final = 512
# The limits apply to one stream. If a gateway was away for longer, it tells the clients of that stream.
_MAX_MISSED_BYTES: Final = 16_777_216


class Resync:
    """Brings a gateway up to date over a pair of links.

    Args:
        node: The gateway.
        keys: Names of keys.
        scripts: The scripts that run on the primary.
        reads: Reads streams.
        config: The times and limits.
        subscriber: The gateway's state.

    """

    def __init__(
        self,
        *,
        node: NodeId,
        keys: Keys,
        scripts: Scripts,
        reads: Reads,
        config: LogConfig,
        subscriber: Subscriber,
    ) -> None:
        self._node = node
        self._keys = keys
        self._scripts = scripts
        self._reads = reads
        self._config = config
        self._subscriber = subscriber

    async def run(self, pair: Pair) -> None:
        """Perform all steps; afterwards the log is live.

        Raises:
            LinkLost: The links were lost in the meantime.
            ReplyError: The primary refused.
            Interrupted: Another epoch has begun in the meantime.

        """
        subscriber = self._subscriber
        await self._attach(pair)
        pair.is_subscribed = True
        pair.log.subscribe([self._keys.node(self._node)])
        for streams in chunks(subscriber.subscriptions(), _CHANNELS_PER_COMMAND):
            pair.log.subscribe([self._keys.channel(stream) for stream in streams])
        await self._drop_fenced(pair)
        mark = await self._mark(pair)
        ranges = [Range(stream, subscriber.cut, mark) for stream in subscriber.served()]
        # The limits apply to each stream: only the clients of one busy room are told, and the others continue.
        readings = await self._reads.read(
            pair.bulk,
            subscriber.epoch,
            ranges,
            max_entries=self._config.most_entries * 2,
            max_bytes=_MAX_MISSED_BYTES,
        )
        if pair.is_lost:
            return
        whole = [one.entries for one in readings if one.outcome is Outcome.COMPLETE]
        subscriber.incomplete(one.range.stream for one in readings if one.outcome is not Outcome.COMPLETE)
        subscriber.resume(merged(whole), mark)

    async def _attach(self, pair: Pair) -> None:
        subscriber = self._subscriber
        suffix = token_urlsafe(EPOCH_SUFFIX_BYTES)
        arguments: list[Argument] = [subscriber.epoch, subscriber.known, suffix, EPOCHS_KEPT]
        reply = await pair.log.ask_script(self._scripts.attach, [self._keys.log], arguments)
        is_whole, epoch, last = attach_reply(reply)
        # A gateway that was never live, or that lost everything, has no clients that could have missed an entry.
        is_beginning = not subscriber.epoch or not is_whole
        subscriber.attached(epoch, is_whole=is_whole)
        if is_beginning:
            subscriber.advance(last)
        subscriber.learn(last)

    async def _drop_fenced(self, pair: Pair) -> None:
        held = self._subscriber.held()
        for tenures in chunks(held, SESSIONS_PER_CALL):
            keys = [self._keys.log, *(self._keys.session(tenure.sid) for tenure in tenures)]
            arguments: list[Argument] = [self._subscriber.epoch, _ttl_ms(self._config)]
            for tenure in tenures:
                arguments += (tenure.claim, 0, 0)
            _, fenced = heartbeat_reply(await pair.log.ask_script(self._scripts.heartbeat, keys, arguments))
            for number in fenced:
                fence(self._subscriber, tenures[number - 1])

    async def _mark(self, pair: Pair) -> Position:
        reply = await pair.log.ask(b"HMGET", self._keys.log, b"seq", b"epoch")
        last = place_reply(reply, self._subscriber.epoch)
        if last is None:
            raise Interrupted("another epoch")
        return last


def fence(subscriber: Subscriber, tenure: Tenure) -> None:
    """Drop the socket of a tenure that no longer holds its session."""
    subscriber.fence(tenure.sid, tenure.claim + 1)


def _ttl_ms(config: LogConfig) -> int:
    return int(config.session_ttl_s * 1000)
