"""What holds on every port of a gateway and of auth, as processes: what a stranger gets there, and what no cache keeps."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt
import msgspec
import pytest
import pytest_asyncio
from clients import js_clients
from live import Client
from service_process import ServiceProcess, running

from roomwire.identity.capabilities import Capabilities
from roomwire.identity.tokens import TOKEN_TYPE, SigningKey, User
from roomwire.serving.ports import bind

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_S = 20.0
SHORT_S = 1.0
API_KEY = "k" * 32
KEY = SigningKey.generate()
UPGRADE = (
    "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
PORTS = ["gateway", "gateway's operations", "API", "auth", "auth's operations"]
ORIGIN = "https://chat.example.org"


class System:
    """A gateway and auth, and the numbers of their ports."""

    def __init__(self, gateway: ServiceProcess, auth: ServiceProcess, api_port: int) -> None:
        self.gateway = gateway
        self.ports = dict(
            zip(PORTS, (gateway.port, gateway.ops_port, api_port, auth.port, auth.ops_port), strict=True)
        )

    def logged(self) -> str:
        return self.gateway.log

    @contextlib.asynccontextmanager
    async def connected(self, port: str, host: str = "127.0.0.1") -> AsyncIterator["Stranger"]:
        reader, writer = await asyncio.open_connection(host, self.ports[port])
        try:
            yield Stranger(reader, writer)
        finally:
            writer.transport.abort()


class Stranger:
    """A connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, text: str) -> None:
        self.writer.write(text.encode())
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def head(self) -> str:
        """Return the head of an answer, in lower case."""
        async with asyncio.timeout(WAIT_S):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def rest(self) -> bytes:
        """Return what comes until the connection ends."""
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory, _redis_server: Any) -> AsyncIterator[System]:
    folder: Path = tmp_path_factory.mktemp("ports")
    shared = {
        "redis_url": _redis_server.url,
        "cors_origins": ORIGIN,
        "header_timeout_s": SHORT_S,
        "body_timeout_s": SHORT_S,
        "keep_alive_s": 2 * SHORT_S,
    }
    with bind("localhost", 0) as free:
        api_port = free.port
    async with (
        running("auth", folder / "auth.log", signing_key=KEY.to_pem(), **shared) as auth,
        running(
            "gateway",
            folder / "gateway.log",
            auth_jwks_url=f"http://127.0.0.1:{auth.port}/auth/.well-known/jwks.json",
            api_port=api_port,
            api_keys=f"shop service {API_KEY}",
            page="false",
            **shared,
        ) as gateway,
    ):
        yield System(gateway, auth, api_port)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_port_listens_on_ipv4_and_ipv6_by_default(system: System, port: str, host: str) -> None:
    async with system.connected(port, host) as stranger:
        await stranger.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await stranger.head()).startswith("http/1.1 ")


SPELLINGS = [
    "/",
    "/x",
    "//socket.io/",
    "/socket.iox/",
    "/x/../socket.io/",
    "/%2fsocket.io/",
    "/livez/x",
    "/auth/x",
]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("path", SPELLINGS)
async def test_there_is_no_websocket_beside_the_engines(system: System, port: str, path: str) -> None:
    async with system.connected(port) as stranger:
        await stranger.send(f"GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\n")
        # The API tells strangers nothing of its paths.
        assert ("401" if port == "API" else "404") == (await stranger.head()).split()[1]


BELOW = [
    "/socket.io/",
    "/socket.io/x",
    "/socket.io/%2f",
    "/%73ocket.io/",
    "/socket.io",
    "http://a/socket.io/",
]


@pytest.mark.parametrize("path", BELOW)
async def test_every_spelling_of_the_engines_path_has_its_bounds(system: System, path: str) -> None:
    exceeded = {"bound": "message_bytes"}
    before = await system.gateway.metric("roomwire_bounds_exceeded_total", **exceeded)
    async with system.connected("gateway") as stranger:
        await stranger.send(f"GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\n")
        assert "101" == (await stranger.head()).split()[1]
        # A frame that promises ten million bytes.
        stranger.writer.write(b"\x81\xff" + (10_000_000).to_bytes(8) + bytes(4))
        assert (await stranger.rest()).endswith(b"\x88\x02\x03\xf1")
    assert before + 1 == await system.gateway.metric("roomwire_bounds_exceeded_total", **exceeded)


async def test_text_that_is_none_is_no_traceback(system: System) -> None:
    for path in BELOW:
        async with system.connected("gateway") as stranger:
            await stranger.send(f"GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\n")
            await stranger.head()
            stranger.writer.write(b"\x81\x82\0\0\0\0\xff\xfe")
            assert (await stranger.rest()).endswith(b"\x88\x02\x03\xef")
    assert "Traceback" not in system.logged()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("path", ["/", "/socket.io/?EIO=4&transport=websocket", "/auth/guest"])
@pytest.mark.parametrize("name", ["cookie", "authorization"])
@pytest.mark.parametrize("upgrade", ["", UPGRADE], ids=["request", "upgrade"])
@pytest.mark.parametrize("size", [8_193, 15_000, 100_000])
async def test_a_long_header_is_answered(
    system: System, port: str, path: str, name: str, upgrade: str, size: int
) -> None:
    async with system.connected(port) as stranger:
        await stranger.send(f"GET {path} HTTP/1.1\r\nhost: a\r\n{upgrade}{name}: {'a' * size}\r\n\r\n")
        status = (await stranger.head()).split()[1]
        assert ("431" == status) is (size > 16_384)


ENDLESS = {
    "a silent one": "",
    "half a head": "GET / HTTP/1.1\r\nhost:",
    "a header line without end": f"GET / HTTP/1.1\r\nhost: a\r\ncookie: {'a' * 9_000}",
    "an upgrade without end": f"GET /x HTTP/1.1\r\nhost: a\r\n{UPGRADE}cookie: {'a' * 9_000}",
    "a body without end": "POST /auth/guest HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{",
    "chunks without end": "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
    "an upgrade with half a body": f"POST / HTTP/1.1\r\nhost: a\r\n{UPGRADE}content-length: 9\r\n\r\na",
    "an idle one": "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "pipelined ones": "GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 9,
    "another protocol": "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
}


@pytest.mark.parametrize("port", PORTS)
async def test_no_connection_stays_open_whatever_it_owes(system: System, port: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        strangers = {name: await stack.enter_async_context(system.connected(port)) for name in ENDLESS}
        half_closed = await stack.enter_async_context(system.connected(port))
        for name, stranger in strangers.items():
            await stranger.send(ENDLESS[name])
        await half_closed.send(ENDLESS["half a head"])
        half_closed.writer.write_eof()
        await asyncio.gather(*(each.rest() for each in (*strangers.values(), half_closed)))


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("path", ["/", "/socket.io/?EIO=4&transport=polling", "/metrics", "/auth/docs"])
async def test_an_answer_to_http_1_0_has_no_chunks_and_ends_the_connection(
    system: System, port: str, path: str
) -> None:
    async with system.connected(port) as stranger:
        await stranger.send(f"GET {path} HTTP/1.0\r\nhost: a\r\n\r\n")
        head, _, _ = (await stranger.rest()).decode().partition("\r\n\r\n")
        assert "transfer-encoding" not in head.lower()
        assert "connection: close" in head.lower()


@pytest.mark.parametrize("port", PORTS)
async def test_a_connection_without_a_request_is_kept_as_long_as_is_set(system: System, port: str) -> None:
    async with system.connected(port) as stranger:
        await stranger.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await stranger.head()
        began = time.monotonic()
        await stranger.rest()
        assert time.monotonic() - began > SHORT_S


POLL = "/socket.io/?EIO=4&transport=polling"
FROM_PAGE = {"Origin": ORIGIN}
PREFLIGHT = FROM_PAGE | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
}
BY_KEY = {"Authorization": f"Bearer {API_KEY}"}
UNKEPT = [
    ("gateway", "GET", POLL, {}),
    ("gateway", "GET", POLL, FROM_PAGE),
    ("gateway", "OPTIONS", POLL, PREFLIGHT),
    ("gateway", "GET", f"{POLL}&sid=none", {}),
    ("gateway", "POST", f"{POLL}&sid=none", {}),
    ("gateway", "POST", POLL, {}),
    ("gateway", "PUT", POLL, {}),
    ("gateway", "HEAD", POLL, {}),
    ("gateway", "GET", "/socket.io/", {}),
    ("gateway", "GET", f"{POLL}&x={'a' * 20_000}", {}),
    ("gateway", "GET", POLL, {"Cookie": "a" * 20_000}),
    ("gateway", "GET", POLL, {"Origin": "https://other.example.org"}),
    ("auth", "POST", "/auth/guest", {}),
    ("auth", "OPTIONS", "/auth/guest", PREFLIGHT),
    ("auth", "OPTIONS", "/auth/guest", PREFLIGHT | {"Origin": "https://other.example.org"}),
    ("auth", "POST", "/auth/login", {}),
    ("auth", "GET", "/auth/login", {}),
    ("auth", "POST", "/auth/register", {}),
    ("auth", "POST", "/auth/refresh", {}),
    ("auth", "POST", "/auth/logout", {}),
    ("auth", "POST", "/auth/password", {}),
    ("auth", "GET", "/auth/sessions", {}),
    ("auth", "POST", "/auth/token", {}),
    ("auth", "GET", "/nowhere", {}),
    ("auth", "GET", f"/{'a' * 20_000}", {}),
    ("API", "GET", "/api/v1/rooms", BY_KEY),
    ("API", "GET", "/api/v1/presence?room=den", BY_KEY),
    ("API", "GET", "/api/v1/history?room=den", BY_KEY),
    ("API", "GET", "/api/v1/rooms", {}),
    ("API", "POST", "/api/v1/publish", BY_KEY),
    ("API", "POST", "/api/v1/disconnect", {}),
    ("API", "OPTIONS", "/api/v1/publish", PREFLIGHT),
    ("API", "GET", "/nowhere", BY_KEY),
    ("API", "GET", "/api/v1/openapi.json", {}),
    *(
        (f"{of} operations", "GET", path, {})
        for of in ("gateway's", "auth's")
        for path in ("/livez", "/readyz", "/metrics", "/x")
    ),
]


@pytest.mark.parametrize(
    ("port", "method", "path", "headers"),
    UNKEPT,
    ids=[f"{row[0]} {row[1]} {row[2][:40]} {[*row[3]]}" for row in UNKEPT],
)
async def test_no_cache_keeps_an_answer(
    system: System, port: str, method: str, path: str, headers: Mapping[str, str]
) -> None:
    url = f"http://127.0.0.1:{system.ports[port]}{path}"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.request(method, url, headers=dict(headers))
    assert "no-store" == answer.headers.get("cache-control")


async def test_no_cache_keeps_what_a_session_says(system: System) -> None:
    async with httpx.AsyncClient(
        trust_env=False, base_url=f"http://127.0.0.1:{system.ports['gateway']}"
    ) as http:
        sid = msgspec.json.decode((await http.get(POLL)).text[1:])["sid"]
        said = await http.post(f"{POLL}&sid={sid}", content="40")
        heard = await http.get(f"{POLL}&sid={sid}")
    assert [(200, "no-store")] * 2 == [
        (each.status_code, each.headers["cache-control"]) for each in (said, heard)
    ]


@pytest.mark.parametrize("path", [POLL.replace("polling", "websocket"), f"{POLL}&sid=none", "/x"])
async def test_no_cache_keeps_the_refusal_of_a_websocket(system: System, path: str) -> None:
    async with system.connected("gateway") as stranger:
        await stranger.send(f"GET {path} HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\n".replace("AAAA", "A"))
        assert "\r\ncache-control: no-" in await stranger.head()


def long_token(size: int, user: User | None = None) -> str:
    """Return a token that holds and is so long, as those of providers are that put a user's groups into it."""
    who = user or User("account:1", "Ann", "account", Capabilities.of({"*": ["join"]}))
    short = KEY.sign(who, issuer="roomwire", audience="roomwire", lifetime_s=600)
    said = msgspec.json.decode(_decoded(short.split(".")[1]))
    header = {"typ": TOKEN_TYPE, "kid": KEY.kid}

    def with_groups(count: int) -> str:
        claims = said | {"groups": "g" * count}
        return jwt.encode(claims, KEY._private_key, algorithm="EdDSA", headers=header)

    near = (size - len(short)) * 3 // 4
    return next(
        token
        for count in range(max(0, near - 40), max(0, near) + 40)
        if len(token := with_groups(count)) >= size
    )


@pytest.mark.parametrize("way", ["payload", "header", "query", "event"])
async def test_a_long_token_is_taken_wherever_it_stands(system: System, way: str) -> None:
    token = long_token(9_400)
    address = f"127.0.0.1:{system.ports['gateway']}"
    auth = {"token": token if way == "payload" else long_token(0)} if way in {"payload", "event"} else None
    headers = {"Authorization": f"Bearer {token}"} if way == "header" else None
    query = f"&token={token}" if way == "query" else ""
    async with Client.connected(address, auth, query=query, headers=headers) as client:
        if way == "event":
            assert "expiresAt" in await client.emit("refreshToken", {"token": token})


async def test_a_long_token_is_taken_by_the_api_and_by_auth(system: System) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        auth = f"http://127.0.0.1:{system.ports['auth']}/auth"
        guest = (await http.post(f"{auth}/guest", json={"name": "Ann"})).json()
        claims = msgspec.json.decode(_decoded(guest["access_token"].split(".")[1]))
        user = User(claims["sub"], claims["name"], claims["kind"], session=claims["sid"])
        bearer = {"Authorization": f"Bearer {long_token(9_400, user)}"}
        sessions = await http.get(f"{auth}/sessions", headers=bearer)
        api = await http.get(f"http://127.0.0.1:{system.ports['API']}/api/v1/rooms", headers=bearer)
    # The API knows it, and may not show it the rooms.
    assert [200, 403] == [sessions.status_code, api.status_code]


async def test_a_token_over_the_bound_is_told_that_it_is_too_long(system: System) -> None:
    async with Client.open(f"127.0.0.1:{system.ports['gateway']}") as client:
        refusal = await client.connect({"token": long_token(12_289)})
    assert "The token is too long." == refusal["message"]


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids=", then ".join)
async def test_the_official_client_connects_by_a_sub_protocol(system: System, transports: list[str]) -> None:
    options = {"protocols": ["x", "y"], "transports": transports, "auth": {"token": long_token(0)}}
    async with js_clients() as clients:
        client = await clients.connect(f"http://127.0.0.1:{system.ports['gateway']}", **options)
        if transports[0] == "polling":
            await client.wait_for("upgrade", "websocket")
        assert "websocket" == (await client.state())["transport"]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
