"""The attacked system: the local one as `make up` runs it, with a crowd, a full room, accounts and guests."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from roomwire_gateway.messages import MAX_HISTORY, MAX_TEXT_CHARS
from roomwire_loadtest.capacity.measuring.house import House
from roomwire_loadtest.economics.things import CROWD, FULL, PASSWORD, connect_packet, json_body
from roomwire_loadtest.economics.wires import Http, Meter, Session
from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

_WIDE: Final = "\N{GRINNING FACE}"
"""A character that takes four bytes."""
_KEY: Final = "k" * 40
GATEWAY: Final = "gateway-1"
_ALL_DAY: Final[Mapping[str, str]] = {"ROOMWIRE_ACCESS_TTL_S": "86400"}
"""No token expires on the way: a crowd whose tokens have expired is gone, and an attack with such a token is another one."""
UNLIMITED: Final[Mapping[str, str]] = {
    **_ALL_DAY,
    "ROOMWIRE_MAX_EVENTS_PER_S": "0",
    "ROOMWIRE_MAX_EVENTS_PER_USER_PER_S": "0",
    "ROOMWIRE_MAX_EVENTS_OF_GUESTS_PER_S": "0",
    "ROOMWIRE_MAX_REFUSED_EVENTS": "1000000000",
    "ROOMWIRE_API_MAX_PER_S": "0",
    "ROOMWIRE_MAX_PASSWORD_CHECKS_PER_MINUTE": "0",
    "ROOMWIRE_LONGEST_LOGIN_DELAY_S": "0",
    "ROOMWIRE_MAX_REGISTRATIONS_PER_MINUTE": "0",
    "ROOMWIRE_MAX_GUESTS_PER_MINUTE": "0",
    "ROOMWIRE_MAX_SESSIONS": "1000",
    # Pings are answered by nobody while something else is measured.
    "ROOMWIRE_PING_INTERVAL_S": "300",
}
"""The settings with which costs are measured: limits would hide them."""
LIMITED: Final[Mapping[str, str]] = {**_ALL_DAY, "ROOMWIRE_THROTTLE": "true"}
"""The settings under attack: the defaults, with the limits of auth, which `make up` switches off, and with tokens that last."""


class World:
    """A running system, and what an attacker needs of it.

    Args:
        house: The system.
        api_port: The port of the HTTP API.
        operations: The URL of the gateway's operations port.

    Attributes:
        house: The system.
        gateway_port: The port of the measured gateway.
        api_port: The port of the HTTP API.
        operations: The URL of the gateway's operations port.
        key: A key of the HTTP API.
        guest_token: The access token of a guest.
        account: The name of an account.
        account_token: An access token of that account.

    """

    def __init__(self, house: House, api_port: int, operations: str) -> None:
        self.house = house
        self.gateway_port = house.gateways[GATEWAY]
        self.auth_port = int(house.auth_url.rpartition(":")[2])
        self.api_port = api_port
        self.operations = operations
        self.key = _KEY
        self.guest_token = self.guest()[0]
        self.account = "victim"
        self.account_token = self.signed_up(self.account)
        self._members: list[Session] = []

    def guest(self) -> tuple[str, str]:
        """Return the access token and the refresh token of a new guest."""
        answer = self._ask_auth("/auth/guest")
        return answer["access_token"], answer["refresh_token"]

    def signed_up(self, name: str) -> str:
        """Return an access token of a new account."""
        return self._ask_auth("/auth/register", {"username": name, "password": PASSWORD})["access_token"]

    def gather(self, members: int) -> None:
        """Put this many members into the crowd; they read nothing."""
        for _ in range(members):
            self._members.append(joined(self.gateway_port, self.guest_token, CROWD))

    def fill(self) -> None:
        """Fill the history of the full room with the largest messages."""
        writer = joined(self.gateway_port, self.guest_token, FULL)
        body = {"roomId": FULL, "userName": "u", "message": _WIDE * MAX_TEXT_CHARS}
        said = json.dumps(["chatMessage", body], ensure_ascii=False)
        for number in range(MAX_HISTORY):
            writer.send(f"42{number}{said}")
            writer.until("43")
        writer.close()

    def disperse(self) -> None:
        """Let the crowd go."""
        for member in self._members:
            member.close()

    def openapi(self) -> tuple[dict[str, object], dict[str, object]]:
        """Return the OpenAPI documents of auth and of the HTTP API."""
        return self._document(self.auth_port, "/auth"), self._document(self.api_port, "/api/v1")

    @staticmethod
    def _document(port: int, prefix: str) -> dict[str, object]:
        http = Http(port, Meter())
        _, body = http.ask("GET", f"{prefix}/openapi.json")
        http.close()
        document: dict[str, object] = json.loads(body)
        return document

    def _ask_auth(self, path: str, body: Mapping[str, str] | None = None) -> dict[str, str]:
        http = Http(self.auth_port, Meter())
        _, answer = http.ask("POST", path, None if body is None else json_body(body))
        http.close()
        found: dict[str, str] = json.loads(answer)
        return found


@contextmanager
def world(folder: Path, settings: Mapping[str, str]) -> Iterator[World]:
    """Run a system with one gateway while the context lasts.

    Args:
        folder: Contains its data.
        settings: Settings besides those of `make up`.

    """
    api_port = free_port()
    environ = {
        "GATEWAYS": "1",
        "ROOMWIRE_LOG_LEVEL": "warning",
        "ROOMWIRE_API_PORT": str(api_port),
        "ROOMWIRE_API_KEYS": f"economics admin {_KEY}",
        **settings,
    }
    with local_system(folder, free_port(), **environ) as system:
        house = House(system)
        try:
            yield World(house, api_port, system.operations[GATEWAY])
        finally:
            house.redis.close()


def joined(port: int, token: str, room: str) -> Session:
    """Return the session of a new member of a room."""
    member = Session("WebSocket", port, Meter())
    member.send(connect_packet(token), f"420{json.dumps(['joinRoom', {'roomId': room, 'userName': 'u'}])}")
    member.until("430")
    return member
