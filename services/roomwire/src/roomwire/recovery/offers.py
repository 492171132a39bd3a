"""Which clients are offered recovery: the rules, in a table. Pure.

Whoever is offered it gets a `pid`, and an offset as one more last argument of each event. The official JavaScript client knows
what to do with that; a client that does not would hand the offset to its listeners. What a client says itself counts first.
The rest is told by what its requests look like, and a client that nothing is known of is not offered anything.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from roomwire.protocol.asgi import Environ

_WORDS: Final = {"0": False, "false": False, "off": False, "1": True, "true": True, "on": True}


class ConnectingClient(NamedTuple):
    """What of a CONNECT and of its connection's first request says who sent it.

    Attributes:
        said: What it says about recovery itself; None: nothing.
        has_pid: Whether it brings the secret of a session, as only a client that knows recovery does.
        agent: Its User-Agent, in lower case; empty: none.
        has_origin: Whether it sends an Origin.

    """

    said: bool | None
    has_pid: bool
    agent: str
    has_origin: bool


class Rule(NamedTuple):
    """A rule of the table.

    Attributes:
        name: What it is for.
        fits: Whether it decides about a client.
        is_offered: What it decides; None: as the client says.

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
    Rule("any other: Python, Dart, Java, Go, what is not known", lambda _: True, is_offered=False),
)
"""The first that fits decides."""


def client_of(auth: object, environ: Environ, *, has_pid: bool) -> ConnectingClient:
    """Return what is to be known of a client.

    Args:
        auth: The payload of its CONNECT.
        environ: The request that its connection began with.
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
    """Say whether a client is offered recovery, where the server offers it."""
    rule = next(rule for rule in RULES if rule.fits(client))
    return bool(client.said if rule.is_offered is None else rule.is_offered)


def _said(value: object) -> bool | None:
    return value if isinstance(value, bool) else _WORDS.get(str(value).lower())
