"""Emitting from processes that are no gateways: a worker, a cron job, an HTTP service.

They need Redis, and no gateway to be up. What they say goes into the ordered log, by the gateways' own publisher: for
clients, those that are recovered included, it cannot be told from what a gateway says. They hear nothing: neither acks
nor events of clients are theirs.
"""

import asyncio
import os
import threading
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Final, Self

from roomwire.errors import NotFound
from roomwire.log.config import LogConfig
from roomwire.log.entries import Message
from roomwire.log.errors import EmitterClosed, EventTooLarge
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.producer import Producer
from roomwire.log.sessions import new_node_id
from roomwire.log.streams import Stream, namespace_stream
from roomwire.log.targets import stream_to
from roomwire.protocol.payloads import arguments_of, event_payload, skipped_sids
from roomwire.redis.topology import open_primaries

_NAME: Final = "emitter"


class AsyncEmitter:
    """Emits from one event loop at a time. Use as an async context manager, or `close` it.

    Nothing is connected before the first `emit`; the connection is kept, and made again when it is lost.

    Args:
        url: Redis or Valkey, as `ROOMWIRE_REDIS_URL` of the gateways: one server, Sentinels or a cluster.
        prefix: What every key begins with, as `ROOMWIRE_REDIS_PREFIX`. Default: `rw`.
        timeout_s: How long one answer of Redis may take, and connecting to each server that is asked. Default: 1.
        call_timeout_s: How long an `emit` may take, connecting and trying again included. Default: 5.
        room_ttl_s: How long a stream stays in Redis after what is said here, if nothing else is. Not less than
            gateways keep it (`LogConfig.least_room_ttl_s`), or a client that was away could miss it without a trace: 196
            with the default settings. Default: 600, enough for pings half as often that may take twice as long.
        max_message_bytes: Largest event, encoded. Default: 1,000,000.

    Raises:
        ConfigurationError: The URL is none, a file it names cannot be read, or `room_ttl_s` is too short.

    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "rw",
        timeout_s: float = 1.0,
        call_timeout_s: float = 5.0,
        room_ttl_s: float = 600.0,
        max_message_bytes: int = 1_000_000,
    ) -> None:
        config = LogConfig(link_timeout_s=timeout_s, call_timeout_s=call_timeout_s, room_ttl_s=room_ttl_s)
        config.check()
        self._config = config
        self._prefix = prefix
        self._primaries = open_primaries(url, key=Keys(prefix).log, timeout_s=timeout_s)
        self._max_message_bytes = max_message_bytes
        self._producer: Producer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def emit(
        self,
        event: str,
        data: object = None,
        *,
        to: object = None,
        namespace: str = "/",
        skip_sid: str | list[str] | None = None,
        message_id: str = "",
    ) -> None:
        """Say something; when it returns, it is in the log, and whoever is a member gets it.

        What one emitter says is in the order of its calls. Attempts within a call are applied once.

        Args:
            event: The event's name.
            data: Its argument; a tuple for several. What JSON can hold, and bytes.
            to: A room, a client's id, or a list of them, of which each member gets it once; an empty one is nobody.
                Default: everybody in the namespace.
            namespace: Default: `/`.
            skip_sid: A client, or a list of them, that does not get it. Default: nobody.
            message_id: What is said again under it within two minutes is dropped, by whomever. At most 256 bytes.
                Default: none.

        Raises:
            Unavailable: It is not in the log; trying again makes sense, once Redis does what the error's cause says.
            OutcomeUnknown: It may be in the log: try again with the same `message_id`.
            TooLarge: The event or the message id is.

        """
        payload = event_payload([event, *arguments_of(data)])
        if len(payload) > self._max_message_bytes:
            raise EventTooLarge(self._max_message_bytes, len(payload))
        skipped = () if skip_sid is None else skipped_sids(skip_sid)
        rooms: tuple[Stream, ...] = ()
        if isinstance(to, Collection) and not isinstance(to, str):
            rooms = tuple(stream_to(namespace, one) for one in to)
            if not rooms:
                return
        stream = namespace_stream(namespace) if to is None or rooms else stream_to(namespace, to)
        try:
            await self._publishing().publish(stream, Message(payload, skipped, rooms), message_id=message_id)
        except NotFound:
            # A client whose session is over: what is said to it is kept for nobody.
            return

    async def close(self) -> None:
        """Give what is under way a moment, then disconnect; idempotent. What is said later is `Unavailable`."""
        self._is_closed = True
        if self._producer is not None and self._process == os.getpid():
            await self._producer.close()

    def _publishing(self) -> Producer:
        """Return the publisher of this process and event loop, whose links belong to that.

        Two that took each other's numbers would swallow each other's messages.
        """
        if self._is_closed:
            raise EmitterClosed
        loop = asyncio.get_running_loop()
        if self._producer is None or self._process != os.getpid() or self._loop is not loop:
            self._process, self._loop = os.getpid(), loop
            self._producer = Producer(
                self._primaries, node=new_node_id(_NAME), prefix=self._prefix, config=self._config
            )
        return self._producer


class Emitter:
    """Emits from code without an event loop, from any thread. Use as a context manager, or `close` it.

    An `AsyncEmitter` in a thread of its own, which begins with the first `emit`, in each process anew: it may be made
    before a process forks.

    Args:
        url: As `AsyncEmitter`.
        prefix: As `AsyncEmitter`.
        timeout_s: As `AsyncEmitter`.
        call_timeout_s: As `AsyncEmitter`.
        room_ttl_s: As `AsyncEmitter`.
        max_message_bytes: As `AsyncEmitter`.

    Raises:
        ConfigurationError: As `AsyncEmitter`.

    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "rw",
        timeout_s: float = 1.0,
        call_timeout_s: float = 5.0,
        room_ttl_s: float = 600.0,
        max_message_bytes: int = 1_000_000,
    ) -> None:
        self._emitter = AsyncEmitter(
            url,
            prefix=prefix,
            timeout_s=timeout_s,
            call_timeout_s=call_timeout_s,
            room_ttl_s=room_ttl_s,
            max_message_bytes=max_message_bytes,
        )
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def emit(
        self,
        event: str,
        data: object = None,
        *,
        to: object = None,
        namespace: str = "/",
        skip_sid: str | list[str] | None = None,
        message_id: str = "",
    ) -> None:
        """Say something, and wait until it is in the log; see `AsyncEmitter.emit`."""
        with self._lock:
            if self._is_closed:
                raise EmitterClosed
            said = self._emitter.emit(
                event, data, to=to, namespace=namespace, skip_sid=skip_sid, message_id=message_id
            )
            # Under the lock, so that `close` comes behind all that was said before it.
            waiting = asyncio.run_coroutine_threadsafe(said, self._running())
        try:
            waiting.result()
        except BaseException:
            waiting.cancel()
            raise

    def close(self) -> None:
        """Give what is under way a moment, then disconnect; idempotent. What is said later is `Unavailable`."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            loop, thread = self._loop, self._thread
        if was_closed or loop is None or thread is None or self._process != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(_end(self._emitter.close()), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this process: a thread does not come along when a process forks."""
        if self._loop is None or self._process != os.getpid():
            self._process = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="roomwire-emitter", daemon=True
            )
            self._thread.start()
        return self._loop


async def _end(closing: Coroutine[object, object, None]) -> None:
    """Close, and let those who still wait learn what became of theirs."""
    await closing
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
