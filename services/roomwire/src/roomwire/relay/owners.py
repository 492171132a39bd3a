"""The addresses of the other nodes, from the log's registry, cached briefly.

What a client sends names a node and nothing else: an address comes from the registry alone, and the registry is asked
seldom, whatever clients send.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from roomwire.errors import RoomwireError
from roomwire.log.contract import Log
from roomwire.log.sessions import NodeId
from roomwire.logs import get_logger

FRESH_S: Final = 1.0
"""How long what the registry said is taken for true."""
AGAIN_S: Final = 0.1
"""How soon it is asked again when a node is not found, or not there."""

_log = get_logger(__name__)


class Owner(NamedTuple):
    """A node that can be reached."""

    node: NodeId
    host: str
    port: int


class Owners:
    """Finds nodes by their names.

    Args:
        log: Has the registry. While it is away, what it said last counts: nodes show who they are by themselves.

    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._nodes: Mapping[str, tuple[NodeId, str]] = {}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, name: str, *, other_than: NodeId | None = None) -> Owner | None:
        """Return a node that lives; None: there is none of that name that can be reached.

        Args:
            name: Its name among its like.
            other_than: An incarnation that was not there: ask whether there is another one.

        """
        known = self._nodes.get(name)
        age_s = time.monotonic() - self._asked_at
        is_wanting = known is None or known[0] == other_than
        if age_s > FRESH_S or (is_wanting and age_s > AGAIN_S):
            await self._ask()
            known = self._nodes.get(name)
        if known is None or known[0] == other_than:
            return None
        return _owner(*known)

    async def close(self) -> None:
        """Wait for what was asked."""
        if self._asking is not None:
            await self._asking

    async def _ask(self) -> None:
        """Ask the registry, once for all who want to know."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._read())
            self._asking.add_done_callback(self._asked)
        await asyncio.shield(self._asking)

    def _asked(self, _: "asyncio.Task[None]") -> None:
        self._asking = None
        self._asked_at = time.monotonic()

    async def _read(self) -> None:
        try:
            self._nodes = await self._log.nodes()
        except RoomwireError as error:
            _log.info("registry of nodes not read", error=str(error))


def advertised(host: str, port: int) -> str:
    """Return an address as it stands in the registry: `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _owner(node: NodeId, address: str) -> Owner | None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return None
    return Owner(node, host.removeprefix("[").removesuffix("]"), int(port))
