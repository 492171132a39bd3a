"""Which clients are offered recovery: the rules, in a table. Pure.

A client that is offered recovery gets a `pid`, and an offset as an additional last argument of each event. The official JavaScript
client understands both; other clients would pass the offset to their listeners. A client's own statement counts first. Otherwise the
form of its requests decides, and an unknown client is not offered recovery.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from roomwire.protocol.asgi import Environ

_WORDS: Final = {"0": False, "false": False, "off": False, "1": True, "true": True, "on": True}


class ConnectingClient(NamedTuple):
    """The facts of a CONNECT and of its connection's first request that identify the client.

    Attributes:
        said: The client's own statement about recovery, or None.
        has_pid: Whether it sends the secret of a session, as only a client that supports recovery does.
        agent: Its User-Agent in lower case, or an empty text.
        has_origin: Whether it sends an Origin.

    """

    said: bool | None
    has_pid: bool
    agent: str
    has_origin: bool


class Rule(NamedTuple):
    """A rule of the table.

    Attributes:
        name: The clients that the rule is for.
        fits: Whether the rule decides about a client.
        is_offered: The decision. None means the client's own statement.

    """

    name: str
    fits: Callable[[ConnectingClient], bool]
    is_offered: bool | None


RULES: Final = (
    Rule("`recovery` in `auth` or in the query", lambda client: client.said is not None, None),
    Rule("a session's `pid` in `auth`", lambda client: client.has_pid, is_offered=True),
    Rule("a browser", lambda client: client.agent.startswith("mozilla/"), is_offered=True),
    Rule("Node over WebSocket", lambda client: not client.agent and not client.has_origin, is_offered=True),
    Rule("Node over polling", lambda client: client.agent == "node-xmlhttprequest", is_offered=True),
    Rule("any other: Python, Dart, Java, Go, unknown clients", lambda _: True, is_offered=False),
)
"""The first rule that fits decides."""


def client_of(auth: object, environ: Environ, *, has_pid: bool) -> ConnectingClient:
    """Return the facts that identify a client.

    Args:
        auth: The payload of its CONNECT.
        environ: The first request of its connection.
        has_pid: Whether the payload names a session.

    """
    said = _said(auth.get("recovery")) if isinstance(auth, dict) else None
    query = environ.get("QUERY_STRING", "")
    if said is None and "recovery" in query:
        said = _said(parse_qs(query).get("recovery", [""])[-1])
    return ConnectingClient(
        said, has_pid, environ.get("HTTP_USER_AGENT", "").lower(), "HTTP_ORIGIN" in environ
    )


def is_offered(client: ConnectingClient) -> bool:
    """Return whether a client is offered recovery, if the server offers it."""
    rule = next(rule for rule in RULES if rule.fits(client))
    return bool(client.said if rule.is_offered is None else rule.is_offered)


def _said(value: object) -> bool | None:
    return value if isinstance(value, bool) else _WORDS.get(str(value).lower())
