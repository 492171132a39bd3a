"""Emits from processes that are not gateways: a worker, a cron job, an HTTP service.

Such a process needs Redis, but no running gateway. Its events go into the ordered log through the gateways' own publisher.
Clients, including those that recover, cannot distinguish them from a gateway's events. An emitter receives nothing: neither acks
nor events of clients.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Final, Self

import msgspec

from roomwire.errors import NotFound
from roomwire.log.config import LogConfig
from roomwire.log.entries import Message
from roomwire.log.errors import EmitterClosed, EventTooLarge
from roomwire.log.kept import Keep, Kept
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.producer import Producer
from roomwire.log.sessions import new_node_id
from roomwire.log.streams import Stream, namespace_stream
from roomwire.log.targets import kept_of, stream_to, streams_to
from roomwire.protocol.payloads import arguments_of, event_payload, skipped_sids
from roomwire.redis.topology import open_primaries
from roomwire.tracing import Tracing

_NAME: Final = "emitter"


class AsyncEmitter:
    """Emits from one event loop at a time. Use as an async context manager, or `close` it.

    The emitter connects with the first `emit`, keeps the connection, and reconnects when it is lost.

    Args:
        url: Redis or Valkey, as `ROOMWIRE_REDIS_URL` of the gateways: one server, Sentinels or a cluster.
        prefix: The prefix of every key, as `ROOMWIRE_REDIS_PREFIX`. Default: `rw`.
        timeout_s: Time limit for one answer of Redis, and for connecting to each server. Default: 1.
        call_timeout_s: Time limit for an `emit`, including connecting and retries. Default: 5.
        room_ttl_s: Time for which a stream is kept in Redis after the last event of this emitter. It must not be shorter than on
            the gateways (`LogConfig.least_room_ttl_s`, 196 with the default settings); otherwise a client that was away could
            miss an event without a trace. Default: 600, which suffices for pings at half the rate with twice the timeout.
        max_message_bytes: Maximum size of an encoded event. Default: 1,000,000.
        tracing: Makes a span of each emit, in the trace of the caller's present span. Default: there are none.

    Raises:
        ConfigurationError: The URL is invalid, a file that it names cannot be read, or `room_ttl_s` is too short.

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
        tracing: Tracing | None = None,
    ) -> None:
        config = LogConfig(link_timeout_s=timeout_s, call_timeout_s=call_timeout_s, room_ttl_s=room_ttl_s)
        config.check()
        self._config = config
        self._prefix = prefix
        self._primaries = open_primaries(url, key=Keys(prefix).log, timeout_s=timeout_s)
        self._max_message_bytes = max_message_bytes
        self._tracing = tracing
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
        except_rooms: object = None,
        message_id: str = "",
        keeps_history: bool | Keep = False,
    ) -> None:
        """Emit an event; when the call returns, the event is in the log, and every member receives it.

        The events of one emitter are in the order of its calls. Retries within a call are applied once.

        Args:
            event: The event's name.
            data: The event's argument, of JSON values and bytes; a tuple for several.
            to: A room, a client's id, or a list of them. Each member receives the event once; with an empty list, no client does.
                Default: all clients of the namespace.
            namespace: The namespace. Default: `/`.
            skip_sid: A client, or a list of clients, that does not receive the event. Default: none.
            except_rooms: A room, a client's id, or a list of them, whose members do not receive the event. Each client is judged by
                its rooms at the event's place in the log, also when it recovers later. Default: none.
            message_id: A further event with the same id within two minutes is dropped, whichever process emits it. At most 256
                bytes. Default: none.
            keeps_history: Whether the history of the room stores the event, or what of it and for how long (`Keep`), as for an
                emit of a gateway: the event is published and stored, or neither. Default: no.

        Raises:
            Unavailable: The event was not published; try again once the problem in the error's cause is solved. With
                `except_rooms` also while the deployment has a gateway of a version that cannot leave out rooms.
            OutcomeUnknown: The event may have been published; try again with the same `message_id`.
            TooLarge: The event, the message id or what history stores is too large.
            InvalidBody: A value has more than 500 lists and objects within each other.
            ValueError: `keeps_history` is set, but no room is named.

        """
        payload = event_payload([event, *arguments_of(data)])
        if len(payload) > self._max_message_bytes:
            raise EventTooLarge(self._max_message_bytes, len(payload))
        kept = None
        if keeps_history:
            keep = keeps_history if isinstance(keeps_history, Keep) else Keep()
            kept = kept_of(keep, event, data, to=to, namespace=namespace, at=time.time())
            if len(kept.entry) > self._max_message_bytes:
                raise EventTooLarge(self._max_message_bytes, len(kept.entry))
        skipped = () if skip_sid is None else skipped_sids(skip_sid)
        excepted = () if except_rooms is None else streams_to(namespace, except_rooms)
        rooms: tuple[Stream, ...] = ()
        if isinstance(to, Collection) and not isinstance(to, str):
            rooms = streams_to(namespace, to)
            if not rooms:
                return
        stream = namespace_stream(namespace) if to is None or rooms else stream_to(namespace, to)
        message = Message(payload, skipped, rooms, excepted)
        if self._tracing is None:
            await self._append(stream, message, message_id, kept)
            return
        with self._tracing.publish(event, namespace):
            traced = msgspec.structs.replace(message, trace=self._tracing.carried())
            await self._append(stream, traced, message_id, kept)

    async def close(self) -> None:
        """Wait briefly for publishes under way, then disconnect. Idempotent; a later emit raises `Unavailable`."""
        self._is_closed = True
        if self._producer is not None and self._process == os.getpid():
            await self._producer.close()

    async def _append(self, stream: Stream, message: Message, message_id: str, kept: Kept | None) -> None:
        with contextlib.suppress(NotFound):
            # If the session of a client has ended, no client is left to receive the event.
            await self._publishing().publish(stream, message, message_id=message_id, kept=kept)

    def _publishing(self) -> Producer:
        """Return the publisher of this process and event loop, whose links belong to that loop.

        Two publishers with the same numbers would suppress each other's messages.
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

    It runs an `AsyncEmitter` in a thread of its own, which starts with the first `emit` in each process, so it may be created
    before a process forks.

    Args:
        url: As `AsyncEmitter`.
        prefix: As `AsyncEmitter`.
        timeout_s: As `AsyncEmitter`.
        call_timeout_s: As `AsyncEmitter`.
        room_ttl_s: As `AsyncEmitter`.
        max_message_bytes: As `AsyncEmitter`.
        tracing: As `AsyncEmitter`.

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
        tracing: Tracing | None = None,
    ) -> None:
        self._emitter = AsyncEmitter(
            url,
            prefix=prefix,
            timeout_s=timeout_s,
            call_timeout_s=call_timeout_s,
            room_ttl_s=room_ttl_s,
            max_message_bytes=max_message_bytes,
            tracing=tracing,
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
        except_rooms: object = None,
        message_id: str = "",
        keeps_history: bool | Keep = False,
    ) -> None:
        """Emit an event, and wait until it is in the log; see `AsyncEmitter.emit`."""
        with self._lock:
            if self._is_closed:
                raise EmitterClosed
            said = self._emitter.emit(
                event,
                data,
                to=to,
                namespace=namespace,
                skip_sid=skip_sid,
                except_rooms=except_rooms,
                message_id=message_id,
                keeps_history=keeps_history,
            )
            # Under the lock, so that `close` comes after every earlier event.
            waiting = asyncio.run_coroutine_threadsafe(said, self._running())
        try:
            waiting.result()
        except BaseException:
            waiting.cancel()
            raise

    def close(self) -> None:
        """Wait briefly for publishes under way, then disconnect. Idempotent; a later emit raises `Unavailable`."""
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
        """Return the loop of this process: a fork does not copy the thread."""
        if self._loop is None or self._process != os.getpid():
            self._process = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="roomwire-emitter", daemon=True
            )
            self._thread.start()
        return self._loop


async def _end(closing: Coroutine[object, object, None]) -> None:
    """Run `close`, and let pending callers learn their outcomes."""
    await closing
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
