"""One connection to Redis or Valkey, speaking RESP3 over a plain asyncio protocol.

The commands of a loop tick are written together, at its end or at `flush`. Replies and pushes are passed on synchronously, in the
order in which the server executed their causes; the log is built on that order. If nothing arrives although something is due, the
connection is abandoned within its timeout. An idle connection is asked for a sign of life.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import hiredis

from roomwire.errors import RedisRefused, RedisTooOld
from roomwire.redis.address import RedisAddress
from roomwire.redis.script import Script

MAX_UNWRITTEN_BYTES: Final = 268_435_456
_TICKS_PER_TIMEOUT: Final = 4
_LEAST_REDIS: Final = 7
_NOTHING: Final = object()

Argument = bytes | str | int
Reply = Callable[[object], None]
"""Called once with the server's answer, with a `hiredis.ReplyError` if it refused, or with a `LinkLost`."""

ReplyError = hiredis.ReplyError
_Push: Final = hiredis.PushNotification


class LinkLost(ConnectionError):
    """The connection is lost; it is unknown whether the command was executed."""


class _Confirmations:
    """Stands among the awaited replies for a (un)subscription, which is confirmed by pushes, one per channel."""

    __slots__ = ("kind", "left")

    def __init__(self, kind: bytes, left: int) -> None:
        self.kind = kind
        self.left = left


class RedisLink(asyncio.Protocol):
    """A connection. `open_link` opens it; `close`, or the connection itself, ends it.

    Args:
        timeout_s: Maximum silence of the server while something is due.
        on_push: Called with channel and data of each message.
        on_lost: Called once with the reason, after all pending calls got their `LinkLost`.

    """

    def __init__(
        self, *, timeout_s: float, on_push: Callable[[bytes, bytes], None], on_lost: Callable[[str], None]
    ) -> None:
        self.is_lost = False
        self._loop = asyncio.get_running_loop()
        self._is_gone = asyncio.Event()
        self._timeout_s = timeout_s
        self._on_push = on_push
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._awaited: deque[Reply | _Confirmations] = deque()
        self._unwritten: list[bytes] = []
        self._heard_at = self._asked_at = self._ticked_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        # After a stall: the answer that must arrive before anything is passed on, and what arrived in the meantime.
        self._token: bytes | None = None
        self._parked: list[object] = []

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # The type is not checked, because uvloop's transports are not of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        if self.is_lost:
            self._transport.abort()
        else:
            self._tick()

    def data_received(self, data: bytes) -> None:
        """Pass on the received data in order."""
        if self.is_lost:
            return
        now = self._loop.time()
        if now - self._ticked_at > self._timeout_s and self._token is None:
            self._probe()
        self._heard_at = now
        reader = self._reader
        try:
            reader.feed(data)
            while (value := reader.gets()) is not _NOTHING:
                if self._token is None:
                    self._take(value)
                else:
                    self._park(value)
        except hiredis.ProtocolError as error:
            self.close(f"protocol error: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        self.close("closed by the server" if exc is None else f"connection lost: {exc}")
        self._is_gone.set()

    # -- commands

    def command(self, arguments: Sequence[Argument], reply: Reply) -> None:
        """Send a command with the others of this tick."""
        if self.is_lost:
            reply(LinkLost("the link is lost"))
            return
        self._send(arguments, reply)

    def call(
        self, script: Script, keys: Sequence[bytes], arguments: Sequence[Argument], reply: Reply
    ) -> None:
        """Call a script. If the server has forgotten it, it is sent again as text."""

        def answered(value: object) -> None:
            if is_unknown_script(value):
                self.command((b"EVAL", script.text, len(keys), *keys, *arguments), reply)
            else:
                reply(value)

        self.command((b"EVALSHA", script.sha, len(keys), *keys, *arguments), answered)

    async def ask(self, *arguments: Argument) -> object:
        """Send a command and return its answer.

        Raises:
            LinkLost: The connection is lost.
            ReplyError: The server refused.

        """
        future: asyncio.Future[object] = self._loop.create_future()
        self.command(arguments, lambda value: settle(future, value))
        return await future

    async def ask_script(
        self, script: Script, keys: Sequence[bytes], arguments: Sequence[Argument]
    ) -> object:
        """Call a script and return its answer; raises as `ask`."""
        future: asyncio.Future[object] = self._loop.create_future()
        self.call(script, keys, arguments, lambda value: settle(future, value))
        return await future

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Subscribe sharded channels; if the server refuses, the link is lost."""
        self._change_subscription(b"ssubscribe", channels)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        """End subscriptions of sharded channels."""
        self._change_subscription(b"sunsubscribe", channels)

    def flush(self) -> None:
        """Write the commands that wait for the end of the tick, for a caller that runs at that end."""
        if self._unwritten and not self.is_lost and self._transport is not None:
            self._transport.write(b"".join(self._unwritten))
            self._unwritten.clear()
            if self._transport.get_write_buffer_size() > MAX_UNWRITTEN_BYTES:
                self.close("the server does not read")

    def close(self, reason: str) -> None:
        """Abandon the connection and ignore everything that still arrives. Idempotent."""
        if self.is_lost:
            return
        self.is_lost = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None:
            self._is_gone.set()
        else:
            self._transport.abort()
        self._unwritten.clear()
        self._parked.clear()
        lost = LinkLost(reason)
        while self._awaited:
            awaited = self._awaited.popleft()
            if not isinstance(awaited, _Confirmations):
                awaited(lost)
        self._on_lost(reason)

    async def wait_closed(self) -> None:
        """Wait until the socket of a closed connection is gone."""
        await self._is_gone.wait()

    # -- inside

    def _send(self, arguments: Sequence[Argument], awaited: Reply | _Confirmations) -> None:
        if not self._unwritten:
            self._loop.call_soon(self.flush)
        if not self._awaited:
            self._asked_at = self._loop.time()
        self._unwritten.append(hiredis.pack_command(tuple(arguments)))  # type: ignore[arg-type] # any length
        self._awaited.append(awaited)

    def _change_subscription(self, kind: bytes, channels: Sequence[bytes]) -> None:
        if channels and not self.is_lost:
            self._send((kind, *channels), _Confirmations(kind, len(channels)))

    def _take(self, value: object) -> None:
        if self.is_lost:
            return
        if type(value) is _Push:
            kind = value[0]
            if kind == b"smessage":
                self._on_push(value[1], value[2])
            elif kind in {b"ssubscribe", b"sunsubscribe"}:
                self._confirm(kind)
            return
        awaited = self._awaited.popleft() if self._awaited else None
        if awaited is None or isinstance(awaited, _Confirmations):
            # Only a refusal has this form: missing rights, or a channel that has moved elsewhere.
            self.close(f"not subscribed: {value}")
        else:
            awaited(value)

    def _confirm(self, kind: bytes) -> None:
        awaited = self._awaited[0] if self._awaited else None
        if not isinstance(awaited, _Confirmations) or awaited.kind != kind:
            self.close(f"{kind.decode()} that was not requested")
            return
        awaited.left -= 1
        if not awaited.left:
            self._awaited.popleft()

    def _probe(self) -> None:
        """Before data that waited through a stall are accepted, the server must show that it is still there."""
        self._token = secrets.token_hex(8).encode()
        self._send((b"PING", self._token), lambda _: None)

    def _park(self, value: object) -> None:
        self._parked.append(value)
        if value != self._token:
            return
        self._token = None
        parked, self._parked = self._parked, []
        for earlier in parked:
            self._take(earlier)

    def _tick(self) -> None:
        now = self._loop.time()
        period_s = self._timeout_s / _TICKS_PER_TIMEOUT
        if now - self._ticked_at > self._timeout_s:
            # This process stalled; the data that arrived in the meantime have not been read yet.
            self._heard_at = now
        elif self._awaited and now - max(self._heard_at, self._asked_at) > self._timeout_s:
            self.close("no answer in time")
            return
        elif not self._awaited and now - self._heard_at > self._timeout_s:
            self._send((b"PING",), lambda _: None)
        self._ticked_at = now
        self._timer = self._loop.call_later(period_s, self._tick)


async def open_link(
    address: RedisAddress,
    *,
    name: str,
    timeout_s: float,
    on_push: Callable[[bytes, bytes], None],
    on_lost: Callable[[str], None],
) -> RedisLink:
    """Connect and log in.

    Args:
        address: The address of the server.
        name: The name of the connection at the server.
        timeout_s: Time limit for connecting, and afterwards for the server's silence.
        on_push: See `RedisLink`.
        on_lost: See `RedisLink`.

    Raises:
        OSError: No server is there.
        TimeoutError: The time limit was exceeded.
        LinkLost: The connection was lost immediately.
        Unavailable: The server refuses the login.
        ConfigurationError: The server is too old.

    """
    loop = asyncio.get_running_loop()
    link = RedisLink(timeout_s=timeout_s, on_push=on_push, on_lost=on_lost)
    try:
        async with asyncio.timeout(timeout_s):
            if address.path:
                await loop.create_unix_connection(lambda: link, address.path, ssl=address.tls)
            else:
                await loop.create_connection(lambda: link, address.host, address.port, ssl=address.tls)
            login: list[Argument] = [b"HELLO", 3]
            if address.password or address.user:
                login += [b"AUTH", address.user or "default", address.password]
            _check_version(await link.ask(*login, b"SETNAME", name))
            if address.database:
                await link.ask(b"SELECT", address.database)
    except ReplyError as error:
        link.close("refused")
        raise RedisRefused(error) from error
    except BaseException:
        link.close("not connected")
        raise
    return link


async def ask_once(address: RedisAddress, *arguments: Argument, name: str, timeout_s: float) -> object:
    """Connect, send one command, and disconnect; return the answer, or a refusal as a `ReplyError`.

    Raises:
        OSError: No server is there, or the connection was lost.
        TimeoutError: There was no answer in time, including the time to connect.
        Unavailable: The server refuses the login.
        ConfigurationError: The server is too old.

    """
    async with asyncio.timeout(timeout_s):
        link: RedisLink | None = None
        try:
            link = await open_link(
                address, name=name, timeout_s=timeout_s, on_push=lambda _, __: None, on_lost=lambda _: None
            )
            return await link.ask(*arguments)
        except ReplyError as error:
            return error
        except LinkLost as error:
            raise OSError(str(error)) from error
        finally:
            if link is not None:
                link.close("answered")
                await link.wait_closed()


def _check_version(hello: object) -> None:
    said = cast("Mapping[bytes, bytes]", hello)
    server, version = said[b"server"].decode(), said[b"version"].decode()
    # Redis 7 introduced sharded channels and scripts with flags; Valkey began later.
    if server == "redis" and int(version.partition(".")[0]) < _LEAST_REDIS:
        raise RedisTooOld(version, _LEAST_REDIS)


def is_unknown_script(value: object) -> bool:
    """Return whether the server reported that it does not know a script."""
    return isinstance(value, ReplyError) and str(value).startswith("NOSCRIPT")


def settle(future: "asyncio.Future[object]", value: object) -> None:
    """Set the server's answer on a future, unless no caller waits for it any more."""
    if future.done():
        return
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
