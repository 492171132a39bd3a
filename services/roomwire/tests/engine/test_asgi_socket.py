"""The application's own WebSockets: ASGI's messages, RFC 6455's rules, and the bounds that the engine's have as well."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from prometheus_client import CollectorRegistry
from serving import served
from siege import BINARY, CLOSE, CONTINUATION, PING, TEXT, Raw, frame
from waiting import until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from roomwire import Server
from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.asgi_socket import AsgiSocket, asgi_websocket
from roomwire.engine.fast import fast_websocket
from roomwire.engine.fast_socket import FastSocket
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.limits.http import HttpLimits
from roomwire.metrics.http import HttpMetrics
from roomwire.serving.http import bounded_http

WAIT_S = 30.0
SHORT_S = 0.2
OK, GOING_AWAY, PROTOCOL, INVALID_TEXT, TOO_BIG, FAILED = 1000, 1001, 1002, 1007, 1009, 1011
HANDSHAKE = (
    "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
)
SPEAKER = {"type": "websocket.accept"}

App = Callable[[Any, Any, Any], Awaitable[None]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Say again what was said."""
    assert {"type": "websocket.connect"} == await receive()
    await send(SPEAKER)
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


class Place:
    """A served application."""

    def __init__(self, port: int, state: Any, exceeded: list[Bound]) -> None:
        self.port = port
        self.state = state
        self.exceeded = exceeded

    def connect(self, target: str = "/", **options: Any) -> Any:
        return connect(f"ws://127.0.0.1:{self.port}{target}", compression=None, **options)

    @asynccontextmanager
    async def raw(self, target: str = "/", more: str = "") -> AsyncIterator[Raw]:
        """Open a WebSocket by hand; its answer is in `got`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        opened = Raw(reader, writer)
        try:
            await opened.send(HANDSHAKE.format(target=target, more=more).encode())
            async with asyncio.timeout(WAIT_S):
                opened.got = await reader.readuntil(b"\r\n\r\n")
            yield opened
        finally:
            writer.transport.abort()

    async def ended(self, opened: Raw) -> str:
        """Return how a WebSocket ended."""
        opened.got = b""
        async with asyncio.timeout(WAIT_S):
            return await opened.rest()

    async def until(self, count: int) -> None:
        """Return when so many connections are open."""
        async with asyncio.timeout(WAIT_S):
            await until(lambda: len(self.state.connections) == count)


@asynccontextmanager
async def serving(app: App = echo, **limits: float) -> AsyncIterator[Place]:
    """Serve an application whose WebSockets are within limits, and with the bounds of HTTP."""
    exceeded: list[Bound] = []
    ws = asgi_websocket(Limits(**limits), exceeded=exceeded.append)
    http = bounded_http(HttpLimits(), metrics=HttpMetrics(CollectorRegistry()))
    async with served(app, http=http, ws=ws) as place:
        yield Place(place.port, place.state, exceeded)


class TestMessages:
    @pytest.mark.parametrize("said", ["", "hello", "\u20ac" * 50_000, b"", b"\0\xff", b"a" * 200_000])
    async def test_texts_and_bytes_arrive_as_what_they_are(self, said):
        async with serving() as place, place.connect() as client:
            await client.send(said)
            assert said == await client.recv()

    async def test_fragments_are_put_together_and_a_ping_in_between_is_answered(self):
        async with serving() as place, place.raw() as raw:
            await raw.send(
                frame(TEXT, b"\xe2\x82", final=False)
                + frame(PING, b"here")
                + frame(CONTINUATION, b"\xac", final=True)
            )
            assert b"\x8a\x04here\x81\x03\xe2\x82\xac" == await raw.reader.readexactly(11)

    async def test_many_messages_in_one_piece_arrive_in_order(self):
        numbers = [str(number).encode() for number in range(500)]
        async with serving() as place, place.connect() as client:
            client.transport.write(b"".join(frame(TEXT, number) for number in numbers))
            assert numbers == [(await client.recv()).encode() for _ in numbers]

    async def test_what_a_client_says_before_it_is_accepted_is_heard_after_that(self):
        may_accept = asyncio.Event()

        async def late(scope, receive, send):
            await may_accept.wait()
            await echo(scope, receive, send)

        async with serving(late) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(HANDSHAKE.format(target="/", more="").encode())
            await place.until(1)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: isinstance(next(iter(place.state.connections)), AsgiSocket))
            writer.write(frame(TEXT, b"early"))
            await writer.drain()
            may_accept.set()
            await reader.readuntil(b"\r\n\r\n")
            assert b"\x81\x05early" == await reader.readexactly(7)
            writer.close()


class TestScope:
    async def test_the_application_sees_the_request_as_asgi_promises_it(self):
        seen: dict[str, Any] = {}

        async def look(scope, receive, send):
            seen.update(scope)
            await echo(scope, receive, send)

        async with (
            serving(look) as place,
            place.connect("/r%C3%A4ume/x?a=%20b", subprotocols=["x", "y"], additional_headers={"X-Y": "z"}),
        ):
            pass
        assert ("/räume/x", b"/r%C3%A4ume/x", b"a=%20b") == (
            seen["path"],
            seen["raw_path"],
            seen["query_string"],
        )
        assert ("websocket", "ws", ["x", "y"]) == (seen["type"], seen["scheme"], seen["subprotocols"])
        assert (b"x-y", b"z") in seen["headers"]
        assert ("127.0.0.1", place.port) == seen["server"]
        assert "127.0.0.1" == seen["client"][0]
        assert {} == seen["state"]

    async def test_the_application_chooses_the_sub_protocol_and_adds_headers(self):
        async def choose(_, receive, send):
            await receive()
            await send({**SPEAKER, "subprotocol": "y", "headers": [(b"x-y", b"z")]})
            await receive()

        async with serving(choose) as place, place.connect(subprotocols=["x", "y"]) as client:
            assert ("y", "z") == (client.subprotocol, client.response.headers["x-y"])

    async def test_the_same_path_is_for_a_websocket_what_it_is_for_a_request(self):
        async def deny(scope, receive, send):
            await receive()
            start = "http" if scope["type"] == "http" else "websocket.http"
            await send({"type": f"{start}.response.start", "status": 404, "headers": []})
            await send({"type": f"{start}.response.body", "body": scope["path"].encode()})

        async with serving(deny) as place:
            for target in ("/", "//x", "/a%2fb", "/%73", "/a/../b", "http://a/b?c"):
                async with place.raw(target) as raw:
                    websocket = await raw.reader.read()
                reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
                writer.write(f"GET {target} HTTP/1.0\r\n\r\n".encode())
                http = (await reader.read()).partition(b"\r\n\r\n")[2]
                writer.close()
                assert http == websocket


class TestRefusals:
    async def test_an_application_that_closes_at_once_refuses(self):
        async def refuse(_, receive, send):
            await receive()
            await send({"type": "websocket.close", "code": 4000})

        async with serving(refuse) as place:
            with pytest.raises(InvalidStatus, match="403"):
                await place.connect().__aenter__()
            await place.until(0)

    async def test_an_application_may_answer_in_its_own_words(self):
        async def answer(_, receive, send):
            await receive()
            headers = [(b"content-type", b"text/html"), (b"content-length", b"99"), (b"x-y", b"z")]
            await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"here"})

        async with serving(answer) as place:
            with pytest.raises(InvalidStatus) as raised:
                await place.connect().__aenter__()
            response = raised.value.response
            assert (404, b"not here") == (response.status_code, response.body)
            assert ("text/html", "z", "8") == tuple(
                response.headers[name] for name in ("content-type", "x-y", "content-length")
            )

    @pytest.mark.parametrize(
        "event",
        [
            {"type": "websocket.accept", "headers": [(b"x", b"y\r\nset-cookie: z")]},
            {"type": "websocket.accept", "subprotocol": "x\r\ny: z"},
            {"type": "websocket.send", "text": "before it is accepted"},
            {"type": "websocket.http.response.body", "body": b"without a start"},
        ],
        ids=str,
    )
    async def test_an_application_that_fails_before_it_has_accepted_is_500(self, event, caplog):
        async def fail(_, receive, send):
            await receive()
            await send(event)

        async with serving(fail) as place:
            with pytest.raises(InvalidStatus, match="500"):
                await place.connect().__aenter__()

    async def test_an_application_that_fails_later_closes_with_1011(self):
        async def fail(_, receive, send):
            await receive()
            await send(SPEAKER)
            raise RuntimeError("a defect")

        async with serving(fail) as place, place.connect() as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert FAILED == client.close_code


class TestEnds:
    async def test_the_application_says_why_it_closes(self):
        async def close(_, receive, send):
            await receive()
            await send(SPEAKER)
            await send({"type": "websocket.close", "code": 4001, "reason": "\u20ac" * 100})

        async with serving(close) as place, place.connect() as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            # Of a longer reason than fits into a frame, the beginning.
            assert (4001, "\u20ac" * 41) == (client.close_code, client.close_reason)

    @pytest.mark.parametrize(
        ("sent", "told"),
        [
            (frame(CLOSE, struct.pack("!H", 4002) + b"bye"), {"code": 4002, "reason": "bye"}),
            (frame(CLOSE, b""), {"code": 1005, "reason": ""}),
            (frame(CLOSE, b"\0"), {"code": PROTOCOL, "reason": ""}),
            (frame(TEXT, b"\xff"), {"code": INVALID_TEXT, "reason": ""}),
            (None, {"code": 1006, "reason": ""}),
        ],
    )
    async def test_the_application_is_told_how_it_ended_and_cannot_send_any_more(self, sent, told):
        ends = []

        async def note(_, receive, send):
            await receive()
            await send(SPEAKER)
            ends.append(await receive())
            with pytest.raises(ConnectionResetError):
                await send({"type": "websocket.send", "text": "too late"})

        async with serving(note) as place:
            async with place.raw() as raw:
                if sent:
                    await raw.send(sent)
                    await raw.rest()
            await place.until(0)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: ends)
            assert [{"type": "websocket.disconnect", **told}] == ends

    async def test_a_client_that_does_not_go_is_cut(self):
        async def close(_, receive, send):
            await receive()
            await send(SPEAKER)

        async with serving(close, close_timeout_s=SHORT_S) as place, place.raw():
            await place.until(0)

    async def test_a_connection_that_the_application_itself_needs_and_does_not_get_is_told_in_the_log(
        self, log_lines
    ):
        async def refused(_, receive, send):
            await receive()
            await send(SPEAKER)
            raise ConnectionRefusedError("its database")

        async with serving(refused) as place:
            async with place.raw() as raw:
                assert f"closed {FAILED}" == await place.ended(raw)
            await place.until(0)
        (line,) = log_lines()
        assert ("websocket failed", "error") == (line["event"], line["level"])
        assert "ConnectionRefusedError: its database" in json.dumps(line)

    @pytest.mark.parametrize("sent", [frame(CLOSE, b""), None])
    async def test_what_an_application_fails_to_reach_once_its_client_has_left_is_no_word_in_the_log(
        self, sent, log_lines
    ):
        async def lose(_, receive, send):
            await receive()
            await send(SPEAKER)
            await receive()
            raise BrokenPipeError

        async with serving(lose) as place:
            async with place.raw() as raw:
                if sent:
                    await raw.send(sent)
                    await raw.rest()
            await place.until(0)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: not place.state.tasks)
        assert [] == log_lines()

    @pytest.mark.parametrize("way", ["the server stops", "the application closes"])
    async def test_what_an_application_still_says_when_it_is_over_is_no_word_in_the_log(self, way, log_lines):
        async def talk(_, receive, send):
            await receive()
            await send(SPEAKER)
            if way == "the application closes":
                await send({"type": "websocket.close"})
            else:
                await receive()
            await send({"type": "websocket.send", "text": "too late"})

        async with serving(talk) as place:
            async with place.raw() as raw:
                for each in list(place.state.connections):
                    if way == "the server stops":
                        each.shutdown()
                await place.ended(raw)
            await place.until(0)
        assert [] == log_lines()

    async def test_a_server_that_stops_says_so(self):
        async with serving() as place, place.connect() as client:
            for each in list(place.state.connections):
                each.shutdown()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert GOING_AWAY == client.close_code


class TestBounds:
    @pytest.mark.parametrize(
        ("sent", "code", "exceeded"),
        [
            pytest.param(frame(TEXT, b"a" * 1_001), TOO_BIG, [Bound.MESSAGE_BYTES], id="a frame"),
            pytest.param(
                frame(TEXT, b"a" * 600, final=False) + frame(CONTINUATION, b"a" * 600),
                TOO_BIG,
                [Bound.MESSAGE_BYTES],
                id="fragments together",
            ),
            pytest.param(
                frame(BINARY, b"", final=False) + frame(CONTINUATION, b"", final=False) * 8,
                TOO_BIG,
                [Bound.FRAGMENTS],
                id="empty fragments",
            ),
            pytest.param(frame(TEXT, b"\xff\xfe"), INVALID_TEXT, [], id="no UTF-8"),
            pytest.param(frame(TEXT, b"a", reserved=0x40), PROTOCOL, [], id="a reserved bit"),
            pytest.param(frame(PING, b"a" * 126), PROTOCOL, [], id="a long ping"),
        ],
    )
    async def test_what_is_against_the_rules_closes_without_a_word_in_the_log(
        self, sent, code, exceeded, caplog, capsys
    ):
        async with serving(max_payload_bytes=1_000, max_fragments=8) as place:
            async with place.raw() as raw:
                await raw.send(sent)
                assert f"closed {code}" == await place.ended(raw)
            assert exceeded == place.exceeded
        assert "" == caplog.text + "".join(capsys.readouterr())

    async def test_pings_that_nobody_reads_cost_no_memory(self):
        async with serving() as place, place.raw() as raw:
            (socket,) = place.state.connections
            flood = frame(PING, b"a" * 125) * 500
            for _ in range(400):
                raw.writer.write(flood)
                async with asyncio.timeout(WAIT_S):
                    await raw.writer.drain()
            assert socket._transport.get_write_buffer_size() < 200_000

    async def test_a_client_is_not_read_beyond_what_the_application_takes(self):
        may_go_on = asyncio.Event()

        async def wait(scope, receive, send):
            await receive()
            await send(SPEAKER)
            await may_go_on.wait()

        async with serving(wait) as place, place.raw() as raw:
            (socket,) = place.state.connections
            sending = asyncio.create_task(raw.send(frame(BINARY, b"a" * 60_000) * 1_000))
            async with asyncio.timeout(WAIT_S):
                await until(lambda: not socket._is_reading)
            assert socket._messages.qsize() < 20
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            may_go_on.set()

    async def test_of_one_read_no_more_messages_wait_than_the_bound_and_all_arrive_in_order(self):
        may_go_on, most, heard = asyncio.Event(), 0, []

        async def count(scope, receive, send):
            nonlocal most
            await receive()
            await send(SPEAKER)
            await may_go_on.wait()
            (socket,) = place.state.connections
            while (event := await receive())["type"] == "websocket.receive":
                most = max(most, socket._messages.qsize())
                heard.append(event["text"])
            heard.append(event["code"])

        async with serving(count, max_waiting_messages=16) as place, place.raw() as raw:
            (socket,) = place.state.connections
            texts = [*map(str, range(500)), *[""] * 10_000, "last"]
            # As if it had come by one read.
            socket.data_received(b"".join(frame(TEXT, text.encode()) for text in texts))
            assert 16 == socket._messages.qsize()
            assert not socket._is_reading
            await raw.send(frame(PING, b"here") + frame(CLOSE, struct.pack("!H", 4002)))
            may_go_on.set()
            assert b"\x8a\x04here" == await raw.reader.readexactly(6)
            assert "closed 4002" == await place.ended(raw)
            async with asyncio.timeout(WAIT_S):
                await until(lambda: heard and heard[-1] == 4002)
        assert [*texts, 4002] == heard
        assert 16 == most

    async def test_what_waits_behind_the_bound_and_is_against_the_rules_closes_when_its_turn_has_come(self):
        heard = []

        async def listen(scope, receive, send):
            await receive()
            await send(SPEAKER)
            while (event := await receive())["type"] == "websocket.receive":
                heard.append(event["text"])

        async with serving(listen, max_waiting_messages=2) as place, place.raw() as raw:
            await raw.send(frame(TEXT, b"a") * 5 + frame(TEXT, b"\xff") + frame(TEXT, b"b"))
            assert f"closed {INVALID_TEXT}" == await place.ended(raw)
        async with asyncio.timeout(WAIT_S):
            await until(lambda: not place.state.tasks)
        assert ["a"] * 5 == heard

    async def test_a_client_that_does_not_read_is_cut_and_the_application_is_told(self):
        told = asyncio.Event()

        async def talk(_, receive, send):
            await receive()
            await send(SPEAKER)
            with contextlib.suppress(ConnectionResetError):
                while True:
                    await send({"type": "websocket.send", "bytes": b"a" * 100_000})
            told.set()

        async with serving(talk, ping_timeout_s=SHORT_S) as place, place.raw() as raw:
            raw.reader._transport.pause_reading()
            async with asyncio.timeout(WAIT_S):
                await told.wait()
            await place.until(0)
            assert [Bound.UNREAD_BYTES] == place.exceeded

    async def test_a_client_that_is_gone_is_pinged_and_cut(self):
        async with serving(ping_interval_s=SHORT_S, ping_timeout_s=SHORT_S) as place, place.raw() as raw:
            assert b"\x89\x00" == await raw.reader.readexactly(2)
            await place.until(0)

    async def test_a_client_that_answers_pings_stays(self):
        async with serving(ping_interval_s=0.0) as place, place.connect() as client:
            (socket,) = place.state.connections
            for _ in range(3):
                socket._look()
                assert socket._is_pinged
                async with asyncio.timeout(WAIT_S):
                    await until(lambda: not socket._is_pinged)
            await client.send("still here")
            assert "still here" == await client.recv()

    @pytest.mark.parametrize("name", ["cookie", "authorization", "x"])
    @pytest.mark.parametrize("size", [8_193, 15_000])
    async def test_a_long_header_is_taken_as_in_any_other_request(self, name, size):
        async with serving() as place, place.raw(more=f"{name}: {'a' * size}\r\n") as raw:
            assert raw.got.startswith(b"HTTP/1.1 101 ")

    async def test_a_header_over_the_bound_is_431(self):
        async with serving() as place, place.raw(more=f"cookie: {'a' * 100_000}\r\n") as raw:
            assert raw.got.startswith(b"HTTP/1.1 431 ")


BELOW = [
    "/socket.io/",
    "/socket.io",
    "/socket.io/x",
    "/socket.io//",
    "/socket.io/%2f",
    "/socket.io/%2F..",
    "/%73ocket.io/",
    "/socket%2Eio/",
    "/socket.io%2f",
    "/socket.io/../x",
    "http://a/socket.io/",
    "ws://a:1/%73ocket.io/x",
]
BESIDE = [
    "/",
    "/socket.iox/",
    "//socket.io/",
    "/./socket.io/",
    "/x/../socket.io/",
    "/SOCKET.IO/",
    "/%2fsocket.io/",
    "/socket.io%00/",
    "/socket.io%3f/",
    "/%2573ocket.io/",
    "http://socket.io/x",
]
QUERY = "?EIO=4&transport=websocket"


class TestOneDoor:
    """Whatever decodes to a path below the engine's is the engine's, by the fast path; all else the application's."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        server = Server()

        async def other(scope: Any, receive: Any, send: Any) -> None:
            assert not scope["path"].startswith("/socket.io/"), "the engine's way beside the fast one"
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body"})
            else:
                await echo(scope, receive, send)

        app = socketio.ASGIApp(server, other_asgi_app=other)
        http = bounded_http(HttpLimits(), metrics=HttpMetrics(CollectorRegistry()))
        async with served(app, http=http, ws=fast_websocket(server.eio, "/socket.io/")) as place:
            yield Place(place.port, place.state, [])
            await server.eio.shutdown()

    @pytest.mark.parametrize("target", BELOW)
    async def test_below_the_path_of_the_engine(self, target):
        async with self.place() as place, place.raw(target + QUERY) as raw:
            assert raw.got.startswith(b"HTTP/1.1 101 ")
            assert [FastSocket] == [type(each) for each in place.state.connections]
            assert b"0{" == (await raw.reader.readexactly(4))[2:]

    @pytest.mark.parametrize("target", BESIDE)
    async def test_beside_it(self, target):
        async with self.place() as place, place.raw(target + QUERY) as raw:
            assert raw.got.startswith(b"HTTP/1.1 101 ")
            assert [AsgiSocket] == [type(each) for each in place.state.connections]

    @pytest.mark.parametrize("target", [*BELOW, *BESIDE])
    async def test_polling_and_websockets_agree(self, target):
        async with self.place() as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(f"GET {target}?EIO=4&transport=polling HTTP/1.0\r\nhost: a\r\n\r\n".encode())
            status = int((await reader.read()).split()[1])
            writer.close()
            assert (200 if target in BELOW else 404) == status

    async def test_without_another_application_there_is_nothing_beside_it(self, caplog, capsys):
        server = Server()
        async with served(socketio.ASGIApp(server), ws=fast_websocket(server.eio, "/socket.io/")) as served_:
            for target in BESIDE:
                async with Place(served_.port, served_.state, []).raw(target) as raw:
                    assert raw.got.startswith(b"HTTP/1.1 404 ")
            await server.eio.shutdown()
        assert "" == caplog.text + "".join(capsys.readouterr())

    @pytest.mark.parametrize("target", ["*", "x", "?x", "http://a", "/\x80"])
    async def test_what_is_no_target_is_400(self, target):
        async with self.place() as place, place.raw(target) as raw:
            assert raw.got.startswith(b"HTTP/1.1 400 ")


class TestSubProtocols:
    @pytest.fixture(params=["fast", "asgi"])
    def socket_of(self, request):
        @asynccontextmanager
        async def opened() -> AsyncIterator[Place]:
            engine = AsgiEngine(async_mode="asgi")
            app = socketio.ASGIApp(engine, socketio_path="engine.io")
            ws = fast_websocket(engine, "/engine.io/") if request.param == "fast" else None
            async with served(app, ws=ws) as place:
                yield Place(place.port, place.state, [])
                await engine.shutdown()

        return opened

    @pytest.mark.parametrize(
        "offered", [["x"], ["y", "x"], ["graphql-ws", "chat.v2", "!#$%&'*+-.^_`|~"]], ids=",".join
    )
    async def test_the_first_one_that_is_offered_is_chosen(self, socket_of, offered):
        async with (
            socket_of() as place,
            place.connect("/engine.io/" + QUERY, subprotocols=offered) as client,
        ):
            assert offered[0] == client.subprotocol
            assert (await client.recv()).startswith("0{")

    async def test_none_is_chosen_if_none_is_offered(self, socket_of):
        async with socket_of() as place, place.connect("/engine.io/" + QUERY) as client:
            assert client.subprotocol is None

    async def test_a_list_in_several_headers_is_one_list(self, socket_of):
        more = "sec-websocket-protocol: a\r\nsec-websocket-protocol: b ,c\r\n"
        async with socket_of() as place, place.raw("/engine.io/" + QUERY, more) as raw:
            assert b"sec-websocket-protocol: a\r\n" in raw.got.lower()

    @pytest.mark.parametrize("offer", ["", ",", "a,", ",a", "a,,b", "a b", "a,a", "a;b", 'a"', "a/b", "\x80"])
    async def test_a_list_that_is_none_is_400(self, socket_of, offer):
        more = f"sec-websocket-protocol: {offer}\r\n"
        async with socket_of() as place, place.raw("/engine.io/" + QUERY, more) as raw:
            assert raw.got.startswith(b"HTTP/1.1 400 ")
