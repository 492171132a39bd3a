"""Requests that reach a gateway which does not hold their session: real gateways over a real Redis."""

import asyncio
import contextlib
import json

import httpx
import pytest
import websockets
from live import PATIENCE_S
from prometheus_client import CollectorRegistry
from serving import hypercorn_served, served
from waiting import until
from where_from import CASES

from roomwire.errors import ConfigurationError
from roomwire.limits.http import HttpLimits
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.http import HttpMetrics
from roomwire.relay.proof import HELLO_BYTES, WELCOME_BYTES, Proof, RelayRequest
from roomwire.serving.http import bounded_http
from roomwire_gateway.app import node as chat_node
from roomwire_gateway.settings import Settings

SECRET = "a secret of more than thirty-two characters"
UNKNOWN_SID = {"code": 1, "message": "Session ID unknown"}
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


class Node:
    """A gateway, served as in production."""

    def __init__(self, app, relay_port):
        self.app = app
        self.relay_port = relay_port
        self.address = ""
        self.serving = contextlib.AsyncExitStack()

    @property
    def node(self):
        return self.app.server.log.node

    def metric(self, name, **labels):
        return self.app.registry.get_sample_value(f"roomwire_{name}", labels) or 0

    def connection(self, sid):
        return self.app.server.eio.find(sid)

    async def stop(self):
        await self.serving.aclose()
        await self.app.close()


async def echo(_, said):
    """Answer with what was said: the chat takes no long texts."""
    return said


@pytest.fixture
async def start(redis_url, free_port_factory):
    """A factory of gateways that relay."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(name, *, serve=None, **settings):
            port = free_port_factory()
            chosen = {
                "auth_mode": "off",
                "page": False,
                "redis_timeout_s": 0.5,
                "relay_port": port,
                "relay_secret": SECRET,
                "drain_s": 0,
                # Large answers are charged by their bytes.
                "max_events_per_s": 0,
            } | settings
            app = chat_node(Settings(redis_url=redis_url, node_name=name, **chosen))
            node = Node(app, port)
            stack.push_async_callback(node.stop)
            app.server.on("echo", echo)
            await app.start()
            http = bounded_http(HttpLimits(), metrics=HttpMetrics(CollectorRegistry()))
            serving = serve(app.asgi) if serve else served(app.asgi, http=http, ws=app.websocket)
            node.address = (await node.serving.enter_async_context(serving)).address
            return node

        yield make


@pytest.fixture
async def http():
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        yield client


async def opened(http, node, **headers):
    """Begin a session by polling; returns its id."""
    answer = await http.get(f"http://{node.address}{POLLING}", headers=headers)
    return json.loads(answer.text[1:])["sid"]


def polled(node, sid):
    return f"http://{node.address}{POLLING}&sid={sid}"


def socket_of(node, sid, **options):
    return websockets.connect(f"ws://{node.address}{WEBSOCKET}&sid={sid}", proxy=None, **options)


def is_refused(answer):
    return (400, UNKNOWN_SID) == (answer.status_code, answer.json())


@pytest.mark.parametrize("serve", [None, hypercorn_served], ids=["uvicorn", "hypercorn"])
async def test_a_client_polls_one_gateway_and_posts_to_another(start, http, serve):
    first, second = await start("n1"), await start("n2", serve=serve)
    sid = await opened(http, first)

    assert "ok" == (await http.post(polled(second, sid), content="40")).text
    assert (await http.get(polled(second, sid))).text.startswith("40{")
    waiting = asyncio.create_task(http.get(polled(second, sid)))
    said = "\u2603" * 20_000
    assert "ok" == (await http.post(polled(second, sid), content=f'420["echo","{said}"]')).text
    assert f'430["{said}"]' == (await waiting).text

    assert second.metric("relays_total", kind="polling", outcome="served") >= 3
    assert first.metric("relays_taken_total", outcome="taken") >= 3
    assert second.metric("relay_bytes_total", direction="to_client") > len(said)
    await until(lambda: second.metric("relays_open") == 0)


async def upgraded(websocket):
    """Let a WebSocket take over; returns the answer to its probe."""
    await websocket.send("2probe")
    answer = await websocket.recv()
    await websocket.send("5")
    return answer


async def heard_by(websocket, beginning):
    """Return the next frame that begins so."""
    async with asyncio.timeout(PATIENCE_S):
        while not (frame := await websocket.recv()).startswith(beginning):
            pass
    return frame


async def ended(websocket):
    """Wait until a WebSocket is closed; return the code."""
    async with asyncio.timeout(PATIENCE_S):
        await websocket.wait_closed()
    return websocket.close_code


async def test_a_websocket_takes_over_through_another_gateway_and_stays(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    await http.post(polled(first, sid), content="40")
    async with socket_of(second, sid) as websocket:
        poll = asyncio.create_task(http.get(polled(second, sid)))
        assert "3probe" == await upgraded(websocket)
        await poll
        await until(lambda: first.connection(sid).upgraded)
        large = "x" * 900_000
        for number in range(5):
            await websocket.send(f'42{number}["echo","{large}"]')
        heard = [await heard_by(websocket, "43") for _ in range(5)]

        assert [f'43{number}["{large}"]' for number in range(5)] == heard
        assert 1 == second.metric("relays_open")
        assert 1 == first.metric("connections", transport="websocket")
        assert 0 == second.metric("connections", transport="websocket")
    await until(lambda: first.connection(sid) is None)
    await until(lambda: second.metric("relays_total", kind="websocket", outcome="served") == 1)


async def test_a_second_websocket_through_another_gateway_is_accepted_and_closed(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)

    async with socket_of(second, sid) as websocket:
        assert "3probe" == await upgraded(websocket)
        async with socket_of(second, sid) as superfluous:
            assert [] == [message async for message in superfluous]
        await websocket.send("40")
        await heard_by(websocket, "40{")
        assert 400 == (await http.get(polled(second, sid))).status_code


async def test_the_first_sub_protocol_that_is_offered_is_chosen_through_another_gateway_too(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    async with socket_of(second, sid, subprotocols=["y", "x"]) as websocket:
        assert "y" == websocket.subprotocol
        assert "3probe" == await upgraded(websocket)


async def test_a_websocket_through_another_gateway_is_compressed_if_the_owner_is_set_to(start, http):
    chosen = {"per_message_deflate": True, "per_message_deflate_threshold_bytes": 100}
    for owner, other, agreed in (
        (await start("n1", **chosen), await start("n2"), True),
        (await start("n3"), await start("n4", **chosen), False),
    ):
        sid = await opened(http, owner)
        async with socket_of(other, sid) as websocket:
            assert agreed is ("Sec-WebSocket-Extensions" in websocket.response.headers)
            assert "3probe" == await upgraded(websocket)
            await websocket.send("40")
            await heard_by(websocket, "40{")
            large = "x" * 900
            await websocket.send(f'427["echo","{large}"]')
            assert f'437["{large}"]' == await heard_by(websocket, "43")


async def test_when_the_owner_ends_the_session_its_client_is_told_as_if_it_were_there(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    async with socket_of(second, sid) as websocket:
        await upgraded(websocket)
        await until(lambda: first.connection(sid).upgraded)
        await first.app.server.eio.disconnect(sid)

        assert 1000 == await ended(websocket)
    await until(lambda: second.metric("relays_open") == 0)


async def test_on_a_plain_asgi_server_polling_is_relayed_and_upgrades_are_refused(start, http):
    first, second = await start("n1"), await start("n2", serve=hypercorn_served)
    sid = await opened(http, first)
    with pytest.raises(websockets.InvalidStatus):
        async with socket_of(second, sid):
            pass
    assert "ok" == (await http.post(polled(second, sid), content="40")).text


async def test_when_the_owner_is_gone_the_session_is_unknown(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    assert "ok" == (await http.post(polled(second, sid), content="40")).text
    await first.stop()

    assert is_refused(await http.get(polled(second, sid)))
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with socket_of(second, sid):
            pass
    assert UNKNOWN_SID == json.loads(refused.value.response.body)


async def test_a_poll_that_waits_when_its_owner_dies_is_answered_that_the_session_is_unknown(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    await http.post(polled(second, sid), content="40")
    await http.get(polled(second, sid))
    poll = asyncio.create_task(http.get(polled(second, sid)))
    await until(lambda: first.metric("relays_taken_total", outcome="taken") == 3)
    for connection in list(first.app._relay_listener._state.connections):
        connection.transport.abort()

    assert is_refused(await poll)
    assert 1 == second.metric("relays_total", kind="polling", outcome="cut")


async def test_an_owner_that_began_again_does_not_know_the_session(start, http, free_port_factory):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    await http.post(polled(second, sid), content="40")
    await first.stop()
    again = await start("n1", relay_port=first.relay_port)

    assert is_refused(await http.get(polled(second, sid)))

    async def a_new_one_is_known():
        new = await opened(http, again)
        return "ok" == (await http.post(polled(second, new), content="40")).text

    await until(a_new_one_is_known)


@pytest.mark.parametrize(
    "sid",
    [
        "n1.forged",
        "n2.forged",
        "evil.example.forged",
        "127.0.0.1:6379.x",
        "[::1]:80.x",
        ".x",
        "x",
        "nobody.x",
        "n%00.x",
    ],
)
async def test_a_forged_id_leads_nowhere(start, http, sid):
    first, second = await start("n1"), await start("n2")

    assert is_refused(await http.get(polled(second, sid)))
    with pytest.raises(websockets.InvalidStatus):
        async with socket_of(second, sid):
            pass
    assert 0 == first.metric("relays_total", kind="polling", outcome="served")


async def test_what_was_relayed_is_not_relayed_again(start, http):
    first, second, third = await start("n1"), await start("n2"), await start("n3")
    sid = await opened(http, third)
    request = RelayRequest(
        "192.0.2.1", 1, "http", f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    )
    upgrade = (
        f"GET {WEBSOCKET}&sid={sid} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for one in (request, RelayRequest("192.0.2.1", 1, "http", upgrade.encode())):
        answer = await brought(first, Proof(SECRET, first.node), one)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"Session ID unknown" in answer
    for node in (first, second):
        assert 0 == node.metric("relays_open")
        assert 0 == node.metric("relays_total", kind="polling", outcome="served")
    assert 0 == third.metric("relays_taken_total", outcome="taken")


@pytest.mark.parametrize("version", ["13", "12"])
async def test_what_follows_on_an_upgrade_is_no_second_request(start, http, version):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    # Upgraded already: the owner refuses a second WebSocket.
    first.connection(sid).state.transport = "websocket"
    sessions = len(first.app.server.eio.sockets)
    reader, writer = await asyncio.open_connection(*second.address.split(":"))
    writer.write(
        f"GET {WEBSOCKET}&sid={sid} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: {version}\r\n\r\n".encode()
    )
    await writer.drain()
    writer.write(f"GET {POLLING} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 3)
    answer = b""
    with contextlib.suppress(ConnectionError):  # what came too late may reset the connection
        async with asyncio.timeout(PATIENCE_S):
            while more := await reader.read(1000):
                answer += more
    assert answer.count(b"HTTP/1.1") <= 1
    assert b"0{" not in answer
    assert sessions == len(first.app.server.eio.sockets)
    writer.close()


async def brought(node, proof, request):
    """Bring a request to a relay port; returns all that it says after its welcome."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.relay_port)
    hello, nonce = proof.hello()
    writer.write(hello)
    writer.write(proof.request(nonce, await reader.readexactly(WELCOME_BYTES), request))
    answer = b""
    async with asyncio.timeout(PATIENCE_S):
        while b"unknown" not in answer and (more := await reader.read(1000)):
            answer += more
    writer.close()
    return answer


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(f"GET {POLLING} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), id="http"),
        pytest.param(Proof("x" * 32, "n1").hello()[0], id="another secret"),
        pytest.param(b"RWR1" + bytes(HELLO_BYTES - 4), id="no proof"),
        pytest.param(b"\x16\x03\x01" + bytes(200), id="tls"),
    ],
)
async def test_a_stranger_on_the_relay_port_gets_nothing(start, said):
    first = await start("n1")
    reader, writer = await asyncio.open_connection("127.0.0.1", first.relay_port)
    writer.write(said)

    heard = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            heard = await reader.read()
    assert b"" == heard
    assert 1 == first.metric("relays_taken_total", outcome="refused")
    writer.close()


async def test_a_stranger_who_says_nothing_is_cut_off(start):
    first = await start("n1", header_timeout_s=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", first.relay_port)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            assert b"" == await reader.read()
    assert 1 == first.metric("relays_taken_total", outcome="timeout")
    writer.close()


async def test_gateways_of_another_secret_hold_no_sessions_of_ours(start, http):
    first, second = await start("n1"), await start("n2", relay_secret="b" * 32)
    sid = await opened(http, first)

    assert is_refused(await http.get(polled(second, sid)))
    assert 1 == first.metric("relays_taken_total", outcome="refused")
    assert 1 == second.metric("relays_total", kind="polling", outcome="unreached")
    assert "lost" == second.app.dependencies.causes()["relay"]


async def test_a_gateway_that_was_not_reached_once_is_not_told_of_for_ever(start, http, monkeypatch):
    now = 1_000.0
    monkeypatch.setattr("roomwire.app.node.Metrics", lambda: Metrics(clock=lambda: now))
    first, second = await start("n1"), await start("n2", relay_secret="b" * 32)

    assert is_refused(await http.get(polled(second, await opened(http, first))))
    noted = second.app.dependencies.causes()
    now += 60

    assert ({"relay": "lost"}, {}) == (noted, second.app.dependencies.causes())


async def test_beyond_the_bound_nothing_is_relayed(start, http):
    first, second = await start("n1"), await start("n2", max_relays=1)
    sid, other = await opened(http, first), await opened(http, first)
    async with socket_of(second, sid):
        await until(lambda: second.metric("relays_open") == 1)
        assert is_refused(await http.get(polled(second, other)))
        assert 1 == second.metric("relays_total", kind="polling", outcome="full")
    await until(lambda: second.metric("relays_open") == 0)
    assert "ok" == (await http.post(polled(second, other), content="40")).text


async def test_a_body_too_large_is_refused_through_another_gateway_too_and_the_session_goes_on(start, http):
    first, second = [await start(name, max_body_bytes=5_000) for name in ("n1", "n2")]
    sid = await opened(http, first)

    assert 413 == (await http.post(polled(second, sid), content="4" * 5_001)).status_code
    assert 200 == (await http.post(polled(second, sid), content="40")).status_code
    assert 1 == first.metric("bounds_exceeded_total", bound="message_bytes")


@pytest.mark.parametrize(
    ("origin", "status"), [("https://a.example", 200), ("https://b.example", 400), (None, 200)]
)
async def test_pages_of_other_origins_may_as_much_through_another_gateway(start, http, origin, status):
    first, second = [await start(name, cors_origins=("https://a.example",)) for name in ("n1", "n2")]
    sid = await opened(http, first)
    headers = {"Origin": origin} if origin else {}
    answer = await http.post(polled(second, sid), content="40", headers=headers)

    assert status == answer.status_code
    assert (origin if status == 200 else None) == answer.headers.get("access-control-allow-origin")


async def test_the_owner_decides_by_the_origin_itself(start, http):
    first = await start("n1", cors_origins=("https://a.example",))
    second = await start("n2", cors_origins=("*",))
    sid = await opened(http, first)
    answer = await http.post(polled(second, sid), content="40", headers={"Origin": "https://b.example"})

    assert 400 == answer.status_code
    assert "Forbidden" in answer.text


async def seen_by_the_owner(start, http, monkeypatch, headers, **settings):
    """Return the address and scheme by which an owner knew the client of a request that was relayed."""
    from roomwire.engine import polling

    first, second = [await start(name, **settings) for name in ("n1", "n2")]
    seen = []
    checked = polling.check_origin

    def check(engine, environ):
        if engine is first.app.server.eio:
            seen.append(environ)
        return checked(engine, environ)

    sid = await opened(http, first)
    monkeypatch.setattr(polling, "check_origin", check)
    origin = {"Origin": "https://a.example"}
    await http.post(polled(second, sid), content="40", headers={**origin, **headers})
    (environ,) = seen
    source = first.app.server.eio.proxies.source_of(environ)
    return source.address, source.scheme


FORWARDED = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}


async def test_the_owner_learns_who_a_client_behind_a_trusted_proxy_is(start, http, monkeypatch):
    seen = await seen_by_the_owner(
        start, http, monkeypatch, FORWARDED, trusted_proxies=("127.0.0.1",), cors_origins=("*",)
    )
    assert ("198.51.100.7", "https") == seen


async def test_the_owner_does_not_believe_what_a_stranger_says_of_itself(start, http, monkeypatch):
    seen = await seen_by_the_owner(start, http, monkeypatch, FORWARDED, cors_origins=("*",))
    assert ("127.0.0.1", "http") == seen


@pytest.mark.parametrize("is_trusted", [True, False], ids=["a trusted proxy", "a stranger"])
async def test_the_owner_knows_where_a_relayed_request_came_from(start, http, monkeypatch, is_trusted):
    from roomwire.engine import polling

    trusted = ("127.0.0.1",) if is_trusted else ()
    first, second = [await start(name, trusted_proxies=trusted) for name in ("n1", "n2")]
    engine, checked, seen = first.app.server.eio, polling.check_origin, []

    def check(asked, environ):
        if asked is engine:
            seen.append(engine.proxies.source_of(environ))
        return checked(asked, environ)

    monkeypatch.setattr(polling, "check_origin", check)
    sid = await opened(http, first)
    port = int(second.address.rpartition(":")[2])
    target = "/" + polled(second, sid).partition("://")[2].partition("/")[2]
    outcomes, expected = {}, {}
    # Two Hosts are refused before anything is relayed.
    for case in (case for case in CASES if case.is_trusted is is_trusted and case.origin is not None):
        seen.clear()
        lines = [line for header in case.headers for line in header.split("\r\n")]
        status = await asked(port, target, [*lines, f"Origin: {case.origin}"])
        outcomes[case.rule] = status, [(s.scheme, (s.host, s.port), s.address) for s in seen]
        where = [(case.scheme, case.place, case.address)]
        expected[case.rule] = (200, where) if case.own else (400, [])
    assert expected == outcomes


async def asked(port, target, lines):
    """Post nothing but a heartbeat, as it is written; return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join([f"POST {target} HTTP/1.1", *lines, "Content-Length: 1", "Connection: close", "", "3"])
    writer.write(head.encode())
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


async def test_when_a_gateway_drains_what_it_relays_is_cut(start, http):
    first, second = await start("n1"), await start("n2")
    sid, other = await opened(http, first), await opened(http, first)
    await http.post(polled(second, other), content="40")
    await http.get(polled(second, other))
    async with socket_of(second, sid) as websocket:
        await upgraded(websocket)
        poll = asyncio.create_task(http.get(polled(second, other)))
        await until(lambda: second.metric("relays_open") == 2)
        await second.app.drain()

        assert is_refused(await poll)
        assert 1006 == await ended(websocket)


async def test_a_client_that_goes_takes_its_poll_with_it_and_its_session_ends_as_without_a_relay(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    await http.post(polled(second, sid), content="40")
    await http.get(polled(second, sid))
    poll = asyncio.create_task(http.get(polled(second, sid)))
    # The relay counts a request before the owner of the session has it.
    await until(lambda: first.connection(sid).state.is_polled)
    assert 1 == second.metric("relays_open")
    poll.cancel()

    await until(lambda: first.connection(sid) is None)
    await until(lambda: second.metric("relays_open") == 0)


async def test_a_relay_port_that_is_taken_is_a_sentence(start):
    first = await start("n1")
    with pytest.raises(ConfigurationError, match="ROOMWIRE_RELAY_PORT"):
        await start("n2", relay_port=first.relay_port)


async def test_a_gateway_that_has_drained_relays_no_more(start, http):
    first, second = await start("n1"), await start("n2")
    sid = await opened(http, first)
    await second.app.drain()

    assert is_refused(await http.get(polled(second, sid)))
    assert 1 == second.metric("relays_total", kind="polling", outcome="full")
