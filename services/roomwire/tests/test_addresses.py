"""Whose request it is: X-Forwarded-For is walked from the right, as far as proxies are trusted."""

import asyncio
import ipaddress
import json
from contextlib import asynccontextmanager

import pytest
import socketio
from hypothesis import given
from hypothesis import strategies as st
from peers import WAIT_S, peer_of
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roomwire.addresses import FORWARDED_HEADERS, ClientAddress, household, is_believed
from roomwire.backplane import MemoryBackplane
from roomwire.metrics import Metrics
from roomwire.server import Server
from roomwire.tokens import User

TRUSTED = ("10.0.0.0/8", "192.0.2.7", "fd00::/8", "::ffff:172.16.0.0/108")
PROXY = "10.0.0.1"
ADDRESSES = st.ip_addresses().map(str)
STRANGERS = st.ip_addresses(v=4, network="198.51.100.0/24").map(str)
PROXIES = st.ip_addresses(v=4, network="10.0.0.0/8").map(str)


@pytest.fixture(scope="module")
def addresses() -> ClientAddress:
    return ClientAddress(TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("198.51.100.1", "203.0.113.9", "198.51.100.1", id="a stranger's header is ignored"),
        pytest.param(PROXY, "", PROXY, id="a proxy that says nothing speaks for itself"),
        pytest.param(PROXY, "203.0.113.9", "203.0.113.9", id="a proxy is believed"),
        pytest.param(PROXY, "6.6.6.6, 203.0.113.9", "203.0.113.9", id="what the client wrote is not"),
        pytest.param(PROXY, "203.0.113.9,192.0.2.7 , 10.1.1.1", "203.0.113.9", id="trusted hops are skipped"),
        pytest.param(PROXY, "10.2.2.2, 10.1.1.1", "10.2.2.2", id="with trusted hops only the first is it"),
        pytest.param(PROXY, "203.0.113.9:4711", "203.0.113.9", id="a port is dropped"),
        pytest.param(PROXY, "2001:db8::1", "2001:db8::1", id="an IPv6 address"),
        pytest.param(PROXY, "[2001:DB8::1]", "2001:db8::1", id="brackets are dropped, the case is one"),
        pytest.param(PROXY, "[2001:db8::1]:4711", "2001:db8::1", id="brackets and port are dropped"),
        pytest.param(PROXY, "::ffff:203.0.113.9", "203.0.113.9", id="a mapped address is an IPv4 one"),
        pytest.param("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9", id="a mapped proxy is the proxy"),
        pytest.param("172.17.0.1", "203.0.113.9", "203.0.113.9", id="a mapped network is an IPv4 one"),
        pytest.param("fd00::1%eth0", "203.0.113.9", "203.0.113.9", id="a peer may have a zone"),
        pytest.param("fd00::1", "fd00::2, fd00::3", "fd00::2", id="IPv6 proxies"),
        pytest.param(PROXY, "unknown", PROXY, id="garbage leaves the last trusted hop"),
        pytest.param(PROXY, "203.0.113.9, unknown, 10.1.1.1", "10.1.1.1", id="garbage stops the walk"),
        pytest.param(PROXY, "203.0.113.9,", PROXY, id="an empty element is garbage"),
        pytest.param(PROXY, "203.0.113.9:http", PROXY, id="a port that is none is garbage"),
        pytest.param(PROXY, "203.0.113.9:123456", PROXY, id="a port that is too long is garbage"),
        pytest.param(PROXY, "2001:db8::1%evil", PROXY, id="a zone from afar is garbage"),
        pytest.param(PROXY, "[2001:db8::1", PROXY, id="half a bracket is garbage"),
        pytest.param(PROXY, "010.1.1.1", PROXY, id="leading zeros are garbage"),
        pytest.param(PROXY, "\u0661.1.1.1", PROXY, id="digits of other scripts are garbage"),
        pytest.param("", "203.0.113.9", "", id="without a peer there is no address"),
        pytest.param("/run/socket", "203.0.113.9", "/run/socket", id="what is no address is not trusted"),
    ],
)
def test_the_client_is_who_the_first_trusted_proxy_saw(addresses, peer, forwarded_for, client):
    assert client == addresses.of(peer, forwarded_for)


def test_without_trusted_proxies_the_peer_is_the_client():
    assert PROXY == ClientAddress().of(PROXY, "203.0.113.9")
    assert not ClientAddress().is_trusted(PROXY)


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network_cannot_be_trusted(wrong):
    with pytest.raises(ValueError, match=r"network|host bits"):
        ClientAddress([wrong])


@given(peer=st.text() | ADDRESSES, forwarded_for=st.text() | st.lists(ADDRESSES).map(", ".join))
def test_any_header_has_an_answer_and_a_known_peer_gives_an_address(peer, forwarded_for):
    addresses = ClientAddress(TRUSTED)
    client = addresses.of(peer, forwarded_for)
    if client != peer:
        ipaddress.ip_address(client)
    if not addresses.is_trusted(peer):
        assert client in {peer, ClientAddress().of(peer, "")}


@given(forged=st.text(), client=STRANGERS, proxies=st.lists(PROXIES, max_size=4), peer=PROXIES)
def test_nothing_that_a_client_writes_changes_its_address(forged, client, proxies, peer):
    assert client == ClientAddress(TRUSTED).of(peer, ",".join([forged, client, *proxies]))


@given(peer=STRANGERS, forwarded_for=st.text() | ADDRESSES)
def test_a_stranger_is_itself_whatever_it_sends(peer, forwarded_for):
    assert peer == ClientAddress(TRUSTED).of(peer, forwarded_for)


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


@pytest.mark.parametrize(
    ("address", "limited_by"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_is_limited_with_all_that_its_owner_has(address, limited_by):
    assert limited_by == household(address)


class Behind:
    """A server that takes only pages of its own origin, and remembers who came."""

    def __init__(self, *trusted: str) -> None:
        self.handshakes = []
        metrics = Metrics()
        self._server = Server(
            backplane=MemoryBackplane(node="behind", metrics=metrics),
            node_name="behind",
            authenticate=self._authenticate,
            metrics=metrics,
            trusted_proxies=trusted,
            cors_allowed_origins=None,
            async_mode="asgi",
        )
        self._server.on("connect", lambda *_: None)

    async def _authenticate(self, handshake):
        self.handshakes.append(handshake)
        return User.anonymous()

    @asynccontextmanager
    async def peer(self, port, *, fast):
        async with peer_of(socketio.ASGIApp(self._server), port, "/socket.io/", fast=fast) as peer:
            yield peer
        await self._server.shutdown()

    async def open(self, port, headers, *, transport):
        """Connect to it with some headers; returns the handshake as the server sees it."""
        async with self.peer(port, fast=transport == "fast") as peer, asyncio.timeout(WAIT_S):
            if transport == "polling":
                peer.http.headers.update(headers)
                answer = await peer.http.get(peer.polling())
                if answer.status_code != 200:
                    return None
                await peer.post(json.loads(answer.text[1:])["sid"], "40")
            else:
                url = f"ws://127.0.0.1:{port}{peer.path}&transport=websocket"
                try:
                    async with connect(url, additional_headers=headers) as socket:
                        await socket.recv()
                        await socket.send("40")
                        await socket.recv()
                except InvalidStatus:
                    return None
            while not self.handshakes:
                await asyncio.sleep(0.01)
        return self.handshakes[0]


@pytest.mark.parametrize("transport", ["polling", "asgi", "fast"])
class TestEveryWayIn:
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}  # noqa: RUF012
    page = {  # noqa: RUF012
        "Origin": "https://chat.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "chat.example.org",
    }

    async def test_a_trusted_proxy_says_who_the_client_is(self, free_port, transport):
        handshake = await Behind("127.0.0.0/8").open(free_port, self.forwarded, transport=transport)
        assert "203.0.113.9" == handshake.address

    async def test_a_stranger_does_not(self, free_port, transport):
        handshake = await Behind("10.0.0.0/8").open(free_port, self.forwarded, transport=transport)
        assert "127.0.0.1" == handshake.address
        assert "x-forwarded-for" not in handshake.headers

    async def test_a_forged_spelling_is_not_mixed_with_the_proxys(self, free_port, transport):
        headers = {"X_Forwarded_For": "6.6.6.6", **self.forwarded, "X-Forwarded_For": "6.6.6.6"}
        handshake = await Behind("127.0.0.1").open(free_port, headers, transport=transport)
        assert "203.0.113.9" == handshake.address

    async def test_the_page_of_the_origin_that_a_trusted_proxy_serves_may_connect(self, free_port, transport):
        assert await Behind("127.0.0.1").open(free_port, self.page, transport=transport)

    async def test_a_stranger_cannot_choose_the_origin(self, free_port, transport):
        assert await Behind().open(free_port, self.page, transport=transport) is None
