"""Everything that a client can send, each in the form that costs the service most for its sender's bytes.

The names come from the code: the packet types of both protocols, the chat's subscriptions, and the OpenAPI documents of auth and of the
HTTP API. `missing_of` compares them with the tables below, so that a new event or endpoint cannot be left out.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import socketio.packet

from roomwire.protocol import packets
from roomwire_gateway.chat import ChatGateway
from roomwire_loadtest.load.transports import Packet

Surface = Literal["Engine.IO", "Socket.IO", "event", "auth", "API"]
Way = Literal["polling", "WebSocket", "HTTP"]

CROWD: Final = "crowd"
"""A room with many members, all of them on the measured gateway."""
FULL: Final = "full"
"""A room whose history is as large as strangers can make it."""
PASSWORD: Final = "correct horse"  # noqa: S105 - of accounts that live as long as the measurement
_PLACEHOLDER: Final = '{"_placeholder":true,"num":0}'


class Thing(Protocol):
    """A thing that a client sends, with a token or without: see `Row`."""

    @property
    def surface(self) -> str: ...  # noqa: D102 - as the class says
    @property
    def name(self) -> str: ...  # noqa: D102 - as the class says
    @property
    def token(self) -> str: ...  # noqa: D102 - as the class says


def is_same(one: Thing, other: Thing) -> bool:
    """Return whether two things are the same, both with a token or both without: what bounds one of them bounds the other."""
    return _key_of(one) == _key_of(other)


def _key_of(thing: Thing) -> tuple[str, str, bool]:
    return thing.surface, thing.name, thing.token == "none"  # noqa: S105 - no token, but that there is none


@dataclass(frozen=True)
class Row:
    """A thing in one of its situations.

    Attributes:
        surface: The part of the service that receives it.
        name: The type of the packet, the event, or the endpoint.
        way: The transport.
        state: `before CONNECT` or `after CONNECT`; empty for endpoints.
        token: The credential: `none`, `guest`, `account` or `key`.
        form: What was sent, if the name does not say it.

    """

    surface: Surface
    name: str
    way: Way
    state: str
    token: str
    form: str = ""

    @property
    def is_of_session(self) -> bool:
        """Whether it is sent within an Engine.IO session."""
        return self.way != "HTTP"


@dataclass(frozen=True)
class Request:
    """A request to an endpoint."""

    method: str
    path: str
    body: bytes | None = None
    kind: str = "application/json"


@dataclass(frozen=True)
class Words:
    """What an attacker knows when it writes a request.

    Attributes:
        run: A text that differs from row to row.
        token: An access token. Empty if the row has none.
        refresh_tokens: Refresh tokens, one for each request of the row.
        account: The name of an account.

    """

    run: str
    token: str = ""
    refresh_tokens: Sequence[str] = ()
    account: str = ""


@dataclass(frozen=True)
class Spoken:
    """How a thing of a session is sent.

    Attributes:
        packets: The packets, by the number of the repetition.
        answer: The prefixes of the packet that answers. Empty: nothing answers.
        form: See `Row`.
        connects: Whether it is answered before CONNECT as well, because it connects.
        has_crowd: Whether the members of the crowd receive it.

    """

    packets: Callable[[int, Words], Sequence[Packet]]
    answer: tuple[str, ...] = ()
    form: str = ""
    connects: bool = False
    has_crowd: bool = False


def _event(*args: Any) -> Callable[[int, Words], Sequence[Packet]]:
    return lambda number, words: [
        f"42{number}{json.dumps([arg(number, words) if callable(arg) else arg for arg in args])}"
    ]


def connect_packet(token: str) -> str:
    """Return the packet that connects to the chat."""
    return f"40{json.dumps({'token': token})}" if token else "40"


_CONNECTED: Final = ("40", "44")
_ACKED: Final = ("43",)
ENGINE: Final[Mapping[str, Spoken]] = {
    "OPEN": Spoken(lambda *_: ["0"]),
    "CLOSE": Spoken(lambda *_: ["1"]),
    "PING": Spoken(lambda *_: ["2"]),
    "PONG": Spoken(lambda *_: ["3"]),
    "MESSAGE": Spoken(lambda *_: ["4x"], form="no packet of Socket.IO"),
    "UPGRADE": Spoken(lambda *_: ["5"]),
    "NOOP": Spoken(lambda *_: ["6"]),
}
SOCKET: Final[Mapping[str, Spoken]] = {
    "CONNECT": Spoken(lambda _, words: [connect_packet(words.token)], _CONNECTED, connects=True),
    "DISCONNECT": Spoken(
        lambda _, words: ["41", connect_packet(words.token)], _CONNECTED, form="and CONNECT again", connects=True
    ),
    "EVENT": Spoken(_event("nothing"), ("4",), form="an event without a handler"),
    "ACK": Spoken(lambda number, _: [f"43{number}[1]"], form="of nothing"),
    "CONNECT_ERROR": Spoken(lambda *_: ['44{"message":"x"}']),
    "BINARY_EVENT": Spoken(
        lambda number, _: [f'451-{number}["nothing",{_PLACEHOLDER}]', b"x"], ("4",), form="an event without a handler"
    ),
    "BINARY_ACK": Spoken(lambda number, _: [f"461-{number}[{_PLACEHOLDER}]", b"x"], form="of nothing"),
}  # fmt: skip
_IN_CROWD: Final = {"roomId": CROWD, "userName": "u"}


def _own_room(number: int, words: Words) -> dict[str, str]:
    return {"roomId": f"{words.run}-{number}", "userName": "u"}


EVENTS: Final[Mapping[str, Spoken]] = {
    "message": Spoken(_event("message", "x"), _ACKED, form="to all clients", has_crowd=True),
    "joinRoom": Spoken(_event("joinRoom", _own_room), _ACKED, form="a new room each time"),
    "leaveRoom": Spoken(_event("leaveRoom", _own_room), _ACKED),
    "chatMessage": Spoken(
        _event("chatMessage", {**_IN_CROWD, "message": "x"}), _ACKED, form="to the crowd", has_crowd=True
    ),
    "typing": Spoken(_event("typing", _IN_CROWD), _ACKED, form="in the crowd", has_crowd=True),
    "history": Spoken(_event("history", {"roomId": FULL, "limit": 200}), _ACKED, form="of the full room"),
    "presence": Spoken(_event("presence", {"roomId": CROWD}), _ACKED, form="of the crowd"),
    "rooms": Spoken(_event("rooms"), _ACKED),
    "refreshToken": Spoken(_event("refreshToken", lambda _, words: {"token": words.token}), _ACKED),
}


def json_body(value: Any) -> bytes:
    """Return the body of a request."""
    return json.dumps(value).encode()


def _asks(path: str, body: Callable[[int, Words], Any] | None = None) -> Callable[[int, Words], Request]:
    method, _, path = path.partition(" ")
    return lambda number, words: Request(
        method, path, None if body is None else json_body(body(number, words))
    )


def _refresh(number: int, words: Words) -> dict[str, str]:
    tokens = words.refresh_tokens
    return {"refresh_token": tokens[number] if number < len(tokens) else "unknown"}


AUTH: Final[Mapping[str, Callable[[int, Words], Request]]] = {
    "POST /auth/register": _asks(
        "POST /auth/register",
        lambda number, words: {"username": f"{words.run}-{number}"[-32:], "password": PASSWORD},
    ),
    "POST /auth/login": _asks(
        "POST /auth/login", lambda _, words: {"username": words.account or "nobody", "password": "x" * 8}
    ),
    "POST /auth/guest": _asks("POST /auth/guest"),
    "POST /auth/refresh": _asks("POST /auth/refresh", _refresh),
    "POST /auth/logout": _asks("POST /auth/logout", _refresh),
    "POST /auth/token": lambda *_: Request(
        "POST",
        "/auth/token",
        b"grant_type=client_credentials&client_id=nobody&client_secret=x",
        "application/x-www-form-urlencoded",
    ),
    "GET /auth/.well-known/jwks.json": _asks("GET /auth/.well-known/jwks.json"),
    "POST /auth/password": _asks(
        "POST /auth/password", lambda *_: {"current_password": PASSWORD, "new_password": PASSWORD}
    ),
    "POST /auth/delete-account": _asks("POST /auth/delete-account", lambda *_: {"password": "x" * 8}),
    "GET /auth/sessions": _asks("GET /auth/sessions"),
    "DELETE /auth/sessions/{id}": _asks("DELETE /auth/sessions/unknown"),
    "POST /auth/logout-everywhere": _asks("POST /auth/logout-everywhere"),
}
AUTH_FORMS: Final = {
    "POST /auth/login": "a wrong password",
    "POST /auth/token": "an unknown client",
    "POST /auth/delete-account": "a wrong password",
    "DELETE /auth/sessions/{id}": "an unknown session",
}
ENDS_SESSIONS: Final = frozenset({"POST /auth/refresh", "POST /auth/logout", "POST /auth/logout-everywhere"})
"""Endpoints that use up a session, so that each request needs another."""
API: Final[Mapping[str, Callable[[int, Words], Request]]] = {
    "POST /api/v1/publish": _asks(
        "POST /api/v1/publish",
        lambda *_: {"messages": [{"room": CROWD, "event": "roomMessage", "args": ["x"]}]},
    ),
    "GET /api/v1/rooms": _asks("GET /api/v1/rooms"),
    "GET /api/v1/presence": _asks(f"GET /api/v1/presence?room={CROWD}&limit=1000"),
    "GET /api/v1/history": _asks(f"GET /api/v1/history?room={FULL}&limit=200"),
    "POST /api/v1/disconnect": _asks("POST /api/v1/disconnect", lambda *_: {"user": "nobody"}),
    "POST /api/v1/move": _asks("POST /api/v1/move", lambda *_: {"room": "nowhere", "to": "elsewhere"}),
    "POST /api/v1/ban": _asks("POST /api/v1/ban", lambda *_: {"user": "nobody", "for_s": 1}),
    "POST /api/v1/mute": _asks("POST /api/v1/mute", lambda *_: {"user": "nobody", "for_s": 1}),
}
API_FORMS: Final = {
    "POST /api/v1/publish": "one message to the crowd",
    "GET /api/v1/presence": "of the crowd",
    "GET /api/v1/history": "of the full room",
}


def engine_packets() -> Iterator[str]:
    """Yield the names of Engine.IO's packet types, as the code has them."""
    for name, value in vars(packets).items():
        if name.isupper() and not name.startswith("_") and isinstance(value, str) and value.isdecimal():
            yield name


def operations_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the operations of an OpenAPI document, such as `GET /auth/sessions`."""
    for path, methods in document["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"


def missing_of(*, auth: Mapping[str, Any], api: Mapping[str, Any]) -> set[str]:
    """Return what the code has and the tables do not, and the reverse.

    Args:
        auth: The OpenAPI document of the auth service.
        api: The OpenAPI document of the HTTP API.

    """
    pairs: Sequence[tuple[Iterable[str], Mapping[str, object]]] = [
        (engine_packets(), ENGINE),
        (socketio.packet.packet_names, SOCKET),
        (ChatGateway.subscriptions(), EVENTS),
        (operations_of(auth), AUTH),
        (operations_of(api), API),
    ]
    return {name for has, table in pairs for name in {*has} ^ {*table}}


def rows() -> Iterator[Row]:
    """Yield every thing in every situation."""
    ways: Sequence[Way] = ("polling", "WebSocket")
    for way, state in itertools.product(ways, ("before CONNECT", "after CONNECT")):
        for name, spoken in ENGINE.items():
            yield Row("Engine.IO", name, way, state, "none", spoken.form)
        for token in ("none", "guest"):
            for name, spoken in SOCKET.items():
                yield Row("Socket.IO", name, way, state, token, spoken.form)
            for name, spoken in EVENTS.items():
                yield Row("event", name, way, state, token, spoken.form)
    for name, token in itertools.product(AUTH, ("none", "account")):
        yield Row("auth", name, "HTTP", "", token, AUTH_FORMS.get(name, ""))
    for name, token in itertools.product(API, ("none", "guest", "key")):
        yield Row("API", name, "HTTP", "", token, API_FORMS.get(name, ""))


def spoken_of(row: Row) -> Spoken:
    """Return how a row of a session is sent."""
    return {"Engine.IO": ENGINE, "Socket.IO": SOCKET, "event": EVENTS}[row.surface][row.name]


def request_of(row: Row) -> Callable[[int, Words], Request]:
    """Return the requests of a row of an endpoint."""
    return {"auth": AUTH, "API": API}[row.surface][row.name]
