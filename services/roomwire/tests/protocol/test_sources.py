"""Where a request came from, and whether its page is the service's own: one table for every way in."""

import asyncio
import ipaddress

import engineio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import WAIT_S, peer_by
from starlette.middleware import Middleware
from where_from import CASES, PROXY, Case

from roomwire.engine.asgi import AsgiEngine
from roomwire.protocol.forwarded import FORWARDED_HEADERS
from roomwire.protocol.origins import is_own, is_spelled
from roomwire.protocol.sources import Proxies, Source, is_believed
from roomwire.serving.web.sources import Sources

TRUSTED = ("10.0.0.0/8", "192.0.2.7", "fd00::/8", "::ffff:172.16.0.0/108")
ADDRESSES = st.ip_addresses().map(str)
STRANGERS = st.ip_addresses(v=4, network="198.51.100.0/24").map(str)
PROXIES = st.ip_addresses(v=4, network="10.0.0.0/8").map(str)
TEN = "10.0.0.1"


def lines_of(case: Case, *, origin: bool = True) -> list[str]:
    """Return the header lines of a case, as they stand in its request."""
    lines = [line for header in case.headers for line in header.split("\r\n")]
    return [*lines, f"Origin: {case.origin}"] if origin and case.origin is not None else lines


def proxies_of(case: Case) -> Proxies:
    return Proxies([PROXY] if case.is_trusted else [])


def seen(source: Source) -> tuple[str, tuple[str, int], str]:
    return source.scheme, (source.host, source.port), source.address


def expected(case: Case) -> tuple[str, tuple[str, int], str]:
    return case.scheme, case.place, case.address


def header_of(lines: list[str]):
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return lambda wanted: ",".join(value for name, value in fields if name == wanted)


def source_of(peer: str, forwarded_for: str) -> str:
    """Return the client's address by what stands in X-Forwarded-For."""
    headers = {"x-forwarded-for": forwarded_for}
    return Proxies(TRUSTED).address(peer, lambda name: headers.get(name, ""))


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)


@each_case
def test_by_its_headers(case):
    source = proxies_of(case).source(PROXY, "http", header_of(lines_of(case)))
    assert expected(case) == seen(source)
    assert case.own == (case.origin is None or is_own(case.origin, source))
    if case.origin is not None and is_spelled(case.origin, header_of(lines_of(case))("host")):
        assert case.own


def test_every_case_has_a_rule_of_its_own():
    assert len(CASES) == len({(case.rule, case.headers) for case in CASES})


@pytest.mark.parametrize(
    ("scheme", "known"), [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
)
@pytest.mark.parametrize("trusted", [(), (PROXY,)])
def test_what_no_proxy_says_is_as_the_connection(scheme, known, trusted):
    headers = {"host": "chat.example"}
    proxies = Proxies(trusted)
    source = proxies.source(PROXY, scheme, lambda name: headers.get(name, ""))
    assert (known, "chat.example", {"http": 80, "https": 443}[known]) == (
        source.scheme,
        source.host,
        source.port,
    )
    assert known == proxies.scheme(PROXY, scheme, lambda name: headers.get(name, ""))


async def ask(port: int, target: str, lines: list[str], *more: str) -> int:
    """Send a request as it is written; returns the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = "\r\n".join([f"GET {target} HTTP/1.1", *lines, *more, "", ""])
        writer.write(head.encode())
        async with asyncio.timeout(WAIT_S):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
WAYS_IN = {
    "polling": ("asgi", "polling", ("Connection: close",)),
    "asgi": ("asgi", "websocket", UPGRADE),
    "fast": ("fast", "websocket", UPGRADE),
}


@pytest.mark.parametrize("is_trusted", [True, False], ids=["a trusted proxy", "a stranger"])
@pytest.mark.parametrize("way", WAYS_IN)
async def test_on_every_way_in(way, is_trusted):
    server, transport, more = WAYS_IN[way]
    cases = [case for case in CASES if case.is_trusted is is_trusted]
    target, accepted = f"/engine.io/?EIO=4&transport={transport}", 200 if transport == "polling" else 101
    engine = AsgiEngine(async_mode="asgi", proxies=proxies_of(cases[0]))
    sources: asyncio.Queue[Source] = asyncio.Queue()
    engine.on("connect", lambda _, environ: sources.put_nowait(engine.proxies.source_of(environ)))
    outcomes = {}
    async with peer_by(server, engineio.ASGIApp(engine), "/engine.io/", engine=engine) as peer:
        for case in cases:
            assert accepted == await ask(peer.place.port, target, lines_of(case, origin=False), *more)
            async with asyncio.timeout(WAIT_S):
                where = seen(await sources.get())
            status = await ask(peer.place.port, target, lines_of(case), *more)
            outcomes[case.rule] = (*where, status == accepted)
            if status == accepted:
                await sources.get()
        await engine.shutdown()
    assert {case.rule: (*expected(case), case.own) for case in cases} == outcomes


@each_case
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_an_api_finds_it_in_its_scope(case, kind):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    fields = [line.partition(":") for line in lines_of(case)]
    headers = [(name.lower().encode(), value.strip().encode()) for name, _, value in fields]
    scope = {"type": kind, "client": (PROXY, 4711), "scheme": "http", "headers": headers}
    middleware = Middleware(Sources, proxies=proxies_of(case))
    await middleware.cls(app, **middleware.kwargs)(scope, None, None)

    assert (case.scheme, case.address) == (scopes[0]["scheme"], scopes[0]["client"][0])
    if not case.is_trusted:
        assert not FORWARDED_HEADERS & {name.decode() for name, _ in scopes[0]["headers"]}


async def test_an_api_without_a_peer_has_no_client():
    scope = {"type": "http", "client": None, "headers": [(b"x-forwarded-for", b"203.0.113.9")]}

    async def app(scope, receive, send):
        pass

    await Sources(app, proxies=Proxies(TRUSTED))(scope, None, None)
    assert scope["client"] is None


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("198.51.100.1", "203.0.113.9", "198.51.100.1", id="a stranger's header is ignored"),
        pytest.param(TEN, "", TEN, id="a proxy that says nothing speaks for itself"),
        pytest.param(TEN, "203.0.113.9", "203.0.113.9", id="a proxy is believed"),
        pytest.param(TEN, "6.6.6.6, 203.0.113.9", "203.0.113.9", id="what the client wrote is not"),
        pytest.param(TEN, "203.0.113.9,192.0.2.7 , 10.1.1.1", "203.0.113.9", id="trusted hops are skipped"),
        pytest.param(TEN, "10.2.2.2, 10.1.1.1", "10.2.2.2", id="with trusted hops only the first is it"),
        pytest.param(TEN, "203.0.113.9:4711", "203.0.113.9", id="a port is dropped"),
        pytest.param(TEN, "2001:db8::1", "2001:db8::1", id="an IPv6 address"),
        pytest.param(TEN, "[2001:DB8::1]", "2001:db8::1", id="brackets are dropped, the case is one"),
        pytest.param(TEN, "[2001:db8::1]:4711", "2001:db8::1", id="brackets and port are dropped"),
        pytest.param(TEN, "::ffff:203.0.113.9", "203.0.113.9", id="a mapped address is an IPv4 one"),
        pytest.param("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9", id="a mapped proxy is the proxy"),
        pytest.param("172.17.0.1", "203.0.113.9", "203.0.113.9", id="a mapped network is an IPv4 one"),
        pytest.param("fd00::1%eth0", "203.0.113.9", "203.0.113.9", id="a peer may have a zone"),
        pytest.param("fd00::1", "fd00::2, fd00::3", "fd00::2", id="IPv6 proxies"),
        pytest.param(TEN, "unknown", TEN, id="garbage leaves the last trusted hop"),
        pytest.param(TEN, "203.0.113.9, unknown, 10.1.1.1", "10.1.1.1", id="garbage stops the walk"),
        pytest.param(TEN, "203.0.113.9,", TEN, id="an empty element is garbage"),
        pytest.param(TEN, "203.0.113.9:http", TEN, id="a port that is none is garbage"),
        pytest.param(TEN, "203.0.113.9:123456", TEN, id="a port that is too long is garbage"),
        pytest.param(TEN, "2001:db8::1%evil", TEN, id="a zone from afar is garbage"),
        pytest.param(TEN, "[2001:db8::1", TEN, id="half a bracket is garbage"),
        pytest.param(TEN, "010.1.1.1", TEN, id="leading zeros are garbage"),
        pytest.param(TEN, "\u0661.1.1.1", TEN, id="digits of other scripts are garbage"),
        pytest.param("", "203.0.113.9", "", id="without a peer there is no address"),
        pytest.param("/run/socket", "203.0.113.9", "/run/socket", id="what is no address is not trusted"),
    ],
)
def test_the_client_is_who_the_first_trusted_proxy_saw(peer, forwarded_for, client):
    assert client == source_of(peer, forwarded_for)


def test_without_trusted_proxies_the_peer_is_the_client():
    assert TEN == Proxies().address(TEN, lambda _: "203.0.113.9")
    assert not Proxies().is_trusted(TEN)


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network_cannot_be_trusted(wrong):
    with pytest.raises(ValueError, match=r"network|host bits"):
        Proxies([wrong])


@given(peer=st.text() | ADDRESSES, forwarded_for=st.text() | st.lists(ADDRESSES).map(", ".join))
def test_any_header_has_an_answer_and_a_known_peer_gives_an_address(peer, forwarded_for):
    client = source_of(peer, forwarded_for)
    if client != peer:
        ipaddress.ip_address(client)
    if not Proxies(TRUSTED).is_trusted(peer):
        assert client in {peer, Proxies().address(peer, lambda _: "")}


@given(forged=st.text(), client=STRANGERS, proxies=st.lists(PROXIES, max_size=4), peer=PROXIES)
def test_nothing_that_a_client_writes_changes_its_address(forged, client, proxies, peer):
    assert client == source_of(peer, ",".join([forged, client, *proxies]))


@given(peer=STRANGERS, forwarded_for=st.text() | ADDRESSES)
def test_a_stranger_is_itself_whatever_it_sends(peer, forwarded_for):
    assert peer == source_of(peer, forwarded_for)


@given(
    headers=st.dictionaries(st.sampled_from(["host", *sorted(FORWARDED_HEADERS)]), st.text()),
    origin=st.text(),
)
def test_whatever_a_proxy_says_there_is_a_source(headers, origin):
    source = Proxies(TRUSTED).source(TEN, "http", lambda name: headers.get(name, ""))
    assert source.scheme in {"http", "https"}
    assert 0 < source.port <= 65_535
    is_own(origin, source)


@pytest.mark.parametrize("name", sorted(FORWARDED_HEADERS))
def test_what_proxies_say_is_believed_from_proxies_only(name):
    assert is_believed(name.title(), is_from_proxy=True)
    assert not is_believed(name.title(), is_from_proxy=False)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x-forwarded_proto", "X_FORWARDED-HOST"])
def test_a_spelling_that_a_proxy_would_not_replace_is_never_believed(name):
    assert not is_believed(name, is_from_proxy=True)
    assert not is_believed(name, is_from_proxy=False)


@pytest.mark.parametrize("name", ["Host", "Authorization", "X-Forwarded", "x_custom"])
def test_other_headers_are_the_clients_own(name):
    assert is_believed(name, is_from_proxy=False)
