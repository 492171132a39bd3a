"""Connects clients to the measured system."""

from collections.abc import Callable, Sequence
from typing import Final

from roomwire_loadtest.capacity.measuring.dialect import Chat
from roomwire_loadtest.generator.links import Flow, Link, Opening, open_links

_UNDER_WAY: Final = 20


class Clients:
    """Connects clients, all with one token.

    Args:
        token: The token.

    Attributes:
        auth: The JSON that goes with Socket.IO's CONNECT.

    """

    def __init__(self, token: str) -> None:
        self.auth = b'{"token":"%s"}' % token.encode()

    def opening(self, port: int, room: str | None = None) -> Opening:
        """Return the opening of a client's connection to a gateway, with a room to join."""
        return Opening(port, Chat(), room, auth=self.auth)

    def come(
        self, openings: Sequence[Opening], flow: Callable[[Opening], Flow] = Opening.websocket
    ) -> list[Link]:
        """Connect clients, a few at a time; raises `LinkError` if one fails."""
        return open_links(openings, flow, under_way=_UNDER_WAY)
