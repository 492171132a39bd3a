"""The addresses of the other nodes, from the log's registry, cached briefly.

Client input names a node and nothing else: addresses come from the registry alone. Clients cannot cause
frequent queries of the registry.
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
"""The seconds for which the registry's answer is considered current."""
AGAIN_S: Final = 0.1
"""The minimum seconds before the registry is asked again if a node was not found or not reached."""

_log = get_logger(__name__)


class Owner(NamedTuple):
    """A node that can be reached."""

    node: NodeId
    host: str
    port: int


class Owners:
    """Finds nodes by their names.

    Args:
        log: The log with the registry. While it is unavailable, its last answer counts: nodes prove their identity themselves.

    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._nodes: Mapping[str, tuple[NodeId, str]] = {}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, name: str, *, other_than: NodeId | None = None) -> Owner | None:
        """Return a live node; None if no node of this name can be reached.

        Args:
            name: The node's name without its incarnation.
            other_than: An incarnation that was not reached: find out whether there is another one.

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
        """Wait for the running query."""
        if self._asking is not None:
            await self._asking

    async def _ask(self) -> None:
        """Ask the registry, once for all waiting callers."""
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
    """Return an address in the registry's form: `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _owner(node: NodeId, address: str) -> Owner | None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return None
    return Owner(node, host.removeprefix("[").removesuffix("]"), int(port))
