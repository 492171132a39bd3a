"""The publishes of a process that reads nothing from the log, over one connection that is opened when it is needed.

The process is an incarnation of its own, so its publishes are numbered, ordered and repeated like a gateway's. It attaches like
a gateway and so helps to detect a loss: if an entry that was acknowledged to it is missing, all clients are told.
"""

import asyncio
import random
from secrets import token_urlsafe
from typing import Final

from roomwire.errors import ConfigurationError, RedisRefused, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.contract import MAX_MESSAGE_ID_BYTES, Published
from roomwire.log.entries import Message, encode_message
from roomwire.log.errors import EmitterClosed, MessageIdTooLong
from roomwire.log.kept import Kept
from roomwire.log.positions import EPOCH_SUFFIX_BYTES, START, Epoch, Position
from roomwire.log.redis.guard import NoGuard
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.publisher import Publisher
from roomwire.log.redis.replies import attach_reply
from roomwire.log.redis.resync import EPOCHS_KEPT
from roomwire.log.redis.scripts import Scripts
from roomwire.log.sessions import NodeId
from roomwire.log.streams import Stream
from roomwire.metrics.gateway import Metrics
from roomwire.redis.address import Primaries
from roomwire.redis.link import LinkLost, RedisLink, ReplyError, open_link
from roomwire.redis.refusals import is_passing

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0


class Producer:
    """Publishes to the log.

    Args:
        primaries: Finds the primary.
        node: This incarnation.
        prefix: The prefix of every key.
        config: The times and limits.

    Raises:
        ConfigurationError: The times would lose messages.

    """

    def __init__(self, primaries: Primaries, *, node: NodeId, prefix: str, config: LogConfig) -> None:
        config.check()
        self._primaries = primaries
        self._name = f"roomwire-emitter:{node}"
        self._timeout_s = config.link_timeout_s
        self._keys = Keys(prefix)
        self._attach_script = (scripts := Scripts()).attach
        self._known = _Known()
        self._publisher = Publisher(
            node=node,
            keys=self._keys,
            scripts=scripts,
            config=config,
            subscriber=self._known,
            metrics=Metrics(),
            guard=NoGuard(),
            # Numbers are compared for as long as a publish is repeated; many short-lived processes leave many of them.
            number_ttl_s=config.message_id_ttl_s + config.call_timeout_s,
        )
        self._link: RedisLink | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._problem: Exception | None = None
        self._pause_s = 0.0
        self._is_closed = False

    async def publish(
        self, stream: Stream, message: Message, *, message_id: str = "", kept: Kept | None = None
    ) -> Published:
        """Append a message; see `Log.publish`. Messages of one event loop are appended in the order of the calls.

        Raises:
            Unavailable: The message was not published; the exception's cause states why.
            OutcomeUnknown: The message may have been published.
            NotFound: The target session has ended.
            TooLarge: The message id is too long.

        """
        if self._is_closed:
            raise EmitterClosed
        raw_id = message_id.encode("utf-8", "surrogatepass")
        if len(raw_id) > MAX_MESSAGE_ID_BYTES:
            raise MessageIdTooLong(MAX_MESSAGE_ID_BYTES)
        future = self._publisher.publish(stream, encode_message(message), raw_id, kept)
        self._connect_if_needed()
        try:
            published = await future
        except Unavailable as error:
            raise error from self._problem
        self._problem, self._pause_s = None, 0.0
        return published

    async def close(self) -> None:
        """Wait briefly for publishes under way, then disconnect. Idempotent."""
        self._is_closed = True
        await self._publisher.close(within_s=self._timeout_s)
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        link, self._link = self._link, None
        if link is not None:
            link.close("closed")
            await link.wait_closed()

    def _connect_if_needed(self) -> None:
        is_connecting = self._connecting is not None and not self._connecting.done()
        if self._link is None and not is_connecting and not self._is_closed and self._publisher.is_waiting:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        """Try until there is a link, or until no caller waits for one any more."""
        while self._publisher.is_waiting:
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            try:
                link = await self._attached_link()
            except (Unavailable, ConfigurationError) as error:
                # A retry would not help, for example with missing rights, a wrong password, or a server that is too old.
                self._publisher.refuse(Unavailable(str(error)))
            except (OSError, LinkLost, ReplyError) as error:
                self._problem = error
            else:
                self._link = link
                self._publisher.use(link)
                return

    async def _attached_link(self) -> RedisLink:
        link = await open_link(
            await self._primaries.find(),
            name=self._name,
            timeout_s=self._timeout_s,
            on_push=lambda _, __: None,
            on_lost=self._lost,
        )
        known = self._known
        try:
            arguments = (known.epoch, known.position, token_urlsafe(EPOCH_SUFFIX_BYTES), EPOCHS_KEPT)
            reply = await link.ask_script(self._attach_script, [self._keys.log], arguments)
        except ReplyError as error:
            link.close("not attached")
            if is_passing(error):
                raise
            raise RedisRefused(error) from error
        except BaseException:
            link.close("not attached")
            raise
        _, epoch, last = attach_reply(reply)
        known.attached(epoch, last)
        return link

    def _lost(self, reason: str) -> None:
        if self._link is None or not self._link.is_lost:
            # A link that was never used: its opener learns of the loss.
            return
        self._link = None
        self._problem = LinkLost(reason)
        self._publisher.link_lost()
        self._connect_if_needed()


class _Known:
    """The epoch in which this process publishes, and the highest position that it knows in that epoch."""

    def __init__(self) -> None:
        self.epoch = Epoch("")
        self.position = START

    def attached(self, epoch: Epoch, last: Position) -> None:
        if epoch != self.epoch:
            self.epoch, self.position = epoch, last
        self.learn(last)

    def learn(self, position: Position) -> None:
        self.position = max(self.position, position)
