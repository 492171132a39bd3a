"""Where requests come from: one table of cases, run against every way in.

Each request reaches the service over plain HTTP from 127.0.0.1, which is a trusted proxy or not.
"""

from collections.abc import Sequence
from typing import NamedTuple

PROXY = "127.0.0.1"
CLIENT = "203.0.113.9"
OWN = "https://chat.example"


class Case(NamedTuple):
    """A request, and what is right.

    Attributes:
        rule: Why.
        headers: What it says, beside its origin.
        origin: The page's origin; None: it names none.
        own: Whether the page is the service's own.
        scheme: What the client used.
        place: The host and port that it asked for.
        address: The client's.
        is_trusted: Whether it comes from a trusted proxy.

    """

    rule: str
    headers: Sequence[str]
    origin: str | None = OWN
    own: bool = True
    scheme: str = "http"
    place: tuple[str, int] = ("chat.example", 80)
    address: str = PROXY
    is_trusted: bool = True


def _told(rule: str, *headers: str, **expected: object) -> Case:
    """Return a case of a trusted proxy that passes Host on, and says where the client came from."""
    return Case(rule, ("Host: chat.example", *headers), **expected)  # type: ignore[arg-type]


def _secure(rule: str, *headers: str, **expected: object) -> Case:
    """Return a case in which a trusted proxy says that the client came by https."""
    return _told(rule, *headers, scheme="https", **{"place": ("chat.example", 443)} | expected)


def _judged(
    rule: str, host: str, origin: str | None, *, own: bool, place: tuple[str, int], **more: object
) -> Case:
    """Return a case of no trusted proxy: Host and the origin decide."""
    return Case(rule, (f"Host: {host}",), origin, own, place=place, is_trusted=False, **more)  # type: ignore[arg-type]


HERE, CHAT, CHAT_8443 = ("localhost", 3000), ("chat.example", 80), ("chat.example", 8443)
NOWHERE = ("", 80)

CASES: Sequence[Case] = [
    # Without a trusted proxy.
    _judged("a request that names no origin is no page's", "chat.example", None, own=True, place=CHAT),
    _judged("a page over http", "chat.example", "http://chat.example", own=True, place=CHAT),
    _judged("an untrusted proxy ends TLS", "chat.example", OWN, own=True, place=CHAT),
    _judged(
        "an untrusted proxy ends TLS on another port",
        "chat.example:8443",
        f"{OWN}:8443",
        own=True,
        place=CHAT_8443,
    ),
    _judged("Host names the default port", "chat.example:443", OWN, own=True, place=("chat.example", 443)),
    _judged(
        "Host names the default port of http", "chat.example:80", "http://chat.example", own=True, place=CHAT
    ),
    _judged("the connection's default port equals none", "chat.example:80", OWN, own=True, place=CHAT),
    _judged("the origin names the default port", "chat.example", f"{OWN}:443", own=True, place=CHAT),
    _judged("a port of its own", "localhost:3000", "http://localhost:3000", own=True, place=HERE),
    _judged(
        "another port is another's page", "localhost:3000", "http://localhost:5173", own=False, place=HERE
    ),
    _judged("no port is another's page", "localhost:3000", "http://localhost", own=False, place=HERE),
    _judged(
        "the default port of the other scheme",
        "chat.example:443",
        "http://chat.example",
        own=False,
        place=("chat.example", 443),
    ),
    _judged(
        "a proxy drops the port: it could be another's page",
        "chat.example",
        f"{OWN}:8443",
        own=False,
        place=CHAT,
    ),
    _judged("a proxy adds its own port", "chat.example:8000", OWN, own=False, place=("chat.example", 8000)),
    _judged("another host", "chat.example", "https://evil.example", own=False, place=CHAT),
    _judged(
        "a host that begins like it",
        "chat.example",
        "https://chat.example.evil.example",
        own=False,
        place=CHAT,
    ),
    _judged("a host that ends like it", "chat.example", "https://evilchat.example", own=False, place=CHAT),
    _judged("a host above it", "www.chat.example", OWN, own=False, place=("www.chat.example", 80)),
    _judged(
        "a name and an address are two hosts",
        "127.0.0.1:3000",
        "http://localhost:3000",
        own=False,
        place=("127.0.0.1", 3000),
    ),
    _judged("letter case means nothing", "Chat.EXAMPLE", "HTTPS://chat.example", own=True, place=CHAT),
    _judged("a WebSocket's own scheme", "chat.example", "wss://chat.example", own=True, place=CHAT),
    _judged("a WebSocket's own scheme, plain", "localhost:3000", "ws://localhost:3000", own=True, place=HERE),
    _judged(
        "a WebSocket's scheme of another host", "chat.example", "wss://evil.example", own=False, place=CHAT
    ),
    _judged("another scheme", "chat.example", "chrome-extension://chat.example", own=False, place=CHAT),
    _judged("IPv6", "[::1]:3000", "http://[::1]:3000", own=True, place=("::1", 3000)),
    _judged("IPv6, written otherwise", "[0:0::1]:3000", "http://[::1]:3000", own=True, place=("::1", 3000)),
    _judged("IPv6 of another machine", "[::1]:3000", "http://[::2]:3000", own=False, place=("::1", 3000)),
    _judged("an opaque origin", "chat.example", "null", own=False, place=CHAT),
    _judged("an empty origin", "chat.example", "", own=False, place=CHAT),
    _judged("a wildcard is no origin", "chat.example", "*", own=False, place=CHAT),
    _judged("two origins", "chat.example", f"{OWN} https://evil.example", own=False, place=CHAT),
    _judged("two origins in a list", "chat.example", f"https://evil.example,{OWN}", own=False, place=CHAT),
    _judged("an origin with a path", "chat.example", f"{OWN}/", own=False, place=CHAT),
    _judged(
        "an origin with a user", "chat.example", "https://chat.example@evil.example", own=False, place=CHAT
    ),
    _judged("an origin with a port that is none", "chat.example", f"{OWN}:99999", own=False, place=CHAT),
    _judged("a Host that is none", "chat.example/evil", OWN, own=False, place=NOWHERE),
    _judged("an empty Host", "", OWN, own=False, place=NOWHERE),
    _judged("a Host with a port that is none", "chat.example:x", OWN, own=False, place=NOWHERE),
    _judged(
        "a stranger cannot name another host",
        "chat.example\r\nX-Forwarded-Host: evil.example",
        "https://evil.example",
        own=False,
        place=CHAT,
    ),
    _judged(
        "a stranger cannot name another scheme",
        "chat.example\r\nX-Forwarded-Proto: https",
        OWN,
        own=True,
        place=CHAT,
    ),
    _judged(
        "a stranger cannot name another address",
        f"chat.example\r\nX-Forwarded-For: {CLIENT}",
        OWN,
        own=True,
        place=CHAT,
    ),
    _judged(
        "nor by RFC 7239",
        f"chat.example\r\nForwarded: for={CLIENT};proto=https;host=evil.example",
        "https://evil.example",
        own=False,
        place=CHAT,
    ),
    # The scheme, as trusted proxies say it.
    _secure("https", "X-Forwarded-Proto: https"),
    _secure("a WebSocket's scheme, as Traefik has it", "X-Forwarded-Proto: wss"),
    _secure("letter case", "X-Forwarded-Proto: HTTPS"),
    _secure("letter case within", "X-Forwarded-Proto: HtTpS"),
    _secure("letter case of a WebSocket's scheme", "X-Forwarded-Proto: WSS"),
    _secure("two proxies: the client's is the first", "X-Forwarded-Proto: https,http"),
    _secure("two proxies, with a space", "X-Forwarded-Proto: https , http"),
    _secure("two proxies, two lines", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"),
    _told("plain", "X-Forwarded-Proto: http"),
    _told("a plain WebSocket", "X-Forwarded-Proto: ws"),
    _told("letter case of http", "X-Forwarded-Proto: HtTp"),
    _told("missing: the connection's own"),
    _told("empty: the connection's own", "X-Forwarded-Proto:"),
    _told("unknown: the connection's own", "X-Forwarded-Proto: gopher"),
    _secure(
        "with the client's address", "X-Forwarded-Proto: https", f"X-Forwarded-For: {CLIENT}", address=CLIENT
    ),
    _secure(
        "one proxy says the scheme, both say addresses",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-For: {CLIENT}, 127.0.0.1",
        address=CLIENT,
    ),
    _told(
        "a client's own claim stands before what the proxy added",
        "X-Forwarded-Proto: https, http",
        f"X-Forwarded-For: 6.6.6.6, {CLIENT}",
        address=CLIENT,
    ),
    # The host, as trusted proxies say it.
    Case(
        "the proxy asks by another name",
        ("Host: gateway:8000", "X-Forwarded-Host: chat.example", "X-Forwarded-Proto: https"),
        scheme="https",
        place=("chat.example", 443),
    ),
    Case(
        "a page by the name that the proxy uses",
        ("Host: gateway:8000", "X-Forwarded-Host: chat.example"),
        origin="http://gateway:8000",
        place=CHAT,
    ),
    Case(
        "with a port",
        ("Host: gateway:8000", "X-Forwarded-Host: chat.example:8443"),
        f"{OWN}:8443",
        place=CHAT_8443,
    ),
    Case(
        "another port than the proxy's",
        ("Host: gateway:8000", "X-Forwarded-Host: chat.example:8443"),
        own=False,
        place=CHAT_8443,
    ),
    Case("letter case of a host", ("Host: gateway", "X-Forwarded-Host: CHAT.Example"), place=CHAT),
    Case(
        "two proxies: the client's host is the first",
        ("Host: b", "X-Forwarded-Host: chat.example, a"),
        place=CHAT,
    ),
    Case(
        "a client's own claim of a host stands before what the proxy added",
        ("Host: b", "X-Forwarded-Host: evil.example, chat.example", f"X-Forwarded-For: 6.6.6.6, {CLIENT}"),
        origin="https://evil.example",
        own=False,
        place=CHAT,
        address=CLIENT,
    ),
    _told("a host that is none", "X-Forwarded-Host: chat.example/evil"),
    _told(
        "the proxy names no host of the page's",
        "X-Forwarded-Host: chat.example",
        origin="https://a.example",
        own=False,
    ),
    # The port, as trusted proxies say it.
    _told(
        "a proxy that drops the port, and says it",
        "X-Forwarded-Port: 8443",
        origin=f"{OWN}:8443",
        place=CHAT_8443,
    ),
    _told("a proxy that says its own port: Host holds as well", "X-Forwarded-Port: 8443", place=CHAT_8443),
    _told(
        "another port than is said",
        "X-Forwarded-Port: 8443",
        origin=f"{OWN}:9443",
        own=False,
        place=CHAT_8443,
    ),
    _told("a port that is none", "X-Forwarded-Port: https", origin=f"{OWN}:8443", own=False),
    _secure("https and its port", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"),
    Case(
        "a port in the host is the client's own word",
        ("Host: chat.example:8443", "X-Forwarded-Port: 80"),
        f"{OWN}:8443",
        place=CHAT_8443,
    ),
    # RFC 7239.
    _secure("Forwarded", f"Forwarded: for={CLIENT};proto=https", address=CLIENT),
    _secure("its letter case", f"Forwarded: For={CLIENT}; PROTO=HTTPS", address=CLIENT),
    _secure("its quoted strings", f'Forwarded: for="{CLIENT}:4711";proto="wss"', address=CLIENT),
    _secure("its escapes", 'Forwarded: proto="h\\ttps"'),
    _secure("its IPv6", 'Forwarded: for="[2001:db8::9]:4711";proto=https', address="2001:db8::9"),
    _secure("its hidden ports", f'Forwarded: for="{CLIENT}:_web";proto=https', address=CLIENT),
    _secure("its hidden nodes", "Forwarded: for=_hidden;proto=https"),
    _secure("its unknown nodes", "Forwarded: for=unknown;proto=https"),
    _secure("without a node", "Forwarded: proto=https"),
    _secure("an extension of it", f'Forwarded: for={CLIENT};proto=https;secret="a,b;c=d"', address=CLIENT),
    Case(
        "its host",
        ("Host: gateway:8000", f'Forwarded: for={CLIENT};host="chat.example:8443";proto=https'),
        f"{OWN}:8443",
        scheme="https",
        place=CHAT_8443,
        address=CLIENT,
    ),
    _secure("two proxies", f"Forwarded: for={CLIENT};proto=https, for=127.0.0.1;proto=http", address=CLIENT),
    _secure(
        "two proxies, two lines",
        f"Forwarded: for={CLIENT};proto=https",
        "Forwarded: for=127.0.0.1",
        address=CLIENT,
    ),
    _secure(
        "what the first proxy left out, the second said",
        f"Forwarded: for={CLIENT}, for=127.0.0.1;proto=https",
        address=CLIENT,
    ),
    _told(
        "a client's own element stands before the proxy's",
        f"Forwarded: for=6.6.6.6;proto=https;host=evil.example, for={CLIENT}",
        origin="https://evil.example",
        own=False,
        address=CLIENT,
    ),
    _told("malformed: nothing of it", f'Forwarded: for="{CLIENT};proto=https'),
    _told("a pair twice: nothing of it", f"Forwarded: for={CLIENT};for=6.6.6.6;proto=https"),
    _secure(
        "contradicting: a proxy that writes X-Forwarded-* passes on the client's Forwarded",
        "Forwarded: for=6.6.6.6;proto=http;host=evil.example",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-For: {CLIENT}",
        address=CLIENT,
    ),
    _told("a spelling that no proxy replaces", "X_Forwarded_Proto: https", f"X_Forwarded_For: {CLIENT}"),
]
