"""What a stranger can send to the public port, and how long it may take: real sockets, a real uvicorn."""

import asyncio
import contextlib
import json
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from serving import served
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from waiting import time_passes, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.fast import fast_websocket
from roomwire.limits.client import Limits
from roomwire.limits.http import HttpLimits
from roomwire.limits.unsent import queued_bytes
from roomwire.metrics.http import HttpMetrics
from roomwire.serving.http import bounded_http, let_part
from roomwire.serving.http_refusals import HttpRefusal
from roomwire.serving.settings import ServiceSettings

HOST = "127.0.0.1"
WAIT_S = 30.0
SHORT_S = 0.2
HEAD = b"GET /headers HTTP/1.1\r\nhost: a\r\n"
FOR_HTTP = HttpLimits(max_header_bytes=1_024, max_url_bytes=256, max_headers=10)
UPGRADE = (
    b"connection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class App:
    """An ASGI application that shows what a server passes on."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.gone = 0
        self.started = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await self._echo(receive, send)
            return
        self.started += 1
        if scope["path"] == "/broken":
            raise ZeroDivisionError
        if scope["path"] == "/early":
            await self._answer(send, b"early")
            return
        if scope["path"] == "/reluctant":
            await self.released.wait()
        body = await self._body(receive)
        if scope["path"] == "/held" and body is not None:
            body = await self._held(receive)
        if body is None:
            self.gone += 1
            return
        if scope["path"] == "/endless":
            body = b"a" * 32_000_000
        if scope["path"] == "/pausing":
            part = {"type": "http.response.body", "body": b"a" * 200_000, "more_body": True}
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send(part)
            await self.released.wait()
            await send({**part, "body": b"end", "more_body": False})
            return
        if scope["path"] == "/larger":
            body = b"a" * 200_000
        if scope["path"] == "/large":
            body = b"a" * 30_000
        if scope["path"] == "/chunks":
            await self._in_parts(send, [b"one", b"", b"two"])
            return
        if scope["path"] == "/headers":
            body = json.dumps([name.decode() for name, _ in scope["headers"]]).encode()
        await self._answer(send, body)

    async def _held(self, receive):
        gone, released = asyncio.ensure_future(receive()), asyncio.ensure_future(self.released.wait())
        await asyncio.wait({gone, released}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        released.cancel()
        return b"held" if self.released.is_set() else None

    async def _body(self, receive):
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            body += event["body"]
            more = event["more_body"]
        return body

    async def _in_parts(self, send, parts):
        """Answer without a length, as one does who does not know it yet."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, send, body):
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _echo(self, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})


class Caller:
    """A client that sends bytes and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer: its status and body."""
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            fields = self.fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            size = int(fields.get(b"content-length", b"0"))
            return int(head.split()[1]), await self._reader.readexactly(size)

    async def status(self) -> int:
        return (await self.answer())[0]

    async def some(self) -> bytes:
        """Read a little."""
        async with asyncio.timeout(WAIT_S):
            return await self._reader.read(65_536)

    async def rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
        return b""

    async def refusal(self) -> int:
        """Read an answer that ends the connection; returns its status."""
        status, _ = await self.answer()
        assert b"" == await self.rest()
        return status

    def reset(self) -> None:
        """End the connection as a client that crashes."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Door:
    """A served application, and what its door counts."""

    def __init__(self, port: int, app: App, protocol: type, registry: CollectorRegistry, state) -> None:
        self.port = port
        self.app = app
        self.connections = protocol._connections
        self.protocol = protocol
        self._registry = registry
        self._state = state

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Caller]:
        caller = Caller(*await asyncio.open_connection(HOST, self.port))
        try:
            yield caller
        finally:
            await caller.close()

    def websocket(self, path: str = "/"):
        return connect(f"ws://{HOST}:{self.port}{path}", compression=None, ping_interval=None)

    @asynccontextmanager
    async def nearly_read(self, path: bytes) -> AsyncIterator[HttpToolsProtocol]:
        """Read an answer until so little is left that the application need not wait; yields the connection's end here."""
        loop = asyncio.get_running_loop()
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            slow.setblocking(False)
            await loop.sock_connect(slow, (HOST, self.port))
            await self.open_are(1)
            (connection,) = self.kept()
            # The system shall take no more of it at a time than what may be left.
            connection.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096
            )
            await loop.sock_sendall(slow, b"GET %s HTTP/1.1\r\n\r\n" % path)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: connection.flow.write_paused)
                while connection.flow.write_paused:
                    await loop.sock_recv(slow, 1_024)
            assert connection.transport.get_write_buffer_size()
            yield connection

    def refused(self) -> dict[str, float]:
        """Return how many were refused, by reason."""
        counts = {
            reason.value: self._registry.get_sample_value("roomwire_http_refused_total", {"reason": reason})
            for reason in HttpRefusal
        }
        return {reason: count for reason, count in counts.items() if count}

    def kept(self) -> list[HttpToolsProtocol]:
        """Return the connections that speak HTTP."""
        return [each for each in self._state.connections if isinstance(each, HttpToolsProtocol)]

    def timers(self) -> list[asyncio.TimerHandle]:
        return [protocol._timer for protocol in self._state.connections if getattr(protocol, "_timer", None)]

    async def open_are(self, count: int) -> None:
        """Return when so many connections are counted."""
        async with asyncio.timeout(WAIT_S):
            await until(lambda: count == self.connections.open)
        assert ({HOST: count} if count else {}) == self.connections._open_by_address


@asynccontextmanager
async def door(limits: HttpLimits = FOR_HTTP, *, websocket=None) -> AsyncIterator[Door]:
    """Serve the application on a free loopback port."""
    app, registry = App(), CollectorRegistry()
    protocol = bounded_http(limits, metrics=HttpMetrics(registry))
    async with served(app, http=protocol, ws=websocket) as place:
        try:
            yield Door(place.port, app, protocol, registry, place.state)
        finally:
            app.released.set()


@asynccontextmanager
async def fast_door(limits: HttpLimits = FOR_HTTP, **of_clients: float) -> AsyncIterator[Door]:
    """Serve it with the fast WebSockets of an engine at /engine.io/."""
    engine = AsgiEngine(async_mode="asgi", limits=Limits(**of_clients))
    async with door(limits, websocket=fast_websocket(engine, "/engine.io/")) as opened:
        yield opened
    await engine.shutdown()


FAST = "/engine.io/?EIO=4&transport=websocket"


def head_of(size: int) -> bytes:
    """Return a request whose request line and headers have so many bytes."""
    filler = size - len(HEAD) - len(b"x: \r\n\r\n")
    return HEAD + b"x: " + b"a" * filler + b"\r\n\r\n"


class TestLimits:
    def test_every_limit_is_a_setting_with_the_same_default(self):
        limits = HttpLimits()
        for name in HttpLimits.__struct_fields__:
            assert getattr(limits, name) == ServiceSettings.model_fields[name].default


class TestSize:
    async def test_a_head_of_the_limit_is_served_and_one_byte_more_is_431(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(head_of(1_024))
                assert 200 == await caller.status()
                await caller.send(head_of(1_025))
                assert 431 == await caller.refusal()
            assert {"header_bytes": 1} == it.refused()

    async def test_a_head_in_two_parts_is_measured_alike(self):
        async with door() as it, it.call() as caller:
            whole = head_of(1_024)
            await caller.send(whole[:700])
            await until(lambda: [each for each in it.kept() if each._has_begun])
            await caller.send(whole[700:])
            assert 200 == await caller.status()

    async def test_a_header_without_end_is_cut_off_at_the_limit_and_costs_no_memory(self):
        async with door(HttpLimits()) as it, it.call() as caller:
            await caller.send(HEAD + b"x: ")
            tracemalloc.start()
            try:
                sent = await send_until_cut_off(caller, b"a" * 65_536, total_bytes=192_000_000)
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert sent < 32_000_000
            assert peak_bytes < 8_000_000
            assert {"header_bytes": 1} == it.refused()

    async def test_headers_without_end_are_cut_off_at_the_limit(self):
        async with door(HttpLimits(max_headers=1_000)) as it, it.call() as caller:
            await caller.send(HEAD)
            sent = await send_until_cut_off(caller, b"x: y\r\n" * 10_000, total_bytes=192_000_000)
            assert sent < 32_000_000
            assert 1 == sum(it.refused().values())

    async def test_more_headers_than_allowed_are_431(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(HEAD + b"x: y\r\n" * 9 + b"\r\n")
                assert 200 == await caller.status()
                await caller.send(HEAD + b"x: y\r\n" * 10 + b"\r\n")
                assert 431 == await caller.refusal()
            assert {"headers": 1} == it.refused()

    async def test_a_longer_url_than_allowed_is_414(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(b"GET /" + b"a" * 255 + b" HTTP/1.1\r\n\r\n")
                assert 200 == await caller.status()
                await caller.send(b"GET /" + b"a" * 256 + b" HTTP/1.1\r\n\r\n")
                assert 414 == await caller.refusal()
            assert {"url_bytes": 1} == it.refused()

    async def test_a_url_without_end_is_414(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"GET /")
            for _ in range(30):
                await caller.send(b"a" * 10)
                await time_passes(0.001)
            assert 414 == await caller.refusal()

    async def test_blank_lines_before_a_request_count(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(b"\r\n" + HEAD + b"\r\n")
                assert 200 == await caller.status()
                await caller.send(b"\r\n" * 600)
                assert 431 == await caller.refusal()
            assert {"header_bytes": 1} == it.refused()

    async def test_who_asks_for_a_websocket_is_bounded_alike(self):
        async with fast_door() as it, it.call() as caller:
            await caller.send(HEAD + UPGRADE + b"x: " + b"a" * 1_024 + b"\r\n\r\n")
            assert 431 == await caller.refusal()

    @pytest.mark.parametrize(
        "request_", [b"GET / HTTP/1.1\r\n\r\n", HEAD + UPGRADE + b"\r\n"], ids=["http", "websocket"]
    )
    async def test_a_request_with_two_hosts_is_400(self, request_):
        two = request_.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nHost: chat.example\r\nhost: evil.example\r\n")
        async with fast_door() as it:
            async with it.call() as caller:
                await caller.send(two)
                assert 400 == await caller.refusal()
            assert {"malformed": 1} == it.refused()

    @pytest.mark.parametrize(
        "body", [b"content-length: 5\r\n\r\n12345", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
    )
    async def test_a_websocket_cannot_be_asked_for_with_a_body(self, body):
        async with fast_door() as it:
            async with it.call() as caller:
                await caller.send(HEAD + UPGRADE + body)
                assert 400 == await caller.refusal()
            assert {"malformed": 1} == it.refused()

    async def test_what_is_no_http_is_400(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(b"\x16\x03\x01 hello\r\n\r\n")
                assert 400 == await caller.refusal()
            assert {"malformed": 1} == it.refused()


class TestTime:
    limits = HttpLimits(header_timeout_s=SHORT_S, body_timeout_s=SHORT_S)

    async def test_a_silent_connection_is_closed_without_an_answer(self):
        async with door(self.limits) as it:
            async with it.call() as caller:
                assert b"" == await caller.rest()
            assert {"header_timeout": 1} == it.refused()

    @pytest.mark.parametrize("part", [b"G", b"\r\nGET / HTTP/1.1\r\nhost:", HEAD])
    async def test_half_a_head_is_408(self, part):
        async with door(self.limits) as it:
            async with it.call() as caller:
                await caller.send(part)
                assert 408 == await caller.refusal()
            assert {"header_timeout": 1} == it.refused()

    async def test_half_a_head_of_a_later_request_is_408(self):
        async with door(self.limits) as it:
            async with it.call() as caller:
                await caller.send(HEAD + b"\r\n")
                assert 200 == await caller.status()
                await caller.send(HEAD)
                assert 408 == await caller.refusal()
            assert {"header_timeout": 1} == it.refused()

    async def test_a_blank_line_does_not_keep_a_connection(self):
        async with door(self.limits) as it:
            async with it.call() as caller:
                await caller.send(HEAD + b"\r\n")
                assert 200 == await caller.status()
                await caller.send(b"\r\n")
                assert b"" == await caller.rest()
            assert {"header_timeout": 1} == it.refused()

    async def test_half_a_head_behind_a_whole_request_is_408(self):
        async with door(self.limits) as it, it.call() as caller:
            await caller.send(HEAD + b"\r\n" + HEAD)
            assert 200 == await caller.status()
            assert 408 == await caller.refusal()

    async def test_a_dribbled_head_is_408(self):
        async with door(self.limits) as it, it.call() as caller:
            dribbling = asyncio.create_task(dribble(caller, HEAD + b"x: " + b"a" * 1_000))
            assert 408 == await caller.refusal()
            dribbling.cancel()

    async def test_a_slow_body_is_408_and_the_application_is_told(self):
        async with door(self.limits) as it:
            async with it.call() as caller:
                await caller.send(b"POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n")
                dribbling = asyncio.create_task(dribble(caller, b"a" * 1_000))
                assert 408 == await caller.refusal()
                dribbling.cancel()
            assert {"body_timeout": 1} == it.refused()
            assert 1 == it.app.gone

    async def test_a_body_that_nobody_waits_for_any_more_ends_without_a_second_answer(self):
        async with door(self.limits) as it:
            async with it.call() as caller:
                await caller.send(b"POST /early HTTP/1.1\r\ncontent-length: 1000\r\n\r\n")
                assert 200 == await caller.status()
                dribbling = asyncio.create_task(dribble(caller, b"a" * 1_000))
                assert b"" == await caller.rest()
                dribbling.cancel()
            assert {"body_timeout": 1} == it.refused()

    async def test_the_time_in_which_the_application_does_not_read_is_not_the_clients(self):
        size = 8_000_000
        async with door(HttpLimits(body_timeout_s=1.0)) as it, it.call() as caller:
            sending = asyncio.create_task(
                caller.send(b"POST /reluctant HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size + b"a" * size)
            )
            await time_passes(1.5)
            it.app.released.set()
            status, body = await caller.answer()
            await sending
            assert (200, size) == (status, len(body))

    async def test_a_request_that_is_being_answered_may_take_its_time(self):
        async with door(self.limits) as it, it.call() as caller:
            await caller.send(b"GET /held HTTP/1.1\r\n\r\n")
            await time_passes(3 * SHORT_S)
            it.app.released.set()
            assert (200, b"held") == await caller.answer()

    async def test_no_timer_runs_while_nothing_is_owed(self):
        async with door() as it, it.call() as caller:
            await it.open_are(1)
            assert 1 == len(it.timers())
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.status()
            assert [] == it.timers()
            await caller.send(b"POST /held HTTP/1.1\r\ncontent-length: 2\r\n\r\na")
            async with asyncio.timeout(WAIT_S):
                await until(it.timers)
            await caller.send(b"b")
            async with asyncio.timeout(WAIT_S):
                await until(lambda: not it.timers())


class TestWhatGoesOnWorking:
    async def test_a_connection_is_kept_for_the_next_request(self):
        async with door() as it, it.call() as caller:
            for body in (b"one", b"two", b"three"):
                await caller.send(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                assert (200, body) == await caller.answer()

    async def test_pipelined_requests_are_answered_in_order(self):
        bodies = [b"%d" % number for number in range(64)]
        async with door() as it, it.call() as caller:
            await caller.send(
                b"".join(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(b) + b for b in bodies)
            )
            assert [(200, body) for body in bodies] == [await caller.answer() for _ in bodies]

    @pytest.mark.parametrize("size", [1, 2, 7, 64])
    async def test_where_the_reads_fall_makes_no_difference(self, size):
        stream = (
            b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\none\r\n"
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\ntw\r\n1\r\no\r\n0\r\nx: y\r\n\r\n"
            b"GET /headers HTTP/1.1\r\nhost: a\r\nempty:\r\nx:   y  \r\n\r\n"
        )
        async with door() as it, it.call() as caller:
            for position in range(0, len(stream), size):
                await caller.send(stream[position : position + size])
                await asyncio.sleep(0)
            assert (200, b"one") == await caller.answer()
            assert (200, b"two") == await caller.answer()
            assert (200, b'["host", "empty", "x"]') == await caller.answer()
            assert {} == it.refused()

    async def test_pipelined_requests_have_a_bound(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"GET /held HTTP/1.1\r\n\r\n" * 66)
            assert b"" == await caller.rest()
            assert {"pipelined_requests": 1} == it.refused()
            assert 1 == it.app.started

    async def test_a_chunked_body_may_have_as_many_chunks_as_it_likes(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(500):
                await caller.send(b"1\r\na\r\n")
            await caller.send(b"0\r\n\r\n")
            assert (200, b"a" * 500) == await caller.answer()

    async def test_trailers_are_taken_but_pass_for_no_headers(self):
        async with door() as it, it.call() as caller:
            await caller.send(
                b"POST /headers HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
                b"1\r\na\r\n0\r\nx-forwarded-for: 6.6.6.6\r\n\r\n"
            )
            assert (200, b'["transfer-encoding"]') == await caller.answer()
            await caller.send(HEAD + b"\r\n")
            assert (200, b'["host"]') == await caller.answer()

    @pytest.mark.parametrize("trailer", [b"x: " + b"a" * 1_024, b"x: y\r\n" * 11])
    async def test_trailers_count_as_headers(self, trailer):
        async with door() as it, it.call() as caller:
            await caller.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
            await time_passes(0.05)
            await caller.send(trailer)
            assert 431 == await caller.refusal()

    async def test_who_expects_100_gets_it(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            assert 100 == await caller.status()
            await caller.send(b"ab")
            assert (200, b"ab") == await caller.answer()

    async def test_an_upgrade_to_something_else_is_an_ordinary_request(self):
        async with door() as it, it.call() as caller:
            for _ in range(2):
                await caller.send(HEAD + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n")
                assert 200 == await caller.status()

    async def test_requests_behind_one_that_is_not_upgraded_are_answered(self):
        async with door() as it, it.call() as caller:
            await caller.send((HEAD + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n") * 3 + HEAD + b"\r\n")
            assert [200] * 4 == [await caller.status() for _ in range(4)]

    async def test_websockets_of_others_work(self):
        async with fast_door() as it, it.websocket() as socket_:
            await socket_.send("hello")
            assert "hello" == await socket_.recv()

    async def test_fast_websockets_work(self):
        async with fast_door() as it, it.websocket(FAST) as socket_:
            assert (await socket_.recv()).startswith("0{")

    async def test_websockets_are_not_timed(self):
        limits = HttpLimits(header_timeout_s=SHORT_S, body_timeout_s=SHORT_S)
        async with fast_door(limits) as it, it.websocket() as socket_:
            await time_passes(3 * SHORT_S)
            await socket_.send("hello")
            assert "hello" == await socket_.recv()


OLD = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
OLD_CHUNKS = OLD.replace(b"/headers", b"/chunks")
KEEP = b"connection: keep-alive\r\n"


class TestHttp10:
    """RFC 9112, sections 6.1, 6.3 and 9.3; RFC 9110, sections 7.8 and 10.1.1."""

    @pytest.mark.parametrize("more", [b"", KEEP])
    async def test_an_answer_of_unknown_length_ends_with_the_connection_and_has_no_chunks(self, more):
        async with door() as it, it.call() as caller:
            await caller.send(OLD_CHUNKS + more + b"\r\n")
            head, _, body = (await caller.rest()).partition(b"\r\n\r\n")

            assert b"onetwo" == body
            assert b"transfer-encoding" not in head.lower()
            assert b"\r\nconnection: close" in head.lower()

    async def test_a_connection_ends_with_its_answer(self):
        async with door() as it, it.call() as caller:
            await caller.send(OLD + b"\r\n")
            assert 200 == await caller.refusal()

    async def test_a_client_that_asks_for_it_keeps_its_connection_and_is_told_so(self):
        async with door() as it, it.call() as caller:
            for _ in range(2):
                await caller.send(OLD + KEEP + b"\r\n")
                status, _ = await caller.answer()
                assert (200, b"keep-alive") == (status, caller.fields[b"connection"])

    async def test_in_1_1_an_answer_of_unknown_length_has_chunks_and_the_connection_is_kept(self):
        async with door() as it, it.call() as caller:
            await caller.send(HEAD.replace(b"/headers", b"/chunks") + b"\r\n" + OLD + b"\r\n")
            answers = await caller.rest()

            assert b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n" in answers
            assert answers.endswith(b'["host"]')

    async def test_a_request_that_claims_to_have_chunks_is_400(self):
        async with door() as it, it.call() as caller:
            await caller.send(OLD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n")
            assert 400 == await caller.refusal()

    async def test_it_knows_no_100_and_no_upgrade(self):
        async with fast_door() as it, it.call() as caller:
            await caller.send(OLD + UPGRADE + b"expect: 100-continue\r\n\r\n")
            assert 200 == await caller.refusal()


class TestDefects:
    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    async def test_what_is_said_of_a_defect_is_kept_by_no_cache(self, version):
        async with door() as it, it.call() as caller:
            await caller.send(b"GET /broken HTTP/%s\r\n\r\n" % version)
            assert 500 == await caller.refusal()
            assert b"no-store" == caller.fields[b"cache-control"]


class TestKeptConnections:
    short = HttpLimits(keep_alive_s=SHORT_S)

    async def test_a_connection_without_a_request_is_closed_after_the_time_of_the_setting(self):
        async with door(self.short) as it, it.call() as caller:
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.status()
            assert b"" == await caller.rest()
            assert {} == it.refused()

    async def test_by_default_it_is_kept_longer_than_the_proxies_of_the_field_keep_it(self):
        async with door() as it, it.call() as caller:
            before = asyncio.get_running_loop().time()
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.status()
            (connection,) = it.kept()
            # ALB 60 s, nginx 75 s, Traefik 90 s.
            assert connection.timeout_keep_alive_task.when() - before > 90

    async def test_a_request_that_comes_as_the_time_is_up_is_answered(self):
        """A proxy's POST, sent a moment before our time is up and read a moment after it: the loop was busy."""
        async with door() as it:
            proxy = socket.create_connection((HOST, it.port))
            with proxy:
                reader, writer = await asyncio.open_connection(sock=proxy)
                caller = Caller(reader, writer)
                await caller.send(HEAD + b"\r\n")
                assert 200 == await caller.status()
                (connection,) = it.kept()
                posted = proxy.dup()
                posted.send(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi")
                posted.close()
                # As a loop does that runs its timers before it reads.
                connection.timeout_keep_alive_handler()
                assert (200, b"hi") == await caller.answer()
                await caller.close()

    async def test_a_proxy_that_keeps_connections_for_less_loses_no_request(self):
        async with door(HttpLimits(keep_alive_s=WAIT_S)) as it, it.call() as proxy:
            for number in range(5):
                await time_passes(SHORT_S / 2)
                await proxy.send(b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n%d" % number)
                assert (200, b"%d" % number) == await proxy.answer()

    async def test_a_listener_that_is_going_to_close_ends_connections_with_their_next_answer(self):
        async with door() as it, it.call() as caller:
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.status()
            let_part(it.protocol)
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.refusal()

    async def test_a_request_that_is_arriving_as_the_listener_closes_is_answered(self):
        async with door() as it, it.call() as caller:
            await caller.send(HEAD)
            async with asyncio.timeout(WAIT_S):
                begun = await until(lambda: [each for each in it.kept() if each._has_begun])
            begun[0].shutdown()
            await caller.send(b"\r\n")
            assert 200 == await caller.refusal()

    async def test_an_idle_connection_is_closed_with_the_listener(self):
        async with door() as it, it.call() as caller:
            await caller.send(HEAD + b"\r\n")
            assert 200 == await caller.status()
            it.kept()[0].shutdown()
            assert b"" == await caller.rest()

    async def test_a_connection_over_which_nothing_has_come_yet_is_closed_with_the_listener(self):
        async with door() as it, it.call() as caller:
            await it.open_are(1)
            it.kept()[0].shutdown()
            assert b"" == await caller.rest()
            assert {} == it.refused()

    async def test_a_first_request_that_has_not_been_read_as_the_listener_closes_is_answered(self):
        async with door() as it:
            with socket.create_connection((HOST, it.port)) as client:
                await it.open_are(1)
                (connection,) = it.kept()
                client.send(HEAD + b"\r\n")
                connection.shutdown()
                caller = Caller(*await asyncio.open_connection(sock=client))
                assert 200 == await caller.refusal()
                await caller.close()

    async def test_a_request_whose_body_is_arriving_as_the_listener_closes_is_answered(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na")
            async with asyncio.timeout(WAIT_S):
                begun = await until(lambda: [each for each in it.kept() if each._is_in_body])
            begun[0].shutdown()
            await caller.send(b"b")
            assert (200, b"ab") == await caller.answer()
            assert b"" == await caller.rest()


class TestUnread:
    short = HttpLimits(body_timeout_s=SHORT_S)

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    async def test_a_client_that_takes_nothing_of_its_answer_is_cut(self, version):
        async with door(self.short) as it:
            with socket.create_connection((HOST, it.port)) as silent:
                silent.send(b"GET /endless HTTP/%s\r\n\r\n" % version)
                await it.open_are(1)
                await it.open_are(0)
            assert {"unread": 1} == it.refused()

    @pytest.mark.parametrize("path", [b"/", b"/engine.io/?EIO=3&transport=websocket"])
    async def test_a_client_that_reads_nothing_and_asks_for_a_websocket_that_is_refused_is_cut(self, path):
        asked = b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n" % path
        async with fast_door(close_timeout_s=SHORT_S) as it:
            with socket.create_connection((HOST, it.port)) as silent:
                silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                silent.setblocking(False)
                await it.open_are(1)
                (connection,) = it.kept()
                async with asyncio.timeout(WAIT_S):
                    # Until no more is taken of the answers, and less waits than makes the application wait.
                    while not connection.transport.get_write_buffer_size():
                        last = connection.cycle
                        silent.send(b"GET /large HTTP/1.1\r\n\r\n")
                        # One at a time: requests that wait behind another have a bound of their own.
                        await until(
                            lambda last=last: (
                                connection.cycle is not last and connection.cycle.response_complete
                            )
                        )
                silent.send(asked)
                await it.open_are(0)

    async def test_a_client_that_reads_slowly_is_waited_for_and_one_that_stops_is_not(self):
        loop = asyncio.get_running_loop()
        async with door() as it:
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                slow.setblocking(False)
                await loop.sock_connect(slow, (HOST, it.port))
                await loop.sock_sendall(slow, b"GET /endless HTTP/1.1\r\n\r\n")
                async with asyncio.timeout(WAIT_S):
                    (connection,) = await until(lambda: [each for each in it.kept() if each._unsent.timer])
                    for _ in range(3):
                        while queued_bytes(connection.transport) >= connection._unsent.left_bytes:
                            await loop.sock_recv(slow, 65_536)
                        connection._unsent.look()
                        assert not connection.transport.is_closing()

                    # What the client has not read is with the system, too, until that takes no more.
                    def is_cut():
                        connection._unsent.look()
                        return connection.transport.is_closing()

                    await until(is_cut)
            assert {"unread": 1} == it.refused()

    # uvloop has the application go on when nothing is left, and not before.
    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_a_client_that_takes_most_of_its_answer_and_then_stops_is_cut(self):
        async with door(self.short) as it:
            async with it.nearly_read(b"/larger"):
                await it.open_are(0)
            assert {"unread": 1} == it.refused()

    # uvloop has the application go on when nothing is left, and not before.
    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_a_client_that_has_stopped_is_not_watched_while_its_answer_goes_on(self):
        async with door() as it, it.nearly_read(b"/pausing") as connection:
            assert connection._unsent.timer is None
            it.app.released.set()
            async with asyncio.timeout(WAIT_S):
                await until(lambda: connection._unsent.timer is not None)
            assert not connection.transport.is_closing()


class TestTwoRequestsAtATime:
    async def test_a_refusal_is_never_taken_for_the_answer_to_an_earlier_request(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(b"GET /held HTTP/1.1\r\n\r\n" + b"\x00")
                assert b"" == await caller.rest()
            assert {"malformed": 1} == it.refused()
            async with asyncio.timeout(WAIT_S):
                await until(lambda: it.app.gone)

    @pytest.mark.parametrize("path", [b"/", b"/engine.io/?EIO=4&transport=websocket"])
    async def test_a_websocket_does_not_begin_while_a_request_is_being_answered(self, path):
        async with fast_door() as it:
            async with it.call() as caller:
                await caller.send(b"GET /held HTTP/1.1\r\n\r\n")
                await caller.send(b"GET %s HTTP/1.1\r\nhost: a\r\n%s\r\n" % (path, UPGRADE))
                assert b"" == await caller.rest()
            assert {"malformed": 1} == it.refused()

    async def test_a_request_is_told_of_its_client_leaving_though_another_waits_behind_it(self):
        async with door() as it:
            async with it.call() as caller:
                await caller.send(b"GET /held HTTP/1.1\r\n\r\n" * 2)
                async with asyncio.timeout(WAIT_S):
                    await until(lambda: it.app.started)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: it.app.gone)


class TestNumber:
    three = HttpLimits(max_connections=3)
    three_each = HttpLimits(max_connections_per_address=3)

    @pytest.mark.parametrize(
        ("limits", "reason"), [(three, "connections"), (three_each, "connections_per_address")]
    )
    async def test_one_connection_more_is_503_until_another_is_lost(self, limits, reason):
        async with door(limits) as it, it.call(), it.call():
            async with it.call():
                await it.open_are(3)
                async with it.call() as caller:
                    await caller.send(HEAD + b"\r\n")
                    assert 503 == await caller.refusal()
                assert {reason: 1} == it.refused()
            await it.open_are(2)
            async with it.call() as caller:
                await caller.send(HEAD + b"\r\n")
                assert 200 == await caller.status()
        assert 0 == it.connections.open

    @pytest.mark.parametrize("path", ["/", FAST])
    async def test_a_websocket_counts_until_it_is_lost(self, path):
        async with fast_door(self.three) as it:
            async with it.websocket(path), it.websocket(path), it.websocket(path):
                await it.open_are(3)
                with pytest.raises(InvalidStatus, match="503"):
                    await it.websocket(path).__aenter__()
            await it.open_are(0)
            async with it.websocket(path):
                await it.open_are(1)
            await it.open_are(0)

    @pytest.mark.parametrize("path", ["/", FAST])
    async def test_a_websocket_that_breaks_is_counted_no_longer(self, path):
        async with fast_door() as it, it.call() as caller:
            await caller.send(b"GET %s HTTP/1.1\r\nhost: a\r\n%s\r\n" % (path.encode(), UPGRADE))
            assert 101 == await caller.status()
            await it.open_are(1)
            caller.reset()
            await it.open_are(0)

    @pytest.mark.parametrize(
        "path", ["/engine.io/?EIO=3&transport=websocket", "/engine.io/?EIO=4&transport=none"]
    )
    async def test_a_websocket_that_is_refused_is_counted_no_longer(self, path):
        async with fast_door() as it:
            with pytest.raises(InvalidStatus):
                await it.websocket(path).__aenter__()
            await it.open_are(0)

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            FAST,
        ],
    )
    async def test_a_handshake_that_is_none_is_counted_no_longer(self, path):
        request = b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        async with fast_door() as it:
            async with it.call() as caller:
                await caller.send(request % path.encode())
                assert b"HTTP/1.1 4" == (await caller.rest())[:10]
            await it.open_are(0)

    async def test_a_refused_client_counts_until_its_connection_is_lost(self):
        async with door() as it, it.call() as caller:
            await caller.send(b"\x00")
            assert 400 == await caller.status()
            await it.open_are(1)
            await it.open_are(0)

    async def test_of_those_that_are_turned_away_few_are_open_at_a_time(self):
        async with door(HttpLimits(max_connections=1, max_turned_away=1)) as it, it.call():
            await it.open_are(1)
            async with it.call(), it.call() as third:
                assert b"" == await third.rest()
            async with asyncio.timeout(WAIT_S):
                await until(lambda: not it.connections.turned_away)
            assert {"connections": 2} == it.refused()

    async def test_who_is_turned_away_and_says_nothing_is_told_and_cut(self):
        async with door(HttpLimits(max_connections=1)) as it, it.call(), it.call() as caller:
            assert 503 == await caller.refusal()

    async def test_zero_is_any_number(self):
        async with door(HttpLimits(max_connections=0)) as it, it.call(), it.call():
            await it.open_are(2)


async def send_until_cut_off(caller: Caller, piece: bytes, *, total_bytes: int) -> int:
    """Send pieces until the server has cut the connection; returns how much was taken."""
    sent = 0
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionError):
            while sent < total_bytes:
                await caller.send(piece)
                sent += len(piece)
    return sent


async def dribble(caller: Caller, data: bytes) -> None:
    """Send a byte at a time."""
    with contextlib.suppress(ConnectionError):
        for position in range(len(data)):
            await caller.send(data[position : position + 1])
            await time_passes(0.02)
